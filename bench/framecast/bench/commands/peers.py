"""`framecast bench peers`."""

import asyncio
from collections.abc import Callable
from contextlib import ExitStack
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from framecast.bench.capacity.fitted import read_served_model
from framecast.bench.commands import options as o
from framecast.bench.commands.publish import console, publish
from framecast.bench.commands.run import Target, identity
from framecast.bench.record import Record
from framecast.client.report import fail, one_sentence_errors
from framecast.errors import FramecastError

PROMPTS = ("a white kitten plays in the courtyard, day", "a red car moves on the street", "a ball jumps on the beach")


class Versus(str, Enum):
    """Plain diffusers, eager or compiled; the Triton ensemble without our gateway; one segment at a time."""

    DIFFUSERS = "diffusers"
    COMPILE = "compile"
    ENSEMBLE = "ensemble"
    FCFS = "fcfs"


@one_sentence_errors()
def peers(
    versus: Annotated[Versus, typer.Option(help="Who is compared with.")] = Versus.DIFFUSERS,
    repository: Annotated[Path, typer.Option(help="The served repository.")] = Path("build/served"),
    bundle: Annotated[Path, typer.Option(help="The bundle it was exported from.")] = Path("bundles/storybook"),
    scene: Annotated[
        list[str] | None, typer.Option(help="A scene prompt; repeatable; fcfs makes one video of all.")
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Turns of each; an interval takes three.")] = 7,
    num_prompts: Annotated[int, typer.Option(min=1, help="fcfs: videos a turn.")] = 8,
    max_concurrency: Annotated[int, typer.Option(min=1, help="fcfs: callers at once.")] = 4,
    num_inference_steps: o.Steps = 0,
    seed: o.Seed = 1,
    output_file: o.OutputFile = None,
) -> None:
    """Ours and another on the same bundle, prompts, seeds, steps and machine, by turns. Starts the servers it needs.
    No speed is reported of videos that are not the same. The last line on stdout is one JSON object.
    """
    try:
        from framecast.bench.peers.contest import Contender, contest  # with it come server and exporter
        from framecast.bench.peers.served import Asked, BareEnsemble, Gateway
        from framecast.bench.peers.server import serving
    except ModuleNotFoundError as error:
        fail(f"framecast bench peers needs {error.name}: pip install 'framecast[bench,server,export]'", 1)

    try:
        served = read_served_model(repository)
    except (OSError, ValueError) as error:
        fail(str(error), 2)
    prompts = tuple(scene or (PROMPTS if versus is Versus.FCFS else PROMPTS[:1]))
    if versus is not Versus.FCFS and len(prompts) != 1:
        fail(f"--versus {versus.value} makes one clip: give one --scene", 2)
    asked = Asked(prompts, num_inference_steps or served.steps, served)
    progress: Callable[[str], None] = lambda text: console.print(text, highlight=False)  # noqa: E731
    try:
        with ExitStack() as stack:
            ours: Contender
            theirs: Contender
            server = stack.enter_context(serving(repository))
            if versus is Versus.FCFS:
                other = stack.enter_context(serving(repository, {"FRAMECAST_BATCHER": "max_live=1,max_batch=1"}))
                ours, theirs = (Gateway(each, asked, num_prompts, max_concurrency) for each in (server, other))
            elif versus is Versus.ENSEMBLE:
                ours, theirs = Gateway(server, asked), BareEnsemble(server, asked)
            else:
                from framecast.bench.peers.plain import PlainDiffusers

                ours = Gateway(server, asked)
                theirs = PlainDiffusers(bundle, asked, compiled=versus is Versus.COMPILE)
            identified = asyncio.run(identity(Target(server.address)))
            found = contest(ours, theirs, rounds, seed, progress)
    except (OSError, ValueError, FramecastError) as error:
        fail(str(error), 1)
    settings = {
        "served": identified,
        "versus": versus.value,
        "scenes": prompts,
        "num_inference_steps": asked.steps,
        "max_concurrency": max_concurrency if versus is Versus.FCFS else 1,
        "num_prompts": num_prompts if versus is Versus.FCFS else 1,
    }
    publish(Record("peers", found.results(), found.samples(), settings), output_file)
