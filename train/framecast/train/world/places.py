"""Backgrounds with depth, from x = -128 to 384 so that the camera can pan; here the built ones and the table of all.

Each place is a function of the brush, a random source for one small shift, and the light's palette.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from framecast.train.world.outdoors import beach, desert, forest, meadow, sea, sky, snow
from framecast.train.world.paint import RGB, Brush, mix
from framecast.train.world.scenery import (
    LAMP,
    LEFT,
    PALETTES,
    SHADOW,
    WIDTH,
    Palette,
    disc,
    ground,
    heaven,
    palette_of,
    tree,
)

__all__ = ["INDOORS", "LEFT", "PALETTES", "PLACES_DRAWN", "SHADOW", "WIDTH", "WINDOW", "Palette", "palette_of"]

WINDOW = (72.0, 26.0, 112.0, 80.0)
"""The room's window pane: x, y, width, height."""

INDOORS = frozenset({"room"})
"""Places with a ceiling: rain and snow fall behind `WINDOW` only."""


def courtyard(brush: Brush, rng: random.Random, palette: Palette) -> None:
    """A pale wall under a slate roof, a round moon gate, two lanterns, paving in front."""
    shift = rng.uniform(-5, 5)
    heaven(brush, palette, 90)
    for x in (-62, 24, 312):
        tree(brush, palette, x + shift, 124, 1.1, (132, 186, 118))
    brush.box(LEFT, 82, WIDTH, 100, palette.lit((242, 226, 204)))
    brush.box(LEFT, 66, WIDTH, 22, palette.lit((116, 124, 150)), radius=8)
    brush.oval(128, 134, 58, 54, palette.lit((186, 138, 104)))
    brush.oval(128, 134, 47, 44, palette.lit((190, 220, 176)))
    ground(brush, palette, 176, (212, 192, 170), (192, 170, 150))
    brush.box(LEFT, 176, WIDTH, 12, palette.lit((182, 160, 140)))
    for x in (-84, 28, 228, 340):
        if palette.stars:
            brush.oval(x, 114, 27, 25, LAMP, alpha=0.35)
        brush.box(x - 2, 86, 4, 20, palette.lit((150, 110, 84)))
        brush.oval(x, 114, 18, 16, mix((226, 96, 84), LAMP, 0.3) if palette.stars else palette.lit((220, 96, 86)))


def street(brush: Brush, rng: random.Random, palette: Palette) -> None:
    """Five pastel houses, a pavement and a grey road with broad dashes."""
    shift = rng.uniform(-5, 5)
    heaven(brush, palette, 120)
    walls: tuple[RGB, ...] = ((178, 208, 218), (240, 186, 164), (212, 196, 220), (246, 224, 174), (190, 214, 186))
    for i, height in enumerate((96, 108, 90, 104, 92)):
        x, eaves = LEFT + i * 102.4, 168 - height
        brush.box(x, eaves, 103, height, palette.lit(walls[i]))
        brush.shape([(x - 3, eaves + 4), (x + 51, eaves - 38), (x + 105, eaves + 4)], palette.lit((184, 116, 106)))
        pane: RGB = LAMP if palette.stars else palette.lit((226, 242, 248))
        for wx in (x + 12, x + 65):
            brush.box(wx, eaves + 16, 26, 30, pane, radius=4)
        brush.box(x + 38, 124, 27, 46, palette.lit((158, 118, 100)), radius=5)
    brush.box(LEFT, 168, WIDTH, 20, palette.lit((214, 208, 202)))
    ground(brush, palette, 186, (150, 154, 168), (138, 142, 158))
    for i in range(6):
        brush.box(LEFT + i * 88 + shift, 228, 50, 10, palette.lit((236, 232, 218)), radius=4)


def room(brush: Brush, rng: random.Random, palette: Palette) -> None:
    """A living room: a big window, a sofa, a lamp, a plant, a rug on a wooden floor."""
    shift = rng.uniform(-5, 5)
    brush.gradient(LEFT, -64, WIDTH, 240, palette.lit((246, 216, 196)), palette.lit((238, 204, 186)))
    x, y, width, height = WINDOW
    brush.box(x - 9, y - 9, width + 18, height + 18, palette.lit((252, 244, 232)), radius=6)
    brush.gradient(x, y, width, height, palette.top, palette.low)
    disc(brush, palette, x + 84, y + (54 if palette.low_sun else 24), 15 if not palette.low_sun else 19)
    if palette.stars and palette.sun:
        for sx, sy in ((18, 18), (44, 42), (20, 60)):
            brush.oval(x + sx, y + sy, 4, 4, (255, 244, 200))
    for cx in (x - 28, x + width):
        brush.box(cx, y - 16, 28, height + 44, palette.lit((196, 152, 168)), radius=8)
    brush.box(x - 34, y - 20, width + 68, 12, palette.lit((150, 110, 96)), radius=6)
    ground(brush, palette, 175, (206, 164, 128), (188, 144, 110))
    brush.box(LEFT, 168, WIDTH, 10, palette.lit((252, 240, 226)))
    for left in (-126, 288):
        brush.box(left, 50, 72, 60, palette.lit((252, 244, 232)), radius=6)
        brush.box(left + 9, 59, 54, 42, palette.lit((178, 206, 176)), radius=4)
    with brush.moved(shift, 0):
        brush.box(62, 110, 132, 76, palette.lit((136, 176, 180)), radius=20)
        brush.box(70, 146, 116, 40, palette.lit((156, 194, 194)), radius=10)
        for arm in (48, 180):
            brush.box(arm, 136, 28, 58, palette.lit((118, 158, 164)), radius=12)
    brush.oval(128, 218, 124, 30, palette.lit((176, 142, 164)))
    brush.oval(128, 218, 104, 22, palette.lit((216, 188, 200)))
    brush.box(27, 108, 8, 84, palette.lit((150, 110, 96)))
    brush.oval(31, 192, 18, 6, palette.lit((150, 110, 96)))
    for dx, dy in ((-16, 6), (16, 6), (0, -12)):
        brush.oval(232 + dx, 140 + dy, 15, 26, palette.lit((126, 182, 128)))
    brush.shape([(214, 164), (250, 164), (244, 196), (220, 196)], palette.lit((222, 142, 112)))
    if palette.stars:
        brush.oval(31, 92, 46, 44, LAMP, alpha=0.25)
    shade = LAMP if palette.stars else palette.lit((250, 232, 190))
    brush.shape([(18, 72), (44, 72), (56, 112), (6, 112)], shade)


PLACES_DRAWN: dict[str, Callable[[Brush, random.Random, Palette], None]] = {
    "courtyard": courtyard,
    "beach": beach,
    "forest": forest,
    "street": street,
    "snow": snow,
    "meadow": meadow,
    "sea": sea,
    "room": room,
    "sky": sky,
    "desert": desert,
}
