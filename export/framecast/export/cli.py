"""`framecast export`."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from framecast.client.files import in_the_way
from framecast.client.report import fail
from framecast.engines.manifest import Manifest
from framecast.errors import FramecastError, InvalidRepository
from framecast.export.bundle import Bundle
from framecast.export.compilers import compiler_for
from framecast.export.options import GRAPHS, ExportOptions
from framecast.export.report import Report
from framecast.export.tensorrt.options import HARDWARE, BuildOptions

_DEFAULTS = ExportOptions(Path())
_PLAN = BuildOptions()
_CACHE = Path("build/cache")
_PANEL = "TensorRT plans"


def packaged_models() -> Path:
    """The Triton models that come with this package: beside it in a wheel, at the top of a source checkout."""
    here = Path(__file__).parent
    return next((d for d in (here / "model_repository", here.parents[2] / "model_repository") if d.is_dir()), here)


def command(
    bundle: Annotated[Path, typer.Option(help="Bundle directory: a diffusers pipeline with a planner/ beside it.")],
    output: Annotated[Path, typer.Option(help="Served repository to write.")],
    engine: Annotated[
        str, typer.Option(help="What will compute the graphs: onnxruntime, aoti, tensorrt, tensorrt-rtx.")
    ] = _DEFAULTS.engine,
    precision: Annotated[str, typer.Option(help="Of UNet and VAE: fp32, fp16, bf16, int8, fp8.")] = _DEFAULTS.precision,
    models: Annotated[
        Path | None, typer.Option(help="The Triton models to copy, instead of the packaged ones.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Export even when nothing has changed.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the manifest as one JSON object.")] = False,
    compile_: Annotated[
        list[str] | None,
        typer.Option("--compile", help=f"Graph to compile, of {', '.join(GRAPHS)}; repeatable. All but the planner."),
    ] = None,
    cache: Annotated[Path, typer.Option(help="Folder of traced graphs and compiled engines, used again.")] = _CACHE,
    max_batch: Annotated[int, typer.Option(min=1, help="Segments in a compiled denoise step.")] = _DEFAULTS.max_batch,
    native: Annotated[
        bool, typer.Option("--native", help="Also models for Triton's own backends (tritonserver --model-config-name).")
    ] = _DEFAULTS.native,
    safety_checker: Annotated[
        bool, typer.Option(help="Serve the bundle's safety_checker/, where it has one: pictures are reviewed.")
    ] = _DEFAULTS.safety_checker,
    workspace_bytes: Annotated[
        int | None, typer.Option(help="Scratch memory of a layer.", rich_help_panel=_PANEL)
    ] = _PLAN.workspace_bytes,
    optimization_level: Annotated[
        int | None, typer.Option(help="0 builds fastest, 5 looks longest.", rich_help_panel=_PANEL)
    ] = _PLAN.optimization_level,
    hardware: Annotated[
        str, typer.Option(help=f"GPUs it runs on: {', '.join(HARDWARE)}; tensorrt only.", rich_help_panel=_PANEL)
    ] = _PLAN.hardware,
    compute_capability: Annotated[
        list[int] | None,
        typer.Option(help="GPU to build for, 89 for 8.9; repeatable; tensorrt-rtx only.", rich_help_panel=_PANEL),
    ] = None,
    version_compatible: Annotated[
        bool,
        typer.Option("--version-compatible", help="Also for later versions; tensorrt only.", rich_help_panel=_PANEL),
    ] = _PLAN.version_compatible,
    refittable: Annotated[
        bool, typer.Option("--refittable", help="Weights can be replaced.", rich_help_panel=_PANEL)
    ] = _PLAN.refittable,
    batch_invariant: Annotated[
        bool, typer.Option("--batch-invariant", help="Products do not depend on the batch.", rich_help_panel=_PANEL)
    ] = _PLAN.batch_invariant,
    tf32: Annotated[
        bool, typer.Option("--tf32", help="Let fp32 products round their inputs.", rich_help_panel=_PANEL)
    ] = _PLAN.tf32,
) -> None:
    """Turn a bundle into a served Triton repository, checked against torch and diffusers."""
    try:
        options = ExportOptions(
            models=models or packaged_models(),
            engine=engine,
            precision=precision,
            max_batch=max_batch,
            compile=tuple(compile_ or ()),
            safety_checker=safety_checker,
            native=native,
            plan=BuildOptions(
                workspace_bytes=workspace_bytes,
                optimization_level=optimization_level,
                hardware=hardware,
                compute_capabilities=tuple(compute_capability or ()),
                version_compatible=version_compatible,
                refittable=refittable,
                batch_invariant=batch_invariant,
                tf32=tf32,
            ),
            cache=cache,
        )
        manifest = _export(bundle, output, options, force, Console(stderr=True))
    except (FramecastError, ValueError) as error:
        fail(str(error), 2)
    if as_json:
        typer.echo(json.dumps(asdict(manifest)))


def _export(bundle: Path, output: Path, options: ExportOptions, force: bool, console: Console) -> Manifest:
    if not options.models.is_dir():
        raise InvalidRepository(f"--models {options.models} is not a directory; give the path of model_repository/.")
    if not (options.models / "denoiser" / "1" / "model.py").is_file():
        raise InvalidRepository(f"--models {options.models} has no denoiser; give the path of model_repository/.")
    if not output.exists() and (there := in_the_way(output)):
        raise InvalidRepository(f"--output {output}: {there} cannot be written to; choose another folder.")
    source = Bundle.open(bundle)
    compiler = compiler_for(options, console)
    report = Report(console)
    with report.busy("loading torch"):
        from framecast.export.exporter import export_bundle, is_current
        from framecast.export.precision import precision_for

        precision_for(options.precision, options.engine)
        current = not force and is_current(source, output, options, compiler)
    if current:
        report.line(f"{output} is up to date")
        return Manifest.load(output)
    manifest = export_bundle(source, output, options, report, compiler)
    report.line(f"wrote {output}: {len(manifest.files)} files")
    return manifest
