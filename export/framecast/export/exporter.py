"""Bundle to served repository, part by part."""

import importlib.metadata
import json
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from framecast.denoiser.conditioning import TextEncoder
from framecast.denoiser.samplers import SamplerTable
from framecast.director.model import ServedModel
from framecast.engines.manifest import FILE, Graph, Manifest, sha256
from framecast.errors import InvalidRepository
from framecast.export.bundle import Bundle
from framecast.export.compilers import ONNXRUNTIME, Compiler
from framecast.export.exported import Exported
from framecast.export.graphs.causal_lm import export_causal_lm
from framecast.export.graphs.decode_yuv import export_decode_yuv
from framecast.export.graphs.denoise_step import export_denoise_step
from framecast.export.graphs.text_states import export_text_states
from framecast.export.models import chat_template, load_models
from framecast.export.options import ExportOptions
from framecast.export.precision import FP32, Precision, precision_named
from framecast.export.report import Report
from framecast.export.samplers import sampler_table
from framecast.export.source import source_digest, versions
from framecast.export.tensorrt.compiler import serving_limits
from framecast.export.trajectory import check_trajectory
from framecast.stages.contracts import with_served_model, write_configs


def export_bundle(
    bundle: Bundle,
    output: Path,
    options: ExportOptions,
    report: Report | None = None,
    compiler: Compiler | None = None,
) -> Manifest:
    """Writes the served repository `output`, whole or not at all.

    Args:
        bundle: what to export.
        output: directory; replaced when it is an older export, refused when it is anything else.
        options: see `ExportOptions`.
        report: is told of every part.
        compiler: of `framecast.export.compilers.compiler_for`; None leaves every graph to ONNX Runtime.

    Raises:
        InvalidRepository: the bundle cannot be exported, or `output` is in use by something else.
        ParityError: a graph does not compute what its module does.
        FramecastError: a graph cannot be compiled.
    """
    _refuse_foreign(output)
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{output.name}-", dir=output.parent) as folder:
        root = Path(folder) / output.name
        shutil.copytree(options.models, root, ignore=shutil.ignore_patterns("__pycache__"))
        manifest = _Exporter(bundle, root, options, report or Report(), compiler).run()
        if output.exists():
            output.rename(Path(folder) / "replaced")
        root.rename(output)
    return manifest


def is_current(bundle: Bundle, output: Path, options: ExportOptions, compiler: Compiler | None = None) -> bool:
    """True when `output` already is what `export_bundle` would write, and nothing in it has changed."""
    try:
        manifest = Manifest.load(output)
        manifest.verify(output)
    except InvalidRepository:
        return False
    return manifest.source == source_digest(bundle, options, compiler.identity if compiler else {})


def _refuse_foreign(output: Path) -> None:
    if output.exists() and not (output / FILE).is_file() and (not output.is_dir() or any(output.iterdir())):
        raise InvalidRepository(f"{output} exists and is not a served repository; choose another --output.")


class _Exporter:
    def __init__(
        self, bundle: Bundle, root: Path, options: ExportOptions, report: Report, compiler: Compiler | None
    ) -> None:
        self._bundle, self._root, self._options, self._report = bundle, root, options, report
        self._compiler = compiler
        self._precision = precision_named(options.precision)
        self._exported: dict[str, Exported] = {}
        self._graphs: dict[str, Graph] = {}

    def run(self) -> Manifest:
        """Every part, then the manifest."""
        # 1. The graphs, each checked against its module.
        with self._report.busy("loading the models"):
            pipeline, planner, planner_tokenizer = load_models(self._bundle)
        self._planner(planner, planner_tokenizer)
        text = self._text_encoder(pipeline)
        table = sampler_table(pipeline.scheduler, range(1, self._options.max_steps + 1))
        unet = self._unet(pipeline, table)
        self._vae(pipeline)

        # 2. What serving reads beside them, and the check of the whole denoising.
        table.save(self._file("denoiser", "samplers.json"))
        self._settings(pipeline)
        checks = {"trajectory": self._trajectory(pipeline, text, unet.engine, table)} if unet.engine else {}

        # 3. Compiled engines in the place of ONNX files, and the manifest of it all.
        if self._compiler is not None:
            self._compile(self._compiler, planner.config.max_position_embeddings)
        identity = self._compiler.identity if self._compiler else {}
        manifest = Manifest(
            source=source_digest(self._bundle, self._options, identity),
            bundle=self._bundle.name,
            versions={**versions(), **identity},
            graphs=self._graphs,
            checks=checks,
            files={
                str(file.relative_to(self._root)): sha256(file)
                for file in sorted(self._root.rglob("*"))
                if file.is_file()
            },
        )
        manifest.save(self._root)
        return manifest

    def _planner(self, model: Any, tokenizer: Any) -> None:
        conventions = self._bundle.conventions
        self._graph("planner", "scene_planner", lambda path, opset: export_causal_lm(model, path, opset=opset))
        self._copy(self._bundle.part("planner") / "tokenizer.json", "scene_planner")
        prefix, suffix = chat_template(tokenizer, conventions.planner_instructions)
        self._write(
            "scene_planner",
            {
                "prefix": prefix,
                "suffix": suffix,
                "eos_token": tokenizer.eos_token_id,
                "vocabulary": model.config.vocab_size,
                "context": model.config.max_position_embeddings,
                "max_new_tokens": conventions.planner_max_new_tokens,
                "max_scenes": conventions.planner_max_scenes,
            },
        )

    def _text_encoder(self, pipeline: Any) -> TextEncoder:
        exported = self._graph(
            "text_encoder",
            "text_encoder",
            lambda path, opset: export_text_states(pipeline.text_encoder, path, opset=opset),
        )
        tokenizer = self._copy(self._bundle.part("tokenizer") / "tokenizer.json", "text_encoder")
        settings = self._write(
            "text_encoder",
            {"length": pipeline.tokenizer.model_max_length, "pad_token": pipeline.tokenizer.pad_token},
        )
        return TextEncoder(exported.engine, tokenizer, settings)  # type: ignore[arg-type]

    def _unet(self, pipeline: Any, table: SamplerTable) -> Exported:
        rescale = self._bundle.conventions.guidance_rescale
        return self._graph(
            "unet",
            "denoiser",
            lambda path, opset: export_denoise_step(
                pipeline.unet,
                path,
                opset=opset,
                extended=table.extended,
                rescale=rescale,
                precision=self._precision,
            ),
            self._precision,
        )

    def _vae(self, pipeline: Any) -> Exported:
        conventions = self._bundle.conventions
        return self._graph(
            "vae_decoder",
            "vae_decoder",
            lambda path, opset: export_decode_yuv(
                pipeline.vae,
                conventions.fold,
                path,
                opset=opset,
                hold=conventions.hold,
                precision=self._precision,
            ),
            self._precision,
        )

    def _settings(self, pipeline: Any) -> None:
        """The denoiser's limits, and the configs with the constants that gateways read from Triton."""
        conventions, config = self._bundle.conventions, pipeline.unet.config
        halvings = len(pipeline.vae.config.block_out_channels) - 1
        downscale = conventions.fold.rows * 2**halvings
        multiple = downscale * 2 ** (len(config.block_out_channels) - 1)
        self._write(
            "denoiser",
            {
                "channels": config.in_channels,
                "width": config.cross_attention_dim,
                "max_tokens": pipeline.tokenizer.model_max_length,
                "downscale": downscale,
                "size_multiple": multiple,
                "max_latents": conventions.segment_latents,
                "max_side": self._options.max_side,
            },
        )
        self._write(
            "vae_decoder",
            {
                "channels": config.in_channels,
                "max_latents": conventions.segment_latents,
                "max_side": self._options.max_side // downscale,
            },
        )
        write_configs(self._root)
        served = ServedModel(
            bundle=self._bundle.name,
            version=importlib.metadata.version("framecast"),
            latent_frames=conventions.fold.frames * conventions.hold,
            segment_latents=conventions.segment_latents,
            context_latents=conventions.context_latents,
            chunk_latents=conventions.chunk_latents,
            size_multiple=multiple,
            width=conventions.width,
            height=conventions.height,
            fps=conventions.fps,
            steps=conventions.steps,
            guidance_scale=conventions.guidance_scale,
            step_counts=tuple(range(1, self._options.max_steps + 1)),
            max_scenes=conventions.planner_max_scenes,
        )
        config_file = self._root / "denoiser" / "config.pbtxt"
        text = with_served_model(config_file.read_text(encoding="utf-8"), served.to_json())
        config_file.write_text(text, encoding="utf-8")

    def _trajectory(self, pipeline: Any, text: TextEncoder, unet: Any, table: Any) -> dict[str, float]:
        conventions = self._bundle.conventions
        multiple = 2 ** (len(pipeline.unet.config.block_out_channels) - 1)
        side = multiple * max(1, 8 // multiple)
        shape = (min(4, conventions.segment_latents), int(pipeline.unet.config.in_channels), side, side)
        with self._report.busy("denoising beside diffusers"):
            check = check_trajectory(
                pipeline,
                text,
                unet,
                table,
                steps=conventions.steps,
                guidance=conventions.guidance_scale,
                rescale=conventions.guidance_rescale,
                precision=self._precision,
                shape=shape,
            )
        self._report.line(
            f"trajectory    {conventions.steps} steps, max error {check['max_abs_error']:.1e} against diffusers"
        )
        return check

    def _graph(
        self, name: str, model: str, export: Callable[[Path, int], Exported], precision: Precision = FP32
    ) -> Exported:
        path, compiler = self._file(model, f"{name}.onnx"), self._compiler
        opset = compiler.opset if compiler is not None and name in compiler.graphs else self._options.opset
        with self._report.busy(f"exporting {name}"):
            exported = export(path, opset)
        self._exported[name] = exported
        self._graphs[name] = Graph(
            str(path.relative_to(self._root)), ONNXRUNTIME, precision.name, exported.opset, exported.parity
        )
        parity = ", ".join(f"{key.replace('_', ' ')} {value:.1e}" for key, value in exported.parity.items())
        self._report.line(f"{name:<13} {path.stat().st_size / 1e6:.1f} MB, {parity}")
        return exported

    def _compile(self, compiler: Compiler, context: int) -> None:
        """Puts compiled engines in the place of the ONNX files that they are made from."""
        conventions = self._bundle.conventions
        limits = serving_limits(
            self._root,
            size=(conventions.height, conventions.width),
            chunk_latents=conventions.chunk_latents,
            max_batch=self._options.max_batch,
            context=context,
        )
        for name in compiler.graphs:
            exported = self._exported[name]
            compiled = compiler.compile(name, exported, limits)
            exported.path.unlink()
            self._graphs[name] = replace(
                self._graphs[name],
                file=str(compiled.path.relative_to(self._root)),
                engine=compiled.engine,
                build=compiled.build,
            )
            self._report.line(f"{name:<13} {compiled.path.stat().st_size / 1e6:.1f} MB for {compiled.engine}")

    def _file(self, model: str, name: str) -> Path:
        return self._root / model / "1" / name

    def _copy(self, source: Path, model: str) -> Path:
        return Path(shutil.copy(source, self._file(model, source.name)))

    def _write(self, model: str, settings: Mapping[str, object]) -> Path:
        path = self._file(model, "settings.json")
        path.write_text(json.dumps(settings, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        return path
