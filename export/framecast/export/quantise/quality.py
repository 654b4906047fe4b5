"""What eight bits cost: PSNR of the pictures against those of the single-precision modules."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from framecast.engines.engine import Array, Engine, TensorInfo
from framecast.export.denoising import Denoising
from framecast.export.parity import ParityError

MOST = 99.0  # dB of equal pictures
LEAST = 15.0  # dB; below it the pictures are others


@dataclass(frozen=True)
class ModuleEngine:
    """A torch module as an engine.

    Attributes:
        module: takes and gives tensors.
        inputs, outputs: as the exported graph has them.
    """

    module: nn.Module
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]

    def run(self, inputs: Mapping[str, Array], outputs: tuple[str, ...] | None = None) -> dict[str, Array]:
        """See `Engine.run`."""
        with torch.no_grad():
            values = self.module(**{name: torch.from_numpy(value.copy()) for name, value in inputs.items()})
        names = [info.name for info in self.outputs]
        return {name: value.numpy() for name, value in zip(names, values, strict=True) if name in (outputs or names)}


def psnr(pictures: NDArray[np.float32], expected: NDArray[np.float32]) -> float:
    """Peak signal-to-noise ratio in dB of values in 0 … 1; at most `MOST`. Raises ParityError where one is NaN."""
    error = float(np.mean((pictures.astype(np.float64) - expected) ** 2))
    if not math.isfinite(error):
        raise ParityError("The graphs decode a film to NaN or infinity.")
    return MOST if error == 0 else min(MOST, -10 * float(np.log10(error)))


@dataclass(frozen=True)
class Quality:
    """PSNR in dB: with the UNet alone quantised, the VAE alone, and both."""

    unet: float
    vae_decoder: float
    both: float


def measure(
    denoising: Denoising,
    prompts: Sequence[str],
    exact: tuple[Engine, Engine],
    quantised: tuple[Engine, Engine],
    chunk: int,
) -> Quality:
    """Denoises and decodes `prompts` with exact and with quantised (UNet, VAE).

    Raises:
        ParityError: both together are below `LEAST`.
    """
    pictures: dict[str, list[NDArray[np.float32]]] = {key: [] for key in ("exact", "unet", "vae_decoder", "both")}
    for number, prompt in enumerate(prompts):
        seed = 1000 + number  # none that calibration has seen
        latents, rough = (denoising.latents(unet, prompt, seed) for unet in (exact[0], quantised[0]))
        pictures["exact"].append(_decoded(exact[1], latents, chunk))
        pictures["unet"].append(_decoded(exact[1], rough, chunk))
        pictures["vae_decoder"].append(_decoded(quantised[1], latents, chunk))
        pictures["both"].append(_decoded(quantised[1], rough, chunk))
    whole = {key: np.concatenate(clips) for key, clips in pictures.items()}
    found = Quality(*(round(psnr(whole[key], whole["exact"]), 2) for key in ("unet", "vae_decoder", "both")))
    if found.both < LEAST:
        raise ParityError(
            f"Quantised pictures are {found.both:.1f} dB from the exact ones (UNet {found.unet:.1f}, VAE "
            f"{found.vae_decoder:.1f}; at least {LEAST:.0f} is wanted); choose another --precision."
        )
    return found


def _decoded(vae: Engine, latents: NDArray[np.float32], chunk: int) -> NDArray[np.float32]:
    """RGB [F, 3, H, W] in 0 … 1, decoded as many latents at a time as when served."""
    parts = [vae.run({"latents": latents[i : i + chunk]}, ("rgb",))["rgb"] for i in range(0, len(latents), chunk)]
    return np.concatenate(parts).astype(np.float32)
