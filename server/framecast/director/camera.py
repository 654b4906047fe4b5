"""Where a scene's camera looks, frame by frame.

A bundle whose weights know the words of a camera gets them in the prompt. All others film with a camera that stands
still, and what is sent is a view that moves over the picture; so a pan is a pan with any weights, and both ways of a
movement are what they are called.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from framecast.planner.storyboard import Scene
from framecast.stages.types import Floats

BY_PROMPT, BY_VIEW = "prompt", "view"
WAYS = (BY_VIEW, BY_PROMPT)

_PANNING = 0.8  # of each side is seen by a camera that pans
_CLOSEST = 0.7  # and at the near end of a zoom
_WHOLE_WAY = 2.0  # seconds that a movement takes from end to end at its fastest; a shorter scene sees less of it


def prompt_for(scene: Scene, way: str) -> str:
    """What is encoded of a scene: the camera's words only for weights that know them, and where it moves."""
    return f"{scene.prompt}, {scene.camera}" if way == BY_PROMPT and scene.camera != "static" else scene.prompt


@dataclass(frozen=True)
class CameraPath:
    """The way of a camera through one scene: at constant speed, from its first frame to its last.

    Attributes:
        camera: one of `framecast.planner.storyboard.CAMERAS`.
        frames: of the scene.
        fps: frames a second.
    """

    camera: str
    frames: int
    fps: int

    def views(self, first: int, count: int) -> Floats:
        """What is seen of frames `first` to `first + count`, counted from the scene's first.

        Returns:
            float32 [count, 4]: left, top, right, bottom in shares of the picture's sides.
        """
        share = min(1.0, self.frames / self.fps / _WHOLE_WAY)
        way = np.arange(first, first + count) / max(1, self.frames - 1) * share  # 0 to `share`
        if self.camera.startswith("pan"):
            way = way + (1 - share) / 2  # the middle of the whole way
            middle = _PANNING / 2 + (1 - _PANNING) * (way if self.camera == "pan right" else 1 - way)
            return _boxes(middle, np.full(count, _PANNING))
        nearer = {"zoom in": way, "zoom out": share - way}.get(self.camera, np.zeros(count))
        # The same factor from each frame to the next: that is what an eye takes for an even speed.
        return _boxes(np.full(count, 0.5), _CLOSEST**nearer)


def _boxes(middle: NDArray[np.float64], side: NDArray[np.float64]) -> Floats:
    """Views around (`middle`, 1/2)."""
    edges = [middle - side / 2, 0.5 - side / 2, middle + side / 2, 0.5 + side / 2]
    found: Floats = np.clip(np.stack(edges, axis=1), 0, 1).astype(np.float32)
    return found
