"""Subjects that roll, drive, sail or float, drawn facing right with their base on y = 0: few, big and soft shapes."""

from __future__ import annotations

import math

from framecast.train.world.animals import LINE, pale, shade
from framecast.train.world.motion import Pose
from framecast.train.world.paint import RGB, Brush, lighter

GLASS: RGB = (196, 232, 248)
RUBBER: RGB = (66, 62, 74)
STEEL: RGB = (214, 216, 224)
LAMP: RGB = (255, 232, 130)
WOOD: RGB = (156, 108, 72)


def _wheel(brush: Brush, x: float, radius: float, roll: float) -> None:
    """A dark tyre with one big soft hub, square enough to be seen turning."""
    brush.oval(x, -radius, radius, radius, RUBBER)
    size = radius * 0.48
    with brush.moved(x, -radius, turn=roll):
        brush.box(-size, -size, 2 * size, 2 * size, STEEL, radius=size * 0.6)


def ball(brush: Brush, rgb: RGB, pose: Pose) -> None:
    """A beach ball: three pale wedges from one pole, turning as it rolls."""
    with brush.moved(0, -50, turn=pose.roll):
        brush.oval(0, 0, 48, 48, rgb)
        for start in (-110, 10, 130):
            arc = [math.radians(start + step * 5) for step in range(10)]
            rim = [(math.cos(angle) * 48, math.sin(angle) * 48) for angle in arc]
            brush.shape([(-8.0, -14.0), *rim], pale(rgb))
        brush.oval(-8, -14, 9, 9, rgb)
        brush.oval(0, 0, 48, 48, rgb, line=LINE, alpha=0.0)


def car(brush: Brush, rgb: RGB, pose: Pose) -> None:
    """A round little car with two windows, a lamp and two big wheels."""
    brush.blob([(-54, -44), (-46, -102), (-8, -100), (30, -102), (50, -44)], rgb, line=LINE)
    brush.box(-64, -58, 128, 42, rgb, radius=18, line=LINE)
    brush.box(-36, -80, 28, 26, GLASS, radius=7)
    brush.box(2, -80, 26, 26, GLASS, radius=7)
    brush.oval(54, -42, 8, 9, LAMP, line=LINE)
    for x in (-34, 34):
        _wheel(brush, x, 20, pose.roll)


def boat(brush: Brush, rgb: RGB, pose: Pose) -> None:
    """A sailing boat: two triangular sails over a wide hull."""
    with brush.moved(0, -4, turn=math.sin(pose.phase * math.tau) * 3):
        brush.box(-5, -110, 8, 84, WOOD)
        brush.shape([(4, -108), (54, -42), (4, -42)], rgb, line=LINE)
        brush.shape([(-7, -96), (-7, -42), (-46, -42)], lighter(rgb, 0.3), line=LINE)
        brush.blob([(-70, -34), (-40, -33), (40, -33), (70, -34), (46, 10), (-46, 10)], shade(rgb, 0.07), line=LINE)


def train(brush: Brush, rgb: RGB, pose: Pose) -> None:
    """A steam locomotive: cab, boiler, funnel, one big wheel and two small ones."""
    brush.shape([(44, -30), (66, -5), (40, -5)], shade(rgb, 0.3), line=LINE)
    brush.shape([(24, -68), (20, -102), (50, -102), (46, -68)], shade(rgb, 0.3), line=LINE)
    brush.box(16, -108, 38, 13, rgb, radius=5, line=LINE)
    brush.oval(0, -74, 12, 14, shade(rgb, 0.3), line=LINE)
    brush.box(-30, -76, 88, 52, rgb, radius=18, line=LINE)
    brush.box(-58, -100, 46, 78, rgb, radius=4, line=LINE)
    brush.box(-48, -86, 26, 26, GLASS, radius=6)
    brush.box(-65, -110, 60, 14, shade(rgb, 0.3), radius=6, line=LINE)
    for x, radius in ((-38.0, 19.0), (4.0, 15.0), (36.0, 15.0)):
        _wheel(brush, x, radius, pose.roll)


def rocket(brush: Brush, rgb: RGB, pose: Pose) -> None:
    """An upright rocket: pointed nose, two fins, a round window, a flame."""
    flicker = math.sin(pose.phase * math.tau * 2) * 4
    brush.blob([(-22, -32), (22, -32), (16, -12), (0, 12 + flicker), (-16, -12)], (255, 146, 40))
    brush.blob([(-11, -32), (11, -32), (8, -14), (0, 0 + flicker), (-8, -14)], (255, 226, 110))
    for side in (-1, 1):
        brush.shape([(side * 20, -66), (side * 52, -32), (side * 50, -8), (side * 16, -28)], shade(rgb), line=LINE)
    brush.blob(
        [(0, -120), (12, -106), (36, -84), (34, -36), (20, -22), (-20, -22), (-34, -36), (-36, -84), (-12, -106)],
        rgb,
        line=LINE,
    )
    brush.oval(0, -68, 17, 17, pale(rgb), line=LINE)
    brush.oval(0, -68, 11, 11, (120, 190, 232))


def balloon(brush: Brush, rgb: RGB, pose: Pose) -> None:
    """A hot-air balloon: a huge round envelope with one pale stripe, and a basket."""
    with brush.moved(0, -60, turn=math.sin(pose.phase * math.tau) * 3), brush.moved(0, 60):
        for side in (-1, 1):
            brush.curve([(side * 18, -40), (side * 15, -30), (side * 12, -16)], WOOD, 4)
        brush.box(-16, -20, 32, 20, WOOD, radius=6, line=LINE)
        brush.blob(
            [(-30, -118), (30, -118), (58, -92), (50, -58), (20, -28), (-20, -28), (-50, -58), (-58, -92)],
            rgb,
            line=LINE,
        )
        brush.blob([(-12, -120), (12, -120), (18, -74), (8, -30), (-8, -30), (-18, -74)], pale(rgb))
