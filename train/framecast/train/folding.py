"""Folds patches of four RGB frames × 16 × 16 pixels into the channels of one map, and back.

One latent of the VAE then stands for four frames, so a decoder of a picture's price draws a sixth of a second, and
all of its layers work on a 16 × 16 grid, where a processor multiplies matrices instead of moving memory. The
pixel rearrangement is space-to-depth (Shi et al. 2016, arXiv:1609.05158) with time treated as channels.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch
import torch.nn.functional as F


@dataclass(frozen=True)
class Fold:
    """How many frames, rows and columns become channels of one latent's map."""

    frames: int = 4
    rows: int = 16
    columns: int = 16

    @property
    def channels(self) -> int:
        """Channels of a folded map: 3072 by default."""
        return self.frames * 3 * self.rows * self.columns

    def as_dict(self) -> dict[str, int]:
        """The form `framecast.json` keeps."""
        return asdict(self)


FOLD = Fold()


def fold(video: torch.Tensor, how: Fold = FOLD) -> torch.Tensor:
    """Frames to maps.

    Args:
        video: [T, 3, H, W], any float dtype; T a multiple of `how.frames`, H and W of `how.rows`.
        how: the factors; rows and columns must be equal.

    Returns:
        [T / frames, frames·3·rows·columns, H / rows, W / columns]; channel ((frame·3 + rgb)·rows + row)·columns + col.

    Raises:
        ValueError: a size does not divide.
    """
    if how.rows != how.columns:
        raise ValueError(f"rows and columns must be equal, got {how.rows} and {how.columns}")
    count, colours, height, width = video.shape
    if colours != 3 or count % how.frames or height % how.rows or width % how.columns:
        raise ValueError(f"cannot fold {tuple(video.shape)} by {how}")
    return F.pixel_unshuffle(video.reshape(count // how.frames, how.frames * 3, height, width), how.rows)


def unfold(maps: torch.Tensor, how: Fold = FOLD) -> torch.Tensor:
    """Maps to frames: the inverse of `fold`, [N, frames·3·rows·columns, h, w] → [N·frames, 3, rows·h, columns·w]."""
    if maps.shape[1] != how.channels:
        raise ValueError(f"expected {how.channels} channels, got {maps.shape[1]}")
    wide = F.pixel_shuffle(maps, how.rows)
    return wide.reshape(-1, 3, *wide.shape[2:])


def to_floats(pixels: torch.Tensor) -> torch.Tensor:
    """uint8 [..., H, W, 3] to float32 [..., 3, H, W] in -1..1."""
    return pixels.movedim(-1, -3).float() / 127.5 - 1.0


def to_pixels(video: torch.Tensor) -> torch.Tensor:
    """Float [..., 3, H, W] in -1..1 (clamped) to uint8 [..., H, W, 3]."""
    return ((video.clamp(-1, 1) + 1.0) * 127.5).round().to(torch.uint8).movedim(-3, -1)
