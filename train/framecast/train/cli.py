"""`framecast train …`: every step of the recipe as a command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Trains the storybook family.")

Runs = Annotated[Path, typer.Option(help="Folder for checkpoints, caches and curves.")]
Threads = Annotated[int, typer.Option(help="Compute threads; one is the fastest on a machine that is shared.")]
Steps = Annotated[int | None, typer.Option(help="Length of the whole run; the recipe's own when not given.")]
StopAt = Annotated[int | None, typer.Option(help="Leave after this step; the same command goes on later.")]


def _threads(count: int) -> None:
    import torch

    torch.set_num_threads(count)


@app.command()
def vae(runs: Runs = Path("runs"), steps: Steps = None, stop_at: StopAt = None, threads: Threads = 1) -> None:
    """Trains the folded VAE on crops that are drawn as it goes."""
    from dataclasses import replace

    from framecast.train import vae as recipe

    _threads(threads)
    config = recipe.VaeConfig()
    config = replace(config, steps=steps) if steps else config
    model = recipe.train(config, runs / "vae", stop_at=stop_at)
    typer.echo(str(recipe.measure(model)))


@app.command()
def held_out() -> None:
    """Writes the list of combinations that training never sees."""
    from framecast.train.world.scene import HELD_OUT_FILE, write_held_out

    typer.echo(f"{write_held_out()} combinations in {HELD_OUT_FILE}")


@app.command()
def tokenizers(runs: Runs = Path("runs")) -> None:
    """Trains both tokenizers."""
    from framecast.train import tokenizers as recipe

    planner_tokenizer = recipe.train_planner_tokenizer(runs / "tokenizers" / "planner")
    text_tokenizer = recipe.train_text_tokenizer(runs / "tokenizers" / "text")
    typer.echo(f"planner {len(planner_tokenizer)} tokens, text encoder {len(text_tokenizer)} tokens")


@app.command()
def planner(runs: Runs = Path("runs"), stop_at: StopAt = None, threads: Threads = 1) -> None:
    """Pre-trains and fine-tunes the planner, then scores it on held-out stories."""
    from transformers import PreTrainedTokenizerFast

    from framecast.train import planner as recipe

    _threads(threads)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(runs / "tokenizers" / "planner")
    model = recipe.train(recipe.PlannerConfig(), tokenizer, runs / "planner", stop_at=stop_at)
    for language in ("en", "zh"):
        typer.echo(f"{language}: exact storyboards {recipe.exact(model, tokenizer, language):.3f}")
