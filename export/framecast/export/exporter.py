"""Bundle to served repository, part by part."""

import shutil
from collections.abc import Callable, Iterable
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

from framecast.denoiser.conditioning import TextEncoder
from framecast.denoiser.samplers import SamplerTable
from framecast.engines.engine import Engine
from framecast.engines.manifest import Graph, Manifest, sha256
from framecast.errors import FramecastError, InvalidRepository
from framecast.export.bundle import Bundle
from framecast.export.compilers import ONNXRUNTIME, Compiler
from framecast.export.denoising import Denoising
from framecast.export.exported import Exported
from framecast.export.families import family_of
from framecast.export.fits import check_context, check_size, check_vocabulary
from framecast.export.graph_cache import GraphCache
from framecast.export.graphs.causal_lm import export_causal_lm
from framecast.export.graphs.decode_yuv import export_decode_yuv
from framecast.export.graphs.denoise_step import export_denoise_step
from framecast.export.graphs.text_states import export_text_states
from framecast.export.models import chat_template, load_models
from framecast.export.native import native_sizes, write_native_models
from framecast.export.onnx_graph import weights_beside
from framecast.export.options import ExportOptions
from framecast.export.precision import FP32, QUANTISED, Precision, precision_for
from framecast.export.quantise.graphs import opset as opset_to_quantise
from framecast.export.quantise.graphs import quantise_graphs
from framecast.export.report import Report
from framecast.export.safety import CHECKER, SafetyChecker, load_safety_checker
from framecast.export.samplers import sampler_table
from framecast.export.settings import downscale, write_served, write_settings
from framecast.export.source import source_digest, versions
from framecast.export.tensorrt.compiler import TensorRtCompiler, serving_limits
from framecast.export.tensorrt.profiles import ServingLimits
from framecast.export.tokenizer_files import FILE as TOKENIZER
from framecast.export.tokenizer_files import check_grammar, check_prompts, tokenizer_json
from framecast.export.trajectory import check_trajectory
from framecast.export.workplace import workplace
from framecast.planner.planner import PlannerSettings, ScenePlanner


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
    output = output.resolve()  # a link to a repository goes on pointing to it
    _refuse_foreign(bundle, output)
    output.parent.mkdir(parents=True, exist_ok=True)
    with workplace(output) as folder:
        root = folder / output.name
        shutil.copytree(options.models, root, ignore=shutil.ignore_patterns("__pycache__"))
        manifest = _Exporter(bundle, root, options, report or Report(), compiler).run()
        if output.exists():
            output.rename(folder / "replaced")
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


def _refuse_foreign(bundle: Bundle, output: Path) -> None:
    if output.is_relative_to(bundle.path):
        raise InvalidRepository(f"{output} is inside the bundle; choose another --output.")
    new = not output.exists() or (output.is_dir() and not any(output.iterdir()))
    if not new and not Manifest.is_one(output):
        raise InvalidRepository(f"{output} exists and is not a served repository; choose another --output.")


class _Exporter:
    def __init__(
        self, bundle: Bundle, root: Path, options: ExportOptions, report: Report, compiler: Compiler | None
    ) -> None:
        self._bundle, self._root, self._options, self._report = bundle, root, options, report
        self._compiler = compiler
        self._precision = precision_for(options.precision, options.engine)
        self._cache = GraphCache(options.cache / "graphs", bundle) if options.cache else None
        self._exported: dict[str, Exported] = {}
        self._graphs: dict[str, Graph] = {}

    def run(self) -> Manifest:
        """Every part, then the manifest."""
        # 1. What could be refused is looked at before minutes are spent on a graph.
        with self._report.busy("loading the models"):
            pipeline, planner, planner_tokenizer = load_models(self._bundle)
            checker = load_safety_checker(self._bundle) if self._options.safety_checker else None
        family_of(pipeline.unet)
        table = sampler_table(pipeline.scheduler, range(1, self._options.max_steps + 1))
        if self._bundle.conventions.steps not in table.schedules:
            raise InvalidRepository(
                f"steps is {self._bundle.conventions.steps}; the scheduler has tables of {_listed(table.schedules)}."
            )
        template = chat_template(planner_tokenizer, self._bundle.conventions.planner_instructions)
        check_vocabulary(planner, planner_tokenizer, self._bundle.part("planner"))
        grammar_tokens = tokenizer_json(planner_tokenizer, self._bundle.part("planner"))
        check_grammar(
            grammar_tokens, planner, planner_tokenizer, self._bundle.part("planner"), self._bundle.conventions
        )
        check_prompts(pipeline.tokenizer, pipeline.text_encoder, self._bundle.part("tokenizer"))
        check_context(self._bundle.conventions, planner, planner_tokenizer, template)
        check_size(self._bundle.conventions, pipeline, self._options.max_side)

        # 2. The graphs, each checked against its module.
        self._planner(planner, planner_tokenizer, template)
        text = self._text_encoder(pipeline)
        unet = self._unet(pipeline, table)
        self._vae(pipeline)
        if checker is not None:
            self._safety_checker(checker)

        # 3. What serving reads beside them, and the check of the whole denoising.
        table.save(self._file("denoiser", "samplers.json"))
        identity = self._compiler.identity if self._compiler else {}
        digest = source_digest(self._bundle, self._options, identity)
        counts = tuple(table.schedules)
        write_served(
            self._root,
            self._bundle.name,
            digest,
            self._bundle.conventions,
            pipeline,
            self._options,
            counts,
            safety_checker=checker is not None,
        )
        checks = {"trajectory": self._trajectory(pipeline, text, unet.engine, table)} if unet.engine else {}

        # 4. Quantised graphs and compiled engines in the place of what was checked, and the manifest of it all.
        if self._options.precision in QUANTISED:
            checks["quantisation"] = self._quantise(pipeline, text, table)
        limits = self._limits(planner.config.max_position_embeddings)
        if self._options.native:
            self._native(limits)
        if self._compiler is not None:
            self._compile(self._compiler, limits)
        manifest = Manifest(
            source=digest,
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

    def _planner(self, model: Any, tokenizer: Any, template: tuple[str, str]) -> None:
        conventions = self._bundle.conventions
        self._graph("planner", "scene_planner", partial(export_causal_lm, model))
        self._tokenizer(tokenizer, "planner", "scene_planner")
        prefix, suffix = template
        write_settings(
            self._file("scene_planner"),
            {
                "prefix": prefix,
                "suffix": suffix,
                "eos_token": tokenizer.eos_token_id,
                "vocabulary": model.config.vocab_size,
                "context": model.config.max_position_embeddings,
                "max_new_tokens": conventions.planner_max_new_tokens,
                "max_scenes": conventions.planner_max_scenes,
                "subjects": conventions.planner_subjects,
                "prompts": conventions.planner_prompts,
            },
        )

    def _text_encoder(self, pipeline: Any) -> TextEncoder:
        exported = self._graph(
            "text_encoder",
            "text_encoder",
            partial(export_text_states, pipeline.text_encoder),
        )
        tokenizer = self._tokenizer(pipeline.tokenizer, "tokenizer", "text_encoder")
        settings = write_settings(
            self._file("text_encoder"),
            {"length": pipeline.tokenizer.model_max_length, "pad_token": pipeline.tokenizer.pad_token},
        )
        return TextEncoder(exported.engine, tokenizer, settings)  # type: ignore[arg-type]

    def _unet(self, pipeline: Any, table: SamplerTable) -> Exported:
        settings: dict[str, Any] = {"extended": table.extended, "rescale": self._bundle.conventions.guidance_rescale}
        export = partial(export_denoise_step, pipeline.unet, precision=self._precision, **settings)
        return self._graph("unet", "denoiser", export, self._precision, **settings)

    def _vae(self, pipeline: Any) -> Exported:
        conventions = self._bundle.conventions

        def export(path: Path, *, opset: int, written: bool) -> Exported:
            return export_decode_yuv(
                pipeline.vae,
                conventions.fold,
                path,
                opset=opset,
                hold=conventions.hold,
                precision=self._precision,
                written=written,
            )

        settings = {"fold": asdict(conventions.fold), "hold": conventions.hold}
        return self._graph("vae_decoder", "vae_decoder", export, self._precision, **settings)

    def _safety_checker(self, checker: SafetyChecker) -> None:
        """It sits where the planes are: beside the encoder."""
        self._graph(CHECKER, "frame_encoder", checker.export, unsafe=checker.unsafe, size=checker.size)
        checker.settings.save(self._file("frame_encoder", f"{CHECKER}.json"))

    def _trajectory(self, pipeline: Any, text: TextEncoder, unet: Engine, table: SamplerTable) -> dict[str, float]:
        conventions = self._bundle.conventions
        multiple = 2 ** (len(pipeline.unet.config.block_out_channels) - 1)
        side = multiple * max(1, 8 // multiple)
        shape = (min(4, conventions.segment_latents), int(pipeline.unet.config.in_channels), side, side)
        with self._report.busy("denoising beside diffusers"):
            check = check_trajectory(
                pipeline,
                unet,
                Denoising(text, table, conventions.steps, conventions.guidance_scale, shape),
                rescale=conventions.guidance_rescale,
                precision=self._precision,
            )
        self._report.line(
            f"trajectory     {conventions.steps} steps, max error {check['max_abs_error']:.1e} against diffusers"
        )
        return check

    def _quantise(self, pipeline: Any, text: TextEncoder, table: SamplerTable) -> dict[str, float]:
        """Puts eight-bit graphs in the place of UNet and VAE; what that costs."""
        conventions, options = self._bundle.conventions, self._options
        scale = downscale(conventions, pipeline.vae)
        size = (conventions.height // scale, conventions.width // scale)
        shape = (conventions.segment_latents, int(pipeline.unet.config.in_channels), *size)
        planner = ScenePlanner(
            self._exported["planner"].engine,  # type: ignore[arg-type]  # single precision, so there is one
            self._file("scene_planner", "tokenizer.json"),
            PlannerSettings.load(self._file("scene_planner", "settings.json")),
        )
        quality = quantise_graphs(
            self._exported,
            Denoising(text, table, conventions.steps, conventions.guidance_scale, shape),
            planner,
            engine=options.engine,
            precision=options.precision,
            chunk=conventions.chunk_latents,
            camera=conventions.camera,
            report=self._report,
        )
        for name, psnr in (("unet", quality.unet), ("vae_decoder", quality.vae_decoder)):
            graph = self._graphs[name]
            self._graphs[name] = replace(graph, precision=options.precision, parity={"psnr_db": psnr})
        return {"psnr_db": quality.both}

    def _graph(
        self, name: str, model: str, export: Callable[..., Exported], precision: Precision = FP32, **settings: object
    ) -> Exported:
        """The graph from the cache or from `export`, checked; `settings` are what else its file depends on."""
        path, opset = self._file(model, f"{name}.onnx"), self._opset(name)
        entry = self._cache and self._cache.entry(name, opset=opset, precision=precision.name, **settings)
        with self._report.busy(f"exporting {name}"):
            found = bool(self._cache and entry and self._cache.fetch(entry, path))
            try:
                exported = export(path, opset=opset, written=found)
            except FramecastError:
                raise
            except Exception as error:  # torch's exporter raises whatever it meets
                reason = " ".join(str(error).split())[:200] or type(error).__name__
                raise InvalidRepository(f"The {name} of {self._bundle.path} cannot be exported: {reason}") from error
            if self._cache and entry and not found:
                self._cache.keep(entry, path)
        self._exported[name] = exported
        self._graphs[name] = Graph(
            str(path.relative_to(self._root)), ONNXRUNTIME, precision.name, exported.opset, exported.parity
        )
        parity = ", ".join(f"{key.replace('_', ' ')} {value:.1e}" for key, value in exported.parity.items())
        size = sum(file.stat().st_size for file in (path, weights_beside(path)) if file.is_file())
        self._report.line(f"{name:<14} {size / 1e6:.1f} MB, {parity}{' (cached)' if found else ''}")
        return exported

    def _opset(self, name: str) -> int:
        quantised = opset_to_quantise(name, self._options.engine, self._options.precision)
        if quantised or self._compiler is None or name not in self._compiler.graphs:
            return quantised or self._options.opset
        return self._compiler.opset

    def _limits(self, context: int) -> ServingLimits:
        """What a compiled engine will be asked for, the planner's `context` included."""
        conventions = self._bundle.conventions
        return serving_limits(
            self._root,
            size=(conventions.height, conventions.width),
            chunk_latents=conventions.chunk_latents,
            context=context,
        )

    def _native(self, limits: ServingLimits) -> None:
        """Adds text encoder and VAE as models of Triton's own backend."""
        conventions, compiler = self._bundle.conventions, self._compiler
        size = (conventions.height, conventions.width)
        prompts = limits.prompts.max
        files = write_native_models(
            self._root,
            self._options.engine,
            {name: exported.path for name, exported in self._exported.items()},
            native_sizes(self._root, size=size, chunk_latents=conventions.chunk_latents, max_prompts=prompts),
            conventions.fold.frames * conventions.hold,
            partial(_plan, compiler, limits) if isinstance(compiler, TensorRtCompiler) else None,
        )
        self._report.line(f"native         {', '.join(str(file.relative_to(self._root)) for file in files)}")

    def _compile(self, compiler: Compiler, limits: ServingLimits) -> None:
        """Puts compiled engines in the place of the ONNX files that they are made from."""
        for name in compiler.graphs:
            exported = self._exported[name]
            compiled = compiler.compile(name, exported, limits)
            for file in (exported.path, weights_beside(exported.path)):
                file.unlink(missing_ok=True)
            self._graphs[name] = replace(
                self._graphs[name],
                file=str(compiled.path.relative_to(self._root)),
                engine=compiled.engine,
                build=compiled.build,
            )
            self._report.line(f"{name:<14} {compiled.path.stat().st_size / 1e6:.1f} MB for {compiled.engine}")

    def _file(self, model: str, name: str = "") -> Path:
        return self._root / model / "1" / name

    def _tokenizer(self, tokenizer: Any, part: str, model: str) -> Path:
        path = self._file(model, TOKENIZER)
        path.write_text(tokenizer_json(tokenizer, self._bundle.part(part)), encoding="utf-8")
        return path


def _listed(counts: Iterable[int]) -> str:
    found = sorted(counts)
    return f"{found[0]} to {found[-1]}" if len(found) == found[-1] - found[0] + 1 else ", ".join(map(str, found))


def _plan(compiler: TensorRtCompiler, limits: ServingLimits, name: str, onnx: Path) -> Path:
    return compiler.plan(name, onnx, limits).path
