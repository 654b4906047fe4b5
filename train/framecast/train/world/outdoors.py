"""The open places: shore, water, woods, fields and sky."""

from __future__ import annotations

import random
from dataclasses import replace

from framecast.train.world.paint import RGB, Brush, lighter, mix
from framecast.train.world.scenery import (
    BOTTOM,
    LEFT,
    MOON,
    WIDTH,
    Palette,
    cloud,
    disc,
    ground,
    heaven,
    hills,
    pine,
    star,
    swell,
    tree,
)


def beach(brush: Brush, rng: random.Random, palette: Palette) -> None:
    """Sea to the horizon, cream sand, one palm."""
    shift = rng.uniform(-5, 5)
    heaven(brush, palette, 104)
    brush.box(LEFT, 102, WIDTH, 120, palette.water((84, 172, 206)))
    swell(brush, palette.water((112, 200, 216)), 126, length=128, height=4, shift=shift)
    swell(brush, palette.water((150, 222, 226)), 146, length=128, height=5, shift=64 + shift)
    hills(brush, palette.lit((232, 246, 244)), 164, 160, 166, 164, 158, 162)
    hills(brush, palette.lit((244, 224, 180)), 176, 172, 178, 176, 170, 174)
    with brush.moved(26 + shift, 192):
        brush.curve([(0, 0), (-4, -54), (12, -104)], palette.lit((164, 122, 86)), 14)
        for dx, dy in ((-50, 14), (-38, -20), (42, -20), (52, 14)):
            brush.blob(
                [(12, -106), (12 + dx * 0.6, -126 + dy * 0.4), (12 + dx, -100 + dy), (12 + dx * 0.5, -98 + dy * 0.4)],
                palette.lit((92, 172, 112)),
            )
        brush.oval(12, -104, 10, 9, palette.lit((92, 172, 112)))
    brush.oval(226, 236, 12, 8, palette.lit((246, 172, 158)))


def sea(brush: Brush, rng: random.Random, palette: Palette) -> None:
    """Open water to the horizon in four broad swells."""
    shift = rng.uniform(-5, 5)
    heaven(brush, palette, 120)
    brush.box(LEFT, 118, WIDTH, BOTTOM - 118, palette.water((76, 164, 196)))
    waters: tuple[RGB, ...] = ((104, 190, 208), (86, 174, 200), (112, 198, 212), (80, 166, 194))
    for i, (y, height) in enumerate(((140, 4.0), (168, 6.0), (202, 8.0), (240, 9.0))):
        swell(brush, palette.water(waters[i]), y, length=128 if i % 2 else 102.4, height=height, shift=i * 47 + shift)
        if i == 0 and palette.sun:
            brush.oval(208, 132, 34, 5, lighter(palette.water(waters[0]), 0.45))


def sky(brush: Brush, rng: random.Random, palette: Palette) -> None:
    """High up among big stars: deep blue under every light, a moon, clouds far below."""
    shift = rng.uniform(-5, 5)
    top, low = mix(palette.top, (24, 34, 112), 0.66), mix(palette.low, (70, 78, 168), 0.54)
    brush.gradient(LEFT, -64, WIDTH, 320, top, low)
    brush.box(LEFT, 256, WIDTH, BOTTOM - 256, low)
    for x, y, size in ((-92, 60, 11), (-40, 128, 10), (24, 46, 12), (36, 134, 9), (92, 26, 10), (232, 142, 10)):
        star(brush, x, y + shift, size)
    for x, y, size in ((296, 52, 12), (340, 128, 10)):
        star(brush, x, y + shift, size)
    disc(brush, replace(palette, stars=True, low_sun=False), 196, 56, 30)
    if palette.sun:
        brush.oval(188, 48, 8, 8, mix(MOON, (226, 196, 140), 0.6))
        brush.oval(206, 66, 6, 6, mix(MOON, (226, 196, 140), 0.6))
    puff = mix(mix((226, 232, 250), palette.low, 0.3), palette.veil, palette.share * 0.7)
    for i, x in enumerate(range(-128, 400, 86)):
        cloud(brush, x + shift, 226 + i % 2 * 6, 1.9, mix(puff, low, 0.45))
    for i, x in enumerate(range(-90, 400, 86)):
        cloud(brush, x - shift, 252 + i % 2 * 6, 1.9, puff)


def forest(brush: Brush, rng: random.Random, palette: Palette) -> None:
    """Pale pines far off, dark ones on both sides of a mossy clearing."""
    shift = rng.uniform(-5, 5)
    brush.gradient(LEFT, -64, WIDTH, 250, mix(palette.top, palette.lit((150, 206, 176)), 0.5), palette.low)
    disc(brush, palette, 176, 108 if palette.low_sun else 40, 20)
    hills(brush, palette.lit((156, 204, 170)), 112, 122, 114, 120, 112, 122)
    for i in range(8):
        pine(brush, palette, -124 + i * 72, 172, 1.05 + i % 2 * 0.25, (132, 186, 152))
    ground(brush, palette, 166, (126, 168, 112), (104, 150, 96))
    for x, size in ((-96, 1.9), (-30, 1.6), (16, 2.0), (250, 2.0), (302, 1.6), (362, 1.9)):
        pine(brush, palette, x + shift, 186, size, (66, 130, 100))
    for x in (44, -66, 322):
        with brush.moved(x, 232):
            brush.box(-7, -16, 14, 18, palette.lit((246, 232, 212)), radius=4)
            brush.blob([(-24, -12), (-18, -38), (18, -38), (24, -12)], palette.lit((214, 92, 82)))


def snow(brush: Brush, rng: random.Random, palette: Palette) -> None:
    """Pale hills, snowy pines and a snowman."""
    shift = rng.uniform(-5, 5)
    heaven(brush, palette, 130)
    hills(brush, palette.lit((188, 210, 236)), 140, 96, 144, 132, 90, 138, 110)
    for x, size in ((-96, 1.2), (-24, 1.0), (232, 1.35), (316, 1.1)):
        pine(brush, palette, x, 178, size, (98, 154, 146), snow=True)
    hills(brush, palette.lit((226, 237, 250)), 168, 160, 172, 164, 170, 160)
    hills(brush, palette.lit((212, 226, 244)), 236, 218, 230, 232, 216, 234)
    with brush.moved(36 + shift, 204):
        white, outline = palette.lit((250, 252, 255)), palette.lit((170, 190, 220))
        for y, r in ((-24, 30), (-70, 22)):
            brush.oval(0, y, r + 3.5, r + 2.5, outline)
            brush.oval(0, y, r, r - 1, white)
        brush.box(-18, -58, 36, 10, palette.lit((226, 110, 104)), radius=5)
        brush.box(-18, -110, 36, 22, palette.lit((92, 98, 128)), radius=4)
        brush.oval(-8, -76, 4, 4, palette.lit((70, 66, 84)))
        brush.oval(9, -76, 4, 4, palette.lit((70, 66, 84)))
        brush.shape([(0, -71), (0, -62), (20, -66)], palette.lit((246, 160, 90)))


def meadow(brush: Brush, rng: random.Random, palette: Palette) -> None:
    """Round green hills, one tree, a few big flowers."""
    shift = rng.uniform(-5, 5)
    heaven(brush, palette, 140)
    hills(brush, palette.lit((184, 224, 144)), 150, 112, 160, 150, 100, 150, 120)
    tree(brush, palette, 222 + shift, 160, 0.9, (112, 182, 108))
    hills(brush, palette.lit((160, 212, 120)), 176, 150, 170, 172, 158, 150, 176)
    hills(brush, palette.lit((142, 202, 106)), 204, 200, 212, 214, 202, 206)
    petals: tuple[RGB, ...] = ((248, 150, 166), (255, 250, 240), (206, 164, 232))
    for i, (x, y) in enumerate(((-100, 212), (-42, 230), (24, 206), (62, 234), (196, 234), (238, 208), (310, 230))):
        with brush.moved(x, y):
            brush.curve([(0, 0), (1, 12), (0, 24)], palette.lit((96, 160, 84)), 5)
            for dx, dy in ((-8, 0), (8, 0), (0, -8), (0, 8)):
                brush.oval(dx, dy, 7.5, 7.5, palette.lit(petals[i % 3]))
            brush.oval(0, 0, 5.5, 5.5, palette.lit((252, 214, 100)))


def desert(brush: Brush, rng: random.Random, palette: Palette) -> None:
    """Peach dunes under a big sun, one cactus."""
    shift = rng.uniform(-5, 5)
    warm = replace(palette, low=mix(palette.low, palette.lit((255, 226, 170)), 0.75))
    warm = replace(warm, top=mix(palette.top, palette.lit((255, 226, 170)), 0.35))
    heaven(brush, replace(warm, sun=False) if not palette.sun else warm, 136, sun=32)
    hills(brush, palette.lit((226, 160, 128)), 150, 120, 140, 152, 112, 150, 124)
    hills(brush, palette.lit((238, 188, 146)), 150, 176, 158, 150, 176, 152, 170)
    hills(brush, palette.lit((228, 172, 130)), 222, 196, 210, 224, 204, 216, 196)
    with brush.moved(38 + shift, 212):
        green = palette.lit((112, 170, 124))
        brush.box(-12, -104, 24, 106, green, radius=12)
        brush.curve([(-2, -38), (-30, -36), (-30, -70)], green, 15)
        brush.curve([(2, -52), (30, -50), (30, -86)], green, 15)
