"""`framecast export`."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from framecast.client.report import fail
from framecast.engines.manifest import Manifest
from framecast.errors import FramecastError, InvalidRepository
from framecast.export.bundle import Bundle


def packaged_models() -> Path:
    """The Triton models that come with this package: beside it in a wheel, at the top of a source checkout."""
    here = Path(__file__).parent
    return next((d for d in (here / "model_repository", here.parents[2] / "model_repository") if d.is_dir()), here)


def command(
    bundle: Annotated[Path, typer.Option(help="Bundle directory: a diffusers pipeline with a planner/ beside it.")],
    output: Annotated[Path, typer.Option(help="Served repository to write.")],
    engine: Annotated[str, typer.Option(help="Runtime that will load the graphs: onnxruntime.")] = "onnxruntime",
    precision: Annotated[str, typer.Option(help="Of UNet and VAE: fp32, fp16, bf16.")] = "fp32",
    models: Annotated[
        Path | None, typer.Option(help="The Triton models to copy, instead of the packaged ones.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Export even when nothing has changed.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the manifest as one JSON object.")] = False,
) -> None:
    """Turn a bundle into a served Triton repository, checked against torch and diffusers."""
    console = Console(stderr=True)
    try:
        manifest = _export(bundle, output, engine, precision, models or packaged_models(), force, console)
    except FramecastError as error:
        fail(str(error), 2)
    if as_json:
        typer.echo(json.dumps(asdict(manifest), ensure_ascii=False))


def _export(
    bundle: Path, output: Path, engine: str, precision: str, models: Path, force: bool, console: Console
) -> Manifest:
    if engine != "onnxruntime":
        raise InvalidRepository(f"--engine is {engine!r}; this build exports for onnxruntime.")
    if not models.is_dir():
        raise InvalidRepository(f"--models {models} is not a directory; give the path of model_repository/.")
    source = Bundle.open(bundle)
    with console.status("loading torch") as status:
        from framecast.export.exporter import export_bundle, is_current
        from framecast.export.options import ExportOptions
        from framecast.export.precision import precision_named

        options = ExportOptions(engine=engine, models=models, precision=precision_named(precision).name)
        if not force and is_current(source, output, options):
            console.print(f"{output} is up to date", highlight=False)
            return Manifest.load(output)

        def report(line: str) -> None:
            console.print(line, highlight=False)
            status.update("exporting the next graph")

        status.update("exporting the planner")
        manifest = export_bundle(source, output, options, report)
    console.print(f"wrote {output}: {len(manifest.files)} files", highlight=False)
    return manifest
