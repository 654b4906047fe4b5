"""Scores of generated clips that need no judge's opinion: flicker, seams, and a Fréchet distance of features."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Frames = npt.NDArray[np.uint8]
Features = npt.NDArray[np.float64]


def flicker(frames: Frames) -> float:
    """Mean absolute second difference over time of uint8 [T, H, W, 3], in grey levels.

    Steady motion has little, what comes and goes from frame to frame has much; compare with drawn clips of the same
    scenes.

    Raises:
        ValueError: fewer than three frames.
    """
    if len(frames) < 3:
        raise ValueError(f"flicker needs three frames or more, got {len(frames)}")
    values = frames.astype(np.int16)
    return float(np.abs(values[2:] - 2 * values[1:-1] + values[:-2]).mean())


def seam(frames: Frames, at: int, *, around: int = 8) -> float:
    """How much larger the change into frame `at` is than the changes around it; 1 is no seam.

    Args:
        frames: uint8 [T, H, W, 3].
        at: first frame of the later segment.
        around: changes on each side that it is compared with.

    Raises:
        ValueError: `at` has no frames on both sides.
    """
    if not 1 < at < len(frames) - 1:
        raise ValueError(f"a seam at frame {at} needs frames on both sides, got {len(frames)} frames")
    begin, end = max(1, at - around), min(len(frames), at + around + 1)
    values = frames[begin - 1 : end].astype(np.int16)
    changes = np.abs(np.diff(values, axis=0)).mean(axis=(1, 2, 3))
    here = at - begin
    others = np.delete(changes, here)
    return float((changes[here] + 1e-3) / (others.mean() + 1e-3))


def frechet(drawn: Features, made: Features) -> float:
    """Fréchet distance of two sets of features [N, D] taken as normal distributions (Heusel et al. 2017,
    arXiv:1706.08500; on clips: Unterthiner et al. 2018, arXiv:1812.01717).

    Raises:
        ValueError: the sets have different widths or fewer than two rows.
    """
    if drawn.shape[1:] != made.shape[1:] or min(len(drawn), len(made)) < 2:
        raise ValueError(f"expected two sets [N, D] of two rows or more, got {drawn.shape} and {made.shape}")
    a, b = np.cov(drawn, rowvar=False), np.cov(made, rowvar=False)
    shift = np.square(drawn.mean(axis=0) - made.mean(axis=0)).sum()
    # tr √(AB) = Σ √ of the eigenvalues of AB, which are not negative.
    roots = np.sqrt(np.clip(np.linalg.eigvals(a @ b).real, 0, None)).sum()
    return float(max(0.0, shift + np.trace(a) + np.trace(b) - 2 * roots))
