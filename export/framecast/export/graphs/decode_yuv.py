"""A VAE decoder whose graph ends in the planes a video encoder takes."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim
from torch.nn import functional as F

from framecast.engines.engine import Engine
from framecast.export.bundle import Fold
from framecast.export.exported import Exported, checked
from framecast.export.onnx_graph import export_onnx
from framecast.export.parity import compare, gaussian
from framecast.export.precision import FP32, Precision, lowered
from framecast.export.torch_graph import TorchGraph

# ITU-R BT.709-6, 8 bit, limited range: luma weights, and the rows Y, Cb, Cr of the matrix for R, G, B in 0 … 1.
_KR, _KB = 0.2126, 0.0722
_KG = 1 - _KR - _KB
_MATRIX = (
    (219 * _KR, 219 * _KG, 219 * _KB),
    (-112 * _KR / (1 - _KB), -112 * _KG / (1 - _KB), 112.0),
    (112.0, -112 * _KG / (1 - _KR), -112 * _KB / (1 - _KR)),
)
_OFFSET = (16.0, 128.0, 128.0)


class DecodeYuv(nn.Module):
    """Latents to frames: decode, unfold, denormalise, clamp, RGB → YUV 4:2:0 (BT.709, limited range).

    Args:
        vae: a `diffusers.AutoencoderKL`.
        fold: of the bundle.
        hold: frames that each decoded frame is shown for.
        precision: of the decoder; colours are computed in single.
    """

    matrix: Tensor
    offset: Tensor

    def __init__(self, vae: Any, fold: Fold, hold: int = 1, precision: Precision = FP32) -> None:
        super().__init__()
        self.hold = hold
        self.vae = lowered(vae, precision)
        self.dtype = precision.dtype
        self.fold = fold
        self.scale = float(vae.config.scaling_factor)
        self.register_buffer("matrix", torch.tensor(_MATRIX).reshape(3, 3, 1, 1))
        self.register_buffer("offset", torch.tensor(_OFFSET).reshape(1, 3, 1, 1))

    def forward(self, latents: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Planes and RGB of F = N · fold.frames · hold frames.

        Args:
            latents: float [N, C, h, w].

        Returns:
            y uint8 [F, H, W]; u, v uint8 [F, H/2, W/2], chroma averaged over 2 × 2 pixels; rgb float [F, 3, H, W]
            in 0 … 1.
        """
        decoded = self.vae.decode((latents / self.scale).to(self.dtype), return_dict=False)[0]
        decoded = decoded.to(latents.dtype)
        rgb = (self._unfold(decoded) / 2 + 0.5).clamp(0, 1)
        yuv = F.conv2d(rgb, self.matrix) + self.offset
        luma, chroma = yuv[:, :1], F.avg_pool2d(yuv[:, 1:], 2)
        return (
            self._held(luma.round().to(torch.uint8).squeeze(1)),
            self._held(chroma[:, 0].round().to(torch.uint8)),
            self._held(chroma[:, 1].round().to(torch.uint8)),
            self._held(rgb),
        )

    def _held(self, frames: Tensor) -> Tensor:
        """[N, ...] → [N · hold, ...]."""
        return frames if self.hold == 1 else frames.repeat_interleave(self.hold, dim=0)

    def _unfold(self, decoded: Tensor) -> Tensor:
        """[N, frames · 3 · rows · columns, H / rows, W / columns] → [N · frames, 3, H, W]."""
        fold = self.fold
        n, _, h, w = decoded.shape
        frames = decoded.reshape(n * fold.frames, 3 * fold.rows * fold.columns, h, w)
        if fold.rows == fold.columns:  # ONNX has an operator for squares, a third of the general transposition's time
            return F.pixel_shuffle(frames, fold.rows) if fold.rows > 1 else frames
        blocks = frames.reshape(n * fold.frames, 3, fold.rows, fold.columns, h, w)
        return blocks.permute(0, 1, 4, 2, 5, 3).reshape(n * fold.frames, 3, h * fold.rows, w * fold.columns)


def export_decode_yuv(
    vae: Any,
    fold: Fold,
    path: Path,
    *,
    opset: int,
    hold: int = 1,
    precision: Precision = FP32,
    written: bool = False,
) -> Exported:
    """Exports the decoder of `vae`, batch, height and width dynamic, and checks it.

    A file that is `written` is only checked.

    Raises:
        ParityError: it differs from torch.
    """
    decoder = DecodeYuv(vae, fold, hold, precision).eval()
    outputs = ["y", "u", "v", "rgb"]
    channels = int(vae.config.latent_channels)
    sample = {"latents": gaussian(1, 2, channels, 4, 6)}
    graph = TorchGraph(
        decoder,
        {name: torch.from_numpy(value) for name, value in sample.items()},
        {"latents": {0: Dim("batch", max=1024), 2: Dim("height", max=512), 3: Dim("width", max=512)}},
        outputs,
    )
    if not written:
        export_onnx(graph, path, opset=opset)
    exact = DecodeYuv(vae, fold, hold).eval()
    cases = [sample, {"latents": gaussian(2, 1, channels, 8, 8)}, {"latents": gaussian(3, 3, channels, 5, 3)}]

    def check(engine: Engine) -> Mapping[str, float]:
        named = tuple(name for name in outputs if name in {info.name for info in engine.outputs})
        return compare("vae_decoder", engine, lambda **i: _some(exact(**i), outputs, named), cases, named, precision)

    return checked(path, opset, graph, exact, check, on_cpu=precision.on_cpu)


def _some(tensors: Sequence[Tensor], names: Sequence[str], wanted: Sequence[str]) -> list[Tensor]:
    """Those of `tensors`, which are called `names`, that an engine has: plans leave the RGB output out."""
    return [tensor for name, tensor in zip(names, tensors, strict=True) if name in wanted]
