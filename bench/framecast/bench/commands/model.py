"""What the capacity commands share: a service model from its record, kinds of video, a replica's limits."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from framecast.bench.capacity.film import Film, film_of
from framecast.bench.capacity.fitted import Fitted
from framecast.bench.capacity.refusals import refusals
from framecast.bench.capacity.service import Replica
from framecast.bench.demand import read_kinds
from framecast.bench.kind import Kind
from framecast.bench.record import Record
from framecast.client.report import fail

Model = Annotated[Path, typer.Argument(help="Record of `capacity calibrate` or `capacity fit`.")]
Limits = Annotated[list[str] | None, typer.Option("--limit", help="NAME=NUMBER of a replica's limits; repeatable.")]


def kinds(one: Kind, mix: Path | None) -> list[tuple[float, Kind]]:
    """(weight, kind): those of the file `mix`, or `one` alone. Raises ValueError when both are given."""
    if mix is None:
        return [(1.0, one)]
    if one != Kind(()):
        raise ValueError("--mix says what the videos are: leave out the options that say it of one")
    return read_kinds(mix)


def inputs(
    model: Path, weighted: Sequence[tuple[float, Kind]], limits: list[str] | None
) -> tuple[Fitted, list[Film], Replica]:
    """The model, the films and the replica. Raises ValueError that says what is wrong."""
    try:
        fitted = Fitted.from_json(dict(Record.load(model).results))
    except ValueError as error:
        raise ValueError(f"{model}: {error}") from None
    if fitted.doubts:
        again = "calibrate again with nothing else running, and more videos (--num-prompts)"
        typer.echo(f"framecast: {model} is a doubtful model: {'; '.join(fitted.doubts)}; {again}", err=True)
    unserved = dict.fromkeys(words for _, kind in weighted for words in refusals(kind, fitted.served))
    if unserved:
        typer.echo(f"framecast: a server as it comes refuses such videos: {'; '.join(unserved)}", err=True)
    service = fitted.service
    if any(kind.planned for _, kind in weighted) and not service.plan_fixed + service.plan_scene:
        raise ValueError(
            f"{model} was calibrated without a story, so planning would cost nothing: calibrate with --story"
        )
    films = [film_of(kind, fitted.served, fitted.service.pixels, weight) for weight, kind in weighted]
    return fitted, films, _replica(limits or [])


def _replica(limits: list[str]) -> Replica:
    known = {each.name: each.type for each in fields(Replica)}
    values: dict[str, Any] = {}
    for text in limits:
        name, _, value = text.partition("=")
        if name not in known:
            raise ValueError(f"--limit: {name!r} is none of {', '.join(known)}")
        whole = known[name] is int
        least = 1 if name.startswith(("max_live", "max_batch", "text_", "decode_", "encode_")) else 0
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not (math.isfinite(number) and number >= least and (number.is_integer() or not whole)):
            which = f"{'a whole one ' * whole}of at least {least}"
            raise ValueError(f"--limit: {text!r} is not {name}=NUMBER, {which}")
        values[name] = int(number) if whole else number
    return replace(Replica(), **values)


@contextmanager
def sentences() -> Iterator[None]:
    """What is wrong with a record or a limit, as one sentence."""
    try:
        yield
    except (ValueError, KeyError, TypeError) as error:
        fail(str(error), 2)
