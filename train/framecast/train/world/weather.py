"""What falls over the finished picture: rain and snow as a few big soft marks, a pure function of time."""

from __future__ import annotations

import math

from framecast.train.world.paint import Brush

VIEW = 256.0
COUNT = 16
_MARGIN = 24.0
_SLANT = 0.24
"""How far rain moves left for each unit down."""


def fall(brush: Brush, weather: str, seconds: float) -> None:
    """Draws the weather in view units (256x256) at a moment.

    Raises:
        KeyError: an unknown weather.
    """
    _FALLS[weather](brush, seconds)


def _clear(brush: Brush, seconds: float) -> None:
    """Nothing falls."""


def _rain(brush: Brush, seconds: float) -> None:
    for i in range(COUNT):
        x, y = _place(i, seconds * 330.0)
        x += _SLANT * (VIEW / 2 - y)
        with brush.moved(x, y, turn=math.degrees(math.atan(_SLANT))):
            brush.box(-1.75, -11, 3.5, 22, (214, 230, 250), radius=1.75, alpha=0.8)


def _snow(brush: Brush, seconds: float) -> None:
    for i in range(COUNT):
        x, y = _place(i, seconds * 36.0)
        x += 7.0 * math.sin(seconds * 1.4 + i * 2.4)
        brush.oval(x, y, 6.5, 6.5, (206, 220, 244), alpha=0.5)
        brush.oval(x, y, 4.5, 4.5, (255, 255, 255))


def _place(i: int, fallen: float) -> tuple[float, float]:
    """Mark i of COUNT: every column is its own, and rows are spread by a step that shares no factor with COUNT."""
    span = VIEW + 2 * _MARGIN
    x = (i + 0.5) / COUNT * (VIEW + _MARGIN) - _MARGIN / 2
    return x, ((i * 7 % COUNT) / COUNT * span + fallen) % span - _MARGIN


_FALLS = {"clear": _clear, "rain": _rain, "snow": _snow}
