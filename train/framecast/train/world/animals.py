"""Living subjects, drawn facing right with their feet on y = 0, about 110 units tall: few, big and soft shapes."""

from __future__ import annotations

import math
from collections.abc import Sequence

from framecast.train.world.motion import Pose
from framecast.train.world.paint import INK, RGB, Brush, Point, darker, lighter, mix

LINE = 3.5
PINK: RGB = (248, 150, 160)
ROSE: RGB = (226, 100, 120)
BEAK: RGB = (250, 168, 40)


def shade(rgb: RGB, share: float = 0.22) -> RGB:
    """A second tone of the body: darker; lighter on a black coat; warmer on yellow and orange, never olive."""
    red, green, blue = rgb
    if red + green + blue < 270:
        return lighter(rgb, share)
    if min(red, green) > blue + 60 and red > green:
        return mix(rgb, (206, 84, 20), share * 1.4)
    return darker(rgb, share)


def pale(rgb: RGB) -> RGB:
    """A light second tone; grey beside a white body."""
    return (204, 210, 224) if min(rgb) > 150 else (255, 255, 255)


def eye(brush: Brush, x: float, y: float, size: float = 7.0) -> None:
    """Dark eyes vanish on a black coat, so every eye has a white ring."""
    brush.oval(x, y, size + 2.8, size * 1.12 + 2.8, (250, 250, 252))
    brush.oval(x, y, size, size * 1.12, INK)


def smile(brush: Brush, x: float, y: float, width: float, rgb: RGB) -> None:
    """A mouth that shows on any coat."""
    ink = lighter(rgb, 0.75) if sum(rgb) < 270 else INK
    brush.curve([(x - width / 2, y), (x, y + width * 0.6), (x + width / 2, y)], ink, 4)


def _tube(brush: Brush, points: Sequence[Point], rgb: RGB, width: float) -> None:
    """A thick curve, outlined like the body: tails and legs."""
    brush.curve(points, darker(rgb, 0.45), width + LINE)
    brush.curve(points, rgb, width - LINE)


def _legs(brush: Brush, xs: Sequence[float], top: float, rgb: RGB, pose: Pose, width: float = 17) -> None:
    """Legs from `top` to the ground; neighbours swing against each other."""
    swing = math.sin(pose.phase * math.tau) * 24 * pose.stride
    length = -top - width / 2 - 1
    for i, x in enumerate(xs):
        angle = math.radians(-swing if i % 2 else swing)
        foot = (x + math.sin(angle) * length, top + math.cos(angle) * length)
        _tube(brush, [(x, top), ((x + foot[0]) / 2, (top + foot[1]) / 2), foot], rgb, width)


def kitten(brush: Brush, rgb: RGB, pose: Pose) -> None:
    """Big round head, pointed ears, a waving tail."""
    wave = math.sin(pose.phase * math.tau) * 5
    _tube(brush, [(-36, -30), (-60, -34), (-54 + wave * 0.4, -58), (-50 + wave, -78), (-40 + wave, -86)], rgb, 16)
    _legs(brush, (-30, 20), -26, rgb, pose)
    brush.oval(-8, -32, 38, 24, rgb, line=LINE)
    with brush.moved(20, -66, turn=math.sin(pose.phase * math.tau) * 3):
        for side in (-1, 1):
            brush.shape([(side * 38, -6), (side * 35, -48), (side * 5, -28)], rgb, line=LINE)
            brush.shape([(side * 30, -14), (side * 29, -36), (side * 13, -25)], PINK)
        brush.oval(0, 0, 43, 35, rgb, line=LINE)
        for side in (-1, 1):
            eye(brush, side * 18, -3)
        brush.shape([(-6, 9), (6, 9), (0, 16)], ROSE, line=LINE)
        smile(brush, 0, 19, 16, rgb)


def dog(brush: Brush, rgb: RGB, pose: Pose) -> None:
    """Long muzzle with a black nose, a hanging ear, a short wagging tail."""
    wag = math.sin(pose.phase * math.tau * 2) * 6
    _tube(brush, [(-40, -46), (-51, -54), (-52 + wag, -72)], rgb, 15)
    _legs(brush, (-36, 18), -32, rgb, pose, 19)
    brush.oval(-10, -42, 42, 25, rgb, line=LINE)
    with brush.moved(16, -78, turn=math.sin(pose.phase * math.tau) * 3):
        brush.oval(28, 11, 21, 16, lighter(rgb, 0.45), line=LINE)
        brush.oval(0, 0, 35, 32, rgb, line=LINE)
        brush.oval(27, 11, 18, 13, lighter(rgb, 0.45))
        brush.oval(39, 3, 8.5, 7.5, INK)
        eye(brush, 10, -9)
        brush.blob([(-28, -34), (-4, -32), (-6, 6), (-14, 40), (-42, 36), (-42, -10)], shade(rgb, 0.28), line=LINE)


def rabbit(brush: Brush, rgb: RGB, pose: Pose) -> None:
    """Tall ears, a cotton tail, a long hind foot."""
    beat = math.sin(pose.phase * math.tau)
    brush.oval(-49, -28, 13, 12, lighter(rgb, 0.75), line=LINE)
    _legs(brush, (20,), -24, rgb, pose, 16)
    brush.oval(-12, -32, 36, 29, rgb, line=LINE)
    with brush.moved(-18, -9, turn=-beat * 10 * pose.stride):
        brush.oval(0, 0, 24, 9.5, rgb, line=LINE)
    with brush.moved(18, -54):
        for x, turn in ((-13, -13 + beat * 4), (13, 11 + beat * 4)):
            with brush.moved(x, -18, turn=turn):
                brush.oval(0, -16, 12, 28, rgb, line=LINE)
                brush.oval(0, -16, 5.5, 19, PINK)
        brush.oval(0, 0, 34, 29, rgb, line=LINE)
        eye(brush, -11, -4)
        eye(brush, 17, -4)
        brush.oval(3, 9, 6, 4.5, ROSE)
        smile(brush, 3, 15, 13, rgb)


def bird(brush: Brush, rgb: RGB, pose: Pose) -> None:
    """One round ball of a bird: orange beak and feet, a flapping wing, a fanned tail."""
    flap = math.sin(pose.phase * math.tau * 2) * (30 if pose.airborne else 12)
    for x in (-6, 16):
        brush.curve([(x, -18), (x, -10), (x, -4), (x + 4, -4), (x + 9, -4)], BEAK, 7)
    brush.blob([(-24, -44), (-54, -78), (-67, -58), (-56, -40), (-24, -30)], shade(rgb), line=LINE)
    brush.blob([(-4, -84), (-12, -108), (-24, -116), (14, -112), (22, -84)], rgb, line=LINE)
    brush.shape([(40, -76), (65, -62), (40, -50)], BEAK, line=LINE)
    brush.oval(4, -56, 45, 42, rgb, line=LINE)
    eye(brush, 28, -68)
    with brush.moved(-2, -52, turn=flap):
        brush.blob([(12, -12), (16, 10), (-12, 26), (-44, 20), (-28, -8)], shade(rgb, 0.28), line=LINE)


def fish(brush: Brush, rgb: RGB, pose: Pose) -> None:
    """A big round fish with a beating tail, a back fin and a side fin."""
    beat = math.sin(pose.phase * math.tau * 1.5)
    with brush.moved(-26, -52, scale=(1 - abs(beat) * 0.2, 1)):
        brush.blob([(12, 0), (-8, -12), (-43, -50), (-26, 0), (-43, 50), (-8, 12)], shade(rgb), line=LINE)
    brush.blob([(-24, -80), (-18, -122), (20, -108), (36, -76)], shade(rgb), line=LINE)
    brush.oval(14, -52, 50, 41, rgb, line=LINE)
    with brush.moved(4, -42, turn=16 + beat * 14):
        brush.blob([(10, -10), (10, 12), (-26, 20), (-26, -4)], shade(rgb, 0.28), line=LINE)
    eye(brush, 40, -62, 7.5)
    smile(brush, 48, -42, 14, rgb)


def butterfly(brush: Brush, rgb: RGB, pose: Pose) -> None:
    """Four wide wings around a slim dark body with two feelers."""
    open_ = 0.86 + 0.14 * math.cos(pose.phase * math.tau * 2)
    for side in (-1, 1):
        brush.curve([(side * 4, -92), (side * 6, -108), (side * 17, -112)], INK, 4.5)
        with brush.moved(0, 0, scale=(side * open_, 1.0)):
            brush.blob([(0, -50), (28, -56), (56, -34), (42, 6), (8, -14)], rgb, line=LINE)
            brush.blob([(0, -78), (28, -116), (68, -117), (60, -58), (28, -38), (0, -44)], rgb, line=LINE)
            brush.oval(40, -83, 11, 12, mix(rgb, pale(rgb), 0.75))
    brush.oval(0, -46, 9, 36, INK)
    brush.oval(0, -84, 15, 15, INK)
    for side in (-1, 1):
        brush.oval(side * 6.5, -86, 5, 6, (250, 250, 252))
