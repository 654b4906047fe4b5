"""Subjects that roll, drive or sail, drawn facing right with their base on y = 0."""

from __future__ import annotations

import math

from framecast.train.world.motion import Pose
from framecast.train.world.paint import RGB, Brush, darker, lighter

LINE = 2.5
GLASS: RGB = (190, 230, 248)
RUBBER: RGB = (58, 56, 66)


def ball(brush: Brush, rgb: RGB, pose: Pose) -> None:
    """A beach ball: coloured and white wedges that turn as it rolls."""
    with brush.moved(0, -42, turn=pose.roll):
        brush.oval(0, 0, 42, 42, rgb, line=LINE)
        pale: RGB = (255, 255, 255) if sum(rgb) < 690 else (200, 206, 220)
        for start in (0, 120, 240):
            points = [(0.0, 0.0)]
            for step in range(7):
                angle = math.radians(start + step * 9)
                points.append((math.cos(angle) * 40.6, math.sin(angle) * 40.6))
            brush.shape(points, pale)
        brush.oval(0, 0, 9, 9, darker(rgb, 0.15))
    brush.oval(-15, -60, 9, 6, (255, 255, 255), alpha=0.55)


def car(brush: Brush, rgb: RGB, pose: Pose) -> None:
    """A round little car with two windows, lamps and turning wheels."""
    brush.blob([(-44, -40), (-40, -86), (0, -94), (36, -84), (48, -40)], rgb, line=LINE)
    brush.blob([(-30, -48), (-28, -78), (-6, -80), (-6, -48)], GLASS)
    brush.blob([(2, -48), (2, -80), (24, -78), (34, -48)], GLASS)
    brush.box(-66, -54, 132, 36, rgb, radius=15, line=LINE)
    brush.box(-64, -30, 128, 7, darker(rgb, 0.22), radius=3)
    brush.oval(60, -42, 6, 7, (255, 238, 150), line=1.6)
    brush.box(-66, -46, 7, 11, (236, 80, 70), radius=3)
    brush.box(-4, -44, 13, 4, darker(rgb, 0.4), radius=2)
    for x in (-36, 36):
        with brush.moved(x, -17, turn=pose.roll):
            brush.oval(0, 0, 17, 17, RUBBER)
            brush.oval(0, 0, 8.5, 8.5, (222, 224, 230))
            brush.box(-8, -1.6, 16, 3.2, (140, 144, 156))
            brush.box(-1.6, -8, 3.2, 16, (140, 144, 156))


def boat(brush: Brush, rgb: RGB, pose: Pose) -> None:
    """A sailing boat that carries its own wave, so that it may go anywhere in the story."""
    rock = math.sin(pose.phase * math.tau) * 4
    with brush.moved(0, -14, turn=rock):
        brush.box(-4, -106, 6, 84, (132, 92, 62))
        brush.blob([(4, -104), (8, -104), (52, -40), (50, -34), (4, -34)], lighter(rgb, 0.12), line=LINE)
        brush.blob([(-6, -92), (-10, -90), (-42, -40), (-40, -34), (-6, -34)], rgb, line=LINE)
        brush.shape([(-2, -118), (-2, -104), (18, -111)], (236, 80, 70))
        brush.blob([(-70, -28), (-40, -27), (40, -27), (70, -28), (48, 8), (-48, 8)], darker(rgb, 0.25), line=LINE)
        brush.box(-52, -21, 104, 6, lighter(rgb, 0.7), radius=3)
    for i, x in enumerate((-58, -20, 20, 58)):
        drop = math.sin(pose.phase * math.tau + i * 1.6) * 3
        brush.oval(x, -4 + drop, 25, 9, (110, 186, 236))
    for i, x in enumerate((-40, 2, 42)):
        drop = math.sin(pose.phase * math.tau + i * 1.9) * 3
        brush.curve([(x - 12, -4 + drop), (x, -12 + drop), (x + 12, -4 + drop)], (226, 244, 252), 3)
