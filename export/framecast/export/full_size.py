"""Exports one full-size architecture with random weights and says what that took.

``python -m framecast.export.full_size unet --precision fp16 --output DIR`` in a process of its own, so that the peak
memory is the part's. The sizes are those of Stable Diffusion 1.5 with the AnimateDiff v1.5.3 motion adapter, and of
Qwen3-0.6B; the configs are written out here because nothing is downloaded.
"""

import json
import resource
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from framecast.export.options import GRAPHS

CLIP_TEXT: dict[str, Any] = {
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
}
QWEN3: dict[str, Any] = {
    "vocab_size": 151936,
    "hidden_size": 1024,
    "intermediate_size": 3072,
    "num_hidden_layers": 28,
    "num_attention_heads": 16,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "max_position_embeddings": 40960,
    "tie_word_embeddings": True,
}
WIDTHS: dict[str, Any] = {
    "block_out_channels": (320, 640, 1280, 1280),
    "layers_per_block": 2,
    "cross_attention_dim": 768,
}
MOTION: dict[str, Any] = {"motion_num_attention_heads": 8, "motion_max_seq_length": 32, "use_motion_mid_block": False}
VAE: dict[str, Any] = {
    "block_out_channels": (128, 256, 512, 512),
    "layers_per_block": 2,
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "scaling_factor": 0.18215,
}


@dataclass(frozen=True)
class Took:
    """What one export took.

    Attributes:
        part: graph.
        precision: of the graph.
        checked: it was compared with its module, which is then in memory twice.
        parameters: of the module.
        make_seconds, export_seconds: to make the random weights; to trace, write and check.
        processor_seconds: of both, whatever else the machine was doing.
        peak_bytes: resident memory at its highest.
        files: name → bytes.
        parity: see `framecast.export.parity`.
    """

    part: str
    precision: str
    checked: bool
    parameters: int
    make_seconds: float
    export_seconds: float
    processor_seconds: float
    peak_bytes: int
    files: Mapping[str, int]
    parity: Mapping[str, float]


def model(part: str) -> Any:
    """The part's module with random weights, float32."""
    from diffusers import AutoencoderKL, UNetMotionModel
    from transformers import CLIPTextConfig, CLIPTextModel, Qwen3Config, Qwen3ForCausalLM

    unet, vae = cast("Callable[..., Any]", UNetMotionModel), cast("Callable[..., Any]", AutoencoderKL)  # untyped
    make: Mapping[str, Callable[[], Any]] = {
        "unet": lambda: unet(**WIDTHS, **MOTION, num_attention_heads=8),
        "vae_decoder": lambda: vae(**VAE),
        "text_encoder": lambda: CLIPTextModel(CLIPTextConfig(**CLIP_TEXT)),
        "planner": lambda: Qwen3ForCausalLM(Qwen3Config(**QWEN3)),
    }
    return make[part]().eval().requires_grad_(False)


def export(part: str, module: Any, path: Path, precision: str, check: bool, opset: int) -> Any:
    """`module` exported as the exporter does it; an `Exported`."""
    from framecast.export.bundle import Fold
    from framecast.export.graphs.causal_lm import export_causal_lm
    from framecast.export.graphs.decode_yuv import export_decode_yuv
    from framecast.export.graphs.denoise_step import export_denoise_step
    from framecast.export.graphs.text_states import export_text_states
    from framecast.export.precision import precision_named

    chosen = precision_named(precision)
    if not check:
        chosen = replace(chosen, on_cpu=False)
    if part == "planner":
        return export_causal_lm(module, path, opset=opset)
    if part == "text_encoder":
        return export_text_states(module, path, opset=opset)
    if part == "vae_decoder":
        return export_decode_yuv(module, Fold(), path, opset=opset, precision=chosen)
    return export_denoise_step(module, path, opset=opset, precision=chosen)


def run(
    part: Annotated[str, typer.Argument(help=f"Graph: {', '.join(GRAPHS)}.")],
    output: Annotated[Path, typer.Option(help="Folder for the ONNX file.")],
    precision: Annotated[str, typer.Option(help="Of UNet and VAE: fp32, fp16, bf16.")] = "fp16",
    opset: Annotated[int, typer.Option(help="Of the ONNX file.")] = 23,
    check: Annotated[bool, typer.Option(help="Compare UNet or VAE with its module.")] = True,
) -> None:
    """Prints one JSON object."""
    if part not in GRAPHS:
        raise typer.BadParameter(f"{part} is no graph; choose of {', '.join(GRAPHS)}")
    started = time.perf_counter()
    module = model(part)
    made = time.perf_counter()
    exported = export(part, module, output / f"{part}.onnx", precision, check, opset)
    took = Took(
        part=part,
        precision=precision if part in ("unet", "vae_decoder") else "fp32",
        checked=exported.engine is not None,
        parameters=sum(parameter.numel() for parameter in module.parameters()),
        make_seconds=round(made - started, 1),
        export_seconds=round(time.perf_counter() - made, 1),
        processor_seconds=round(time.process_time(), 1),
        peak_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        files={file.name: file.stat().st_size for file in sorted(output.glob(f"{part}.onnx*"))},
        parity=dict(exported.parity),
    )
    typer.echo(json.dumps(asdict(took)))


if __name__ == "__main__":
    typer.run(run)
