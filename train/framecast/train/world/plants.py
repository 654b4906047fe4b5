"""Plants with friendly faces, drawn with their foot on y = 0, about 110 units tall."""

from __future__ import annotations

import math

from framecast.train.world.animals import LINE, eye, smile
from framecast.train.world.motion import Pose
from framecast.train.world.paint import INK, RGB, Brush, darker

STEM: RGB = (74, 158, 82)
CREAM: RGB = (255, 240, 190)
BARK: RGB = (142, 98, 70)


def _bumps(brush: Brush, circles: list[tuple[float, float, float]], rgb: RGB) -> None:
    """Circles that melt into one outlined shape."""
    for x, y, radius in circles:
        brush.oval(x, y, radius + LINE / 2, radius + LINE / 2, darker(rgb, 0.45))
    for x, y, radius in circles:
        brush.oval(x, y, radius - LINE / 2, radius - LINE / 2, rgb)


def flower(brush: Brush, rgb: RGB, pose: Pose) -> None:
    """One big flower: six petals, a smiling middle, a stem with two leaves."""
    sway = math.sin(pose.phase * math.tau) * 4
    brush.curve([(0, -4), (0, -20), (sway * 0.5, -46)], STEM, 9)
    for side in (-1, 1):
        brush.blob([(0, 2), (side * 16, -18), (side * 58, -28), (side * 44, 4)], STEM, line=LINE)
    with brush.moved(0, -10, turn=sway), brush.moved(0, -58):
        turns = [math.radians(30 + 60 * i) for i in range(6)]
        for angle in turns:
            brush.oval(math.cos(angle) * 29, math.sin(angle) * 29, 20, 20, rgb, line=LINE)
        brush.oval(0, 0, 22, 22, CREAM, line=LINE)
        for side in (-1, 1):
            brush.oval(side * 8, -4, 4, 5, INK)
        smile(brush, 0, 6, 16, CREAM)


def tree(brush: Brush, rgb: RGB, pose: Pose) -> None:
    """A stout trunk under a round, smiling crown."""
    sway = math.sin(pose.phase * math.tau) * 3
    brush.blob([(-14, -60), (14, -60), (14, -16), (26, 2), (-26, 2), (-14, -16)], BARK, line=LINE)
    with brush.moved(0, -30, turn=sway), brush.moved(0, 30):
        _bumps(brush, [(0, -82, 33), (-32, -66, 28), (32, -66, 28), (0, -58, 30)], rgb)
        for side in (-1, 1):
            eye(brush, side * 17, -74)
        smile(brush, 0, -58, 20, rgb)
