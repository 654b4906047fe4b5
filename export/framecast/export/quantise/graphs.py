"""UNet and VAE of an export in eight bits, in the place of the graphs that were checked."""

from collections.abc import Mapping

from framecast.engines.engine import Engine
from framecast.engines.load import load_engine
from framecast.export.compilers import ONNXRUNTIME
from framecast.export.denoising import Denoising
from framecast.export.exported import Exported
from framecast.export.quantise import cpu, qdq
from framecast.export.quantise.calibration import prompts_of, record
from framecast.export.quantise.form import FORMS
from framecast.export.quantise.quality import ModuleEngine, Quality, measure
from framecast.export.quantise.stories import CALIBRATION, HELD_OUT
from framecast.export.report import Report
from framecast.planner.planner import ScenePlanner

GRAPHS = ("unet", "vae_decoder")


def opset(name: str, engine: str, precision: str) -> int | None:
    """The opset that a graph must have to be quantised; None where any will do."""
    if precision not in FORMS or name not in GRAPHS:
        return None
    if engine != ONNXRUNTIME:
        return qdq.OPSET
    return cpu.STATIC_OPSET if name == "vae_decoder" else None


def quantise_graphs(
    exported: Mapping[str, Exported],
    denoising: Denoising,
    planner: ScenePlanner,
    *,
    engine: str,
    precision: str,
    chunk: int,
    camera: str,
    report: Report,
) -> Quality:
    """Rewrites the files of UNet and VAE.

    Args:
        exported: both, with engines.
        denoising: of segments as they are served.
        planner: writes the prompts.
        engine, precision: as in `ExportOptions`.
        chunk: latents decoded together.
        camera: how the bundle hears it.
        report: is told what is quantised, and what it cost.

    Raises:
        InvalidRepository: a graph has nothing to quantise.
        ParityError: the pictures are others.
    """
    unet, vae = (exported[name] for name in GRAPHS)
    exact = _exact(unet), _exact(vae)
    with report.busy("planning what to calibrate on") as told:
        # 1. Prompts, trajectories and finished latents.
        prompts, held_out = (prompts_of(planner, stories, camera) for stories in (CALIBRATION, HELD_OUT))
        samples = record(denoising, _engine(unet), prompts, chunk, told)

        # 2. The graphs, rewritten where they are.
        told("quantising")
        if engine == ONNXRUNTIME:
            layers = cpu.quantise_dynamic(unet.path), cpu.quantise_static(vae.path, samples.latents)
        else:
            form = FORMS[precision]
            layers = qdq.quantise(unet.path, form, samples.steps), qdq.quantise(vae.path, form, samples.latents)

        # 3. What it cost, on prompts that calibration has not seen.
        told("comparing pictures")
        quantised = load_engine(ONNXRUNTIME, unet.path), load_engine(ONNXRUNTIME, vae.path)
        quality = measure(denoising, held_out, exact, quantised, chunk)
    report.line(
        f"{precision:<14} {layers[0]} layers of the UNet, {layers[1]} of the VAE; PSNR of the pictures against fp32: "
        f"UNet {quality.unet:.1f} dB, VAE {quality.vae_decoder:.1f} dB, both {quality.both:.1f} dB"
    )
    return quality


def _exact(part: Exported) -> ModuleEngine:
    """The module in single precision, called like the graph."""
    engine = _engine(part)
    return ModuleEngine(part.exact, engine.inputs, engine.outputs)


def _engine(part: Exported) -> Engine:
    """Of the graph that is quantised. Raises ValueError where this machine cannot compute it."""
    if part.engine is None:
        raise ValueError(f"{part.path.name} cannot be computed here, and so not be calibrated")
    return part.engine
