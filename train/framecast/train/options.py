"""Options that several training commands have."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from framecast.train.own import OwnData

Runs = Annotated[Path, typer.Option(help="Folder for checkpoints, caches and curves.")]
Threads = Annotated[int, typer.Option(min=1, help="Compute threads; one is the fastest on a machine that is shared.")]
Steps = Annotated[int | None, typer.Option(min=1, help="Length of the whole run; the recipe's own when not given.")]
StopAt = Annotated[int | None, typer.Option(min=1, help="Leave after this step; the same command goes on later.")]
Seed = Annotated[int | None, typer.Option(help="Another one draws what the weights have not seen yet.")]
ClipBatch = Annotated[int | None, typer.Option(min=1, help="Clips of a step.")]
Jump = Annotated[float | None, typer.Option(min=0, help="Weight of errors that jump between latents.")]


def _learning(rate: float | None) -> float | None:
    if rate is not None and not 0 < rate < 1:
        raise typer.BadParameter(f"{rate:g} is no learning rate: it lies between 0 and 1.")
    return rate


Rate = Annotated[float | None, typer.Option(callback=_learning, help="Learning rate; lower for what has been trained.")]


def _there(device: str) -> str:
    import torch

    if device == "cpu" or (device == "cuda" and torch.cuda.is_available()):
        return device
    why = "torch sees no GPU" if device == "cuda" else "it is cpu or cuda"
    raise typer.BadParameter(f"{device} cannot be used: {why}.")


Device = Annotated[str, typer.Option(help="cpu or cuda.", callback=_there)]


def given(**options: Any) -> dict[str, Any]:
    """The options that were given, for `replace`: a recipe's own values stay where they were not."""
    return {name: value for name, value in options.items() if value is not None}


def practised(words: list[str]) -> frozenset[str]:
    """Raises BadParameter for what is no word of the world."""
    from framecast.train.world.vocabulary import ACTIONS, COLOURS, PLACES, SUBJECTS

    known = {*SUBJECTS, *COLOURS, *PLACES, *ACTIONS}
    if unknown := sorted(set(words) - known):
        raise typer.BadParameter(
            f"--practise: no word of the world: {', '.join(unknown)}; it has {', '.join(sorted(known))}"
        )
    return frozenset(words)


def own_data(runs: Path) -> OwnData | None:
    """What `framecast train data` noted in `runs`."""
    from framecast.train.own import of

    return of(runs)


def require_bundle(bundle: Path) -> None:
    """Raises FileNotFoundError for what is no bundle's folder."""
    if not (bundle / "framecast.json").is_file():
        raise FileNotFoundError(f"{bundle} is no bundle: it has no framecast.json")


def require_one_process() -> None:
    """Raises ValueError under torchrun: workers of a recipe that shares nothing would write over each other."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ValueError("this is trained in one process: start it without torchrun")


def require_untrained(runs: Path) -> None:
    """Raises ValueError where weights have learnt with the tokenizers that are there: others mean something else."""
    for part in ("planner", "unet"):
        if (runs / part / "last").exists():
            raise ValueError(f"{runs / part} has learnt with the tokenizers that are there: move it away first")


def use_threads(count: int) -> None:
    """Of torch, for computing."""
    import torch

    torch.set_num_threads(count)
