"""Review of pictures: a model's own safety checker looks at what was drawn, twice a second."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from framecast.engines.engine import Engine
from framecast.errors import CorruptOutput, InvalidRepository
from framecast.media.colour import yuv420_to_rgb
from framecast.media.planes import Planes

LOOKS_PER_SECOND = 2
_TOGETHER = 8  # pictures in one run of the checker


@dataclass(frozen=True)
class CheckerSettings:
    """How a safety checker sees a picture, and what it may answer; written by `framecast export`.

    Attributes:
        height, width: of what it sees, pixels.
        shorter: the picture's shorter side is scaled to this many pixels, and `height` × `width` of its middle are
            seen; 0: all of the picture is squeezed into that size.
        resample: number of Pillow's filter.
        scale: of a byte, before mean and deviation.
        mean, deviation: of red, green and blue.
        level: a picture is unsafe whose score is this or more.
        every: frames from one that is looked at to the next: half a second at the model's own rate, whatever the
            container's is.
    """

    height: int
    width: int
    shorter: int
    resample: int
    scale: float
    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]
    level: float
    every: int = 1

    @classmethod
    def load(cls, path: Path) -> "CheckerSettings":
        """Reads the JSON file. Raises InvalidRepository when it is none."""
        try:
            fields = json.loads(path.read_text(encoding="utf-8"))
            return cls(**{**fields, "mean": tuple(fields["mean"]), "deviation": tuple(fields["deviation"])})
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise InvalidRepository(f"{path} is not a safety checker's settings: {error}; export again.") from error

    def save(self, path: Path) -> None:
        """Writes the JSON file."""
        path.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")

    def seen(self, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
        """What the checker sees of a picture, uint8 [H, W, 3]: float32 [3, height, width]."""
        image = Image.fromarray(picture)
        size = (self.width, self.height)
        if self.shorter:
            sides = np.array(image.size)
            size = tuple((self.shorter * sides // sides.min()).tolist())
        image = image.resize(size, self.resample)
        left, top = (image.width - self.width) // 2, (image.height - self.height) // 2
        image = image.crop((left, top, left + self.width, top + self.height))
        levels = np.asarray(image, np.float32) * np.float32(self.scale)
        normal = (levels - np.array(self.mean, np.float32)) / np.array(self.deviation, np.float32)
        return np.ascontiguousarray(normal.transpose(2, 0, 1))


@dataclass(frozen=True)
class Looked:
    """At how many pictures a checker looked, and how many of them are unsafe."""

    pictures: int = 0
    unsafe: int = 0


class PictureReviewer:
    """Looks at pictures.

    Args:
        engine: of the graph ``safety_checker``: pictures, float32 [N, 3, height, width], in; score, float32 [N], out.
        settings: of that checker.
    """

    def __init__(self, engine: Engine, settings: CheckerSettings) -> None:
        self._engine = engine
        self._settings = settings
        self._last: tuple[bytes, bool] = (b"", False)  # a picture and the verdict on it

    def look(self, planes: Planes) -> Looked:
        """The first frame, and from there on every half second. A picture that is held is judged once.

        Raises:
            CorruptOutput: the checker has no number for an answer; what it cannot judge is not passed.
        """
        every = self._settings.every
        chosen = Planes(planes.y[::every], planes.u[::every], planes.v[::every])
        frames = [chosen.packed(index).tobytes() for index in range(len(chosen))]
        verdicts = dict([self._last])
        new = [index for index, frame in enumerate(frames) if frame not in (*frames[:index], *verdicts)]
        for begin in range(0, len(new), _TOGETHER):
            which = new[begin : begin + _TOGETHER]
            pictures = yuv420_to_rgb(Planes(chosen.y[which], chosen.u[which], chosen.v[which]))  # [n, H, W, 3]
            seen = np.stack([self._settings.seen(picture) for picture in pictures])
            scores = self._engine.run({"pictures": seen})["score"].astype(np.float64)
            if not np.isfinite(scores).all():
                raise CorruptOutput("The safety checker answers with NaN or Inf.")
            verdicts |= {
                frames[index]: bool(score >= self._settings.level) for index, score in zip(which, scores, strict=True)
            }
        self._last = frames[-1], verdicts[frames[-1]]
        return Looked(len(chosen), sum(verdicts[frame] for frame in frames))
