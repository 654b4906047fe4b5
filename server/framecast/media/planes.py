"""Pictures as the encoders want them: three planes of YUV 4:2:0."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from framecast.media.errors import InvalidPlanes

Bytes = NDArray[np.uint8]

SMALLEST_SIDE = 16  # pixels; one macroblock


@dataclass(frozen=True, eq=False)
class Planes:
    """Consecutive pictures in YUV 4:2:0, ITU-R BT.709, limited range (luma 16..235, chroma 16..240).

    Attributes:
        y: luma, uint8 [F, H, W]; H and W even, at least 16.
        u: blue-difference chroma, uint8 [F, H/2, W/2].
        v: red-difference chroma, uint8 [F, H/2, W/2].

    Raises:
        InvalidPlanes: the arrays do not fit this description, or hold no frame.
    """

    y: Bytes
    u: Bytes
    v: Bytes

    def __post_init__(self) -> None:
        for name, plane in (("y", self.y), ("u", self.u), ("v", self.v)):
            if not isinstance(plane, np.ndarray) or plane.dtype != np.uint8 or plane.ndim != 3:
                raise InvalidPlanes(f"Plane {name} must be uint8 [frames, height, width], not {_describe(plane)}.")
        frames, height, width = self.y.shape
        if frames == 0:
            raise InvalidPlanes("The planes hold no frame.")
        for name, side in (("height", height), ("width", width)):
            if side % 2 or side < SMALLEST_SIDE:
                raise InvalidPlanes(f"The {name} must be even and at least {SMALLEST_SIDE} pixels, not {side}.")
        chroma = (frames, height // 2, width // 2)
        for name, plane in (("u", self.u), ("v", self.v)):
            if plane.shape != chroma:
                raise InvalidPlanes(
                    f"Plane {name} must be {list(chroma)} beside a luma of {list(self.y.shape)}, "
                    f"not {list(plane.shape)}."
                )

    @property
    def height(self) -> int:
        """Pixels."""
        return self.y.shape[1]

    @property
    def width(self) -> int:
        """Pixels."""
        return self.y.shape[2]

    def __len__(self) -> int:
        """Frames."""
        return self.y.shape[0]

    def __getitem__(self, frames: slice) -> "Planes":
        """The frames of a slice, as views: ``planes[:n]``. Raises InvalidPlanes when that leaves none."""
        if not isinstance(frames, slice):
            raise TypeError(f"Planes are cut with a slice, not with {type(frames).__name__}.")
        return Planes(self.y[frames], self.u[frames], self.v[frames])

    def packed(self, frame: int) -> Bytes:
        """One frame in the planar layout FFmpeg calls yuv420p: uint8 [H * 3/2, W], Y then U then V."""
        y, u, v = self.y[frame], self.u[frame], self.v[frame]
        samples: Bytes = np.concatenate([y.ravel(), u.ravel(), v.ravel()])
        return samples.reshape(self.height * 3 // 2, self.width)


def _describe(plane: object) -> str:
    if isinstance(plane, np.ndarray):
        return f"{plane.dtype} {list(plane.shape)}"
    return type(plane).__name__
