"""Living subjects, drawn facing right with their feet on y = 0, about 110 units tall."""

from __future__ import annotations

import math

from framecast.train.world.motion import Pose
from framecast.train.world.paint import INK, RGB, Brush, darker, lighter, mix

LINE = 2.5
PINK: RGB = (248, 150, 160)
WHITE: RGB = (255, 255, 255)


def _eye(brush: Brush, x: float, y: float, size: float, rgb: RGB) -> None:
    """Dark eyes vanish on a black coat, so every eye has a light ring."""
    brush.oval(x, y, size + 1.8, size * 1.15 + 1.8, lighter(rgb, 0.75))
    brush.oval(x, y, size, size * 1.15, INK)
    brush.oval(x + size * 0.3, y - size * 0.4, size * 0.36, size * 0.36, WHITE)


def _legs(brush: Brush, xs: tuple[float, float, float, float], top: float, rgb: RGB, pose: Pose, width: float) -> None:
    """Four legs; opposite ones swing together as in a trot."""
    swing = math.sin(pose.phase * math.tau) * 28 * pose.stride
    for i, x in enumerate(xs):
        brush.limb(
            x, top, -top - width / 2, swing if i in (0, 3) else -swing, darker(rgb, 0.12 if i in (1, 3) else 0), width
        )


def kitten(brush: Brush, rgb: RGB, pose: Pose) -> None:
    """Round head, pointed ears, whiskers and a waving tail."""
    wave = math.sin(pose.phase * math.tau) * 10
    for width, shade in ((15.0, darker(rgb, 0.45)), (10.0, rgb)):
        brush.curve(
            [(-40, -38), (-66, -40), (-62 + wave * 0.4, -68), (-60 + wave, -88), (-48 + wave, -92)], shade, width
        )
    _legs(brush, (-30, -19, 14, 25), -26, rgb, pose, 11)
    brush.oval(-4, -38, 42, 23, rgb, line=LINE)
    for x in (-22, -6):
        brush.curve([(x, -60), (x + 4, -52), (x + 2, -46)], darker(rgb, 0.22), 4)
    with brush.moved(30, -68, turn=math.sin(pose.phase * math.tau) * 4):
        for side in (-1, 1):
            brush.shape([(side * 28, -10), (side * 25, -44), (side * 5, -24)], rgb, line=LINE)
            brush.shape([(side * 23, -16), (side * 22, -35), (side * 11, -24)], PINK)
        brush.oval(0, 0, 33, 28, rgb, line=LINE)
        brush.oval(0, 11, 14, 10, lighter(rgb, 0.55))
        for side in (-1, 1):
            _eye(brush, side * 13, -3, 5.5, rgb)
            brush.oval(side * 21, 9, 5, 3.4, PINK, alpha=0.7)
            for tilt in (-3, 3):
                brush.curve([(side * 17, 10), (side * 28, 9 + tilt), (side * 38, 8 + tilt * 2)], darker(rgb, 0.5), 1.4)
        brush.shape([(-3.5, 6), (3.5, 6), (0, 10)], (214, 92, 110))
        brush.curve([(-7, 13), (-3, 17), (0, 11), (3, 17), (7, 13)], INK, 1.6)


def dog(brush: Brush, rgb: RGB, pose: Pose) -> None:
    """Long muzzle, hanging ears, red collar."""
    wag = math.sin(pose.phase * math.tau * 2) * 14
    for width, shade in ((13.0, darker(rgb, 0.45)), (8.0, rgb)):
        brush.curve([(-42, -46), (-56, -56), (-58 + wag, -76)], shade, width)
    _legs(brush, (-34, -22, 16, 28), -30, rgb, pose, 13)
    brush.oval(-4, -44, 44, 23, rgb, line=LINE)
    brush.oval(-16, -46, 15, 12, lighter(rgb, 0.45))
    brush.box(16, -66, 28, 9, (214, 64, 62), radius=4)
    with brush.moved(32, -80, turn=math.sin(pose.phase * math.tau) * 4):
        brush.oval(0, 0, 28, 26, rgb, line=LINE)
        brush.oval(24, 9, 18, 12, lighter(rgb, 0.45), line=LINE)
        brush.oval(38, 3, 6, 5, INK)
        brush.curve([(22, 17), (30, 20), (36, 14)], INK, 1.8)
        brush.oval(29, 21, 4, 6, PINK)
        _eye(brush, 9, -6, 5.2, rgb)
        brush.blob([(-20, -24), (-2, -22), (-6, 8), (-14, 26), (-30, 22), (-30, -6)], darker(rgb, 0.3), line=LINE)


def rabbit(brush: Brush, rgb: RGB, pose: Pose) -> None:
    """Tall ears, cotton tail, big hind foot."""
    flop = math.sin(pose.phase * math.tau) * 6
    brush.oval(-38, -26, 12, 11, lighter(rgb, 0.8), line=LINE)
    brush.limb(18, -26, 18, math.sin(pose.phase * math.tau) * 22 * pose.stride, rgb, 11)
    brush.oval(-8, -32, 33, 29, rgb, line=LINE)
    with brush.moved(-14, -8, turn=-math.sin(pose.phase * math.tau) * 14 * pose.stride):
        brush.oval(4, 0, 24, 8.5, rgb, line=LINE)
    brush.oval(-14, -24, 17, 16, rgb, line=LINE)
    with brush.moved(20, -66):
        for x, turn in ((-8, -16 + flop), (8, 8 + flop)):
            with brush.moved(x, -18, turn=turn):
                brush.oval(0, -24, 9.5, 30, rgb, line=LINE)
                brush.oval(0, -22, 5, 22, PINK)
        brush.oval(0, 0, 28, 25, rgb, line=LINE)
        _eye(brush, -6, -3, 5.2, rgb)
        _eye(brush, 15, -3, 5.2, rgb)
        brush.oval(-13, 9, 5, 3.4, PINK, alpha=0.7)
        brush.shape([(3, 5), (10, 5), (6.5, 9)], (214, 92, 110))
        brush.box(3.4, 13, 6.4, 7, WHITE, radius=1.5, line=1.2)


def bird(brush: Brush, rgb: RGB, pose: Pose) -> None:
    """Round body, orange beak, flapping wing, three tail feathers."""
    flap = math.sin(pose.phase * math.tau * 2) * (36 if pose.airborne else 14)
    for x in (-6, 10):
        brush.curve([(x, -22), (x + 1, -10), (x + 3, -2)], (232, 138, 40), 4)
    for turn in (-14, 0, 14):
        with brush.moved(-30, -44, turn=turn):
            brush.oval(-24, 0, 24, 7, darker(rgb, 0.2), line=LINE)
    brush.oval(0, -46, 38, 33, rgb, line=LINE)
    brush.oval(8, -34, 24, 18, lighter(rgb, 0.6))
    brush.shape([(40, -72), (62, -64), (40, -56)], (250, 168, 40), line=LINE)
    brush.oval(22, -66, 25, 23, rgb, line=LINE)
    brush.curve([(16, -88), (12, -100), (4, -100)], darker(rgb, 0.3), 4)
    _eye(brush, 28, -68, 5.4, rgb)
    with brush.moved(-2, -52, turn=flap):
        brush.blob([(10, -10), (14, 8), (-18, 26), (-46, 18), (-30, -2)], darker(rgb, 0.25), line=LINE)


def fish(brush: Brush, rgb: RGB, pose: Pose) -> None:
    """Swims in its own round bubble, so that it may go anywhere in the story."""
    beat = math.sin(pose.phase * math.tau * 1.5)
    brush.oval(0, -54, 66, 56, (176, 226, 250), alpha=0.5)
    brush.curve([(-50, -84), (-38, -102), (-16, -106)], WHITE, 4)
    with brush.moved(-28, -54, scale=(1 - abs(beat) * 0.25, 1)):
        brush.blob([(6, 0), (-10, -10), (-34, -30), (-22, 0), (-34, 30), (-10, 10)], darker(rgb, 0.2), line=LINE)
    brush.shape([(-14, -76), (4, -96), (20, -76)], darker(rgb, 0.2), line=LINE)
    brush.oval(4, -54, 40, 28, rgb, line=LINE)
    for x in (-16, -2, 12):
        brush.curve([(x, -70), (x + 7, -54), (x, -38)], mix(rgb, lighter(rgb, 0.6), 0.8), 3.4)
    with brush.moved(2, -44, turn=20 + beat * 18):
        brush.oval(-6, 8, 12, 6, darker(rgb, 0.2), line=LINE)
    _eye(brush, 27, -60, 5.6, rgb)
    brush.curve([(34, -46), (39, -42), (43, -48)], INK, 2)
