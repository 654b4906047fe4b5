"""Where a record goes: a file, a table on stderr, one line on stdout."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from framecast.bench.record import Record, default_place, table_beside
from framecast.bench.sample import Sample

console = Console(stderr=True)
MOST_COLUMNS = 8  # of a table in a terminal


@contextmanager
def counting(videos: int) -> Iterator[Callable[[], None]]:
    """A bar on stderr that moves with every call; silent where that is no terminal."""
    columns = (TextColumn("videos"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(
        *columns, console=console, transient=True, refresh_per_second=2, disable=not console.is_terminal
    ) as bars:
        task = bars.add_task("", total=videos)
        yield lambda: bars.advance(task)


def side_by_side(rows: list[tuple[str, ...]], width: int) -> list[list[tuple[str, ...]]]:
    """A table cut into as many as fit into `width` characters, each with the first column, which names the rows."""
    widths = [max(len(row[column]) for row in rows) + 3 for column in range(len(rows[0]))]
    parts: list[list[int]] = [[]]
    for column in range(1, len(widths)):
        if parts[-1] and widths[0] + sum(widths[each] for each in parts[-1]) + widths[column] >= width:
            parts.append([])
        parts[-1].append(column)
    return [[tuple(row[column] for column in (0, *part)) for row in rows] for part in parts]


def _whole(rows: list[tuple[str, ...]], title: str | None = None) -> Table:
    """A table whose cells are folded rather than cut: what is cut cannot be told from its neighbour."""
    head, *body = rows
    table = Table(title=title)
    for name in head:
        table.add_column(name, overflow="fold")
    for texts in body:
        table.add_row(*texts)
    return table


def tell_failures(samples: Sequence[Sample]) -> bool:
    """One sentence on stderr for each way in which videos failed, with what the first of them was told.

    Returns:
        Whether there are videos, and none was made.
    """
    failed = [sample for sample in samples if sample.error]
    for error in dict.fromkeys(sample.error for sample in failed):
        these = [sample for sample in failed if sample.error == error]
        why = f": {these[0].why}" if these[0].why else ""
        console.print(f"{len(these)} of {len(samples)} videos: {error}{why}", highlight=False, markup=False)
    return bool(samples) and len(failed) == len(samples)


def publish(record: Record, output: Path | None) -> None:
    """Saves the record, out/bench/<time>-<benchmark>.json when no file is named, shows it, and prints it as the
    last line on stdout, where it cannot be saved too. Raises OSError then.
    """
    path = output or default_place(record.benchmark)
    try:
        record.save(path)
    except OSError:
        typer.echo(record.to_json())  # what took an hour to measure is not lost
        raise
    console.print(_whole([("figure", "value"), *record.table()], title=record.benchmark))
    names, rows = record.grid()
    if rows:
        wide = len(names) > MOST_COLUMNS  # many figures of few loads: a line a figure
        grid = [tuple(names), *map(tuple, rows)]
        for part in side_by_side(list(zip(*grid, strict=True)) if wide else grid, console.width):
            console.print(_whole(part))
    console.print(f"{path} and {table_beside(path).name}", highlight=False)
    typer.echo(record.to_json())
