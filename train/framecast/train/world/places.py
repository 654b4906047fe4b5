"""Backgrounds with depth: sky, a far layer and the ground, from x = -128 to 384 so that the camera can pan.

Each place is a function of the brush, a random source for its small variations, and the light's palette.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from framecast.train.world.paint import RGB, Brush, darker, lighter, mix

LEFT, RIGHT = -128.0, 384.0
WIDTH = RIGHT - LEFT


@dataclass(frozen=True)
class Palette:
    """How light colours a place: sky from `top` to `low`, everything else moved towards `veil` by `share`."""

    top: RGB
    low: RGB
    veil: RGB
    share: float
    stars: bool = False

    def lit(self, rgb: RGB) -> RGB:
        """A surface colour under this light."""
        return mix(rgb, self.veil, self.share)


PALETTES: dict[str, Palette] = {
    "day": Palette((120, 196, 246), (226, 244, 252), (255, 250, 236), 0.0),
    "night": Palette((22, 26, 74), (62, 70, 134), (26, 30, 92), 0.56, stars=True),
}


def _sky(brush: Brush, rng: random.Random, palette: Palette, horizon: float) -> None:
    brush.gradient(LEFT, -64, WIDTH, horizon + 64, palette.top, palette.low)
    brush.box(LEFT, horizon, WIDTH, 384 - horizon, palette.low)
    if palette.stars:
        for _ in range(26):
            brush.oval(rng.uniform(LEFT, RIGHT), rng.uniform(-50, horizon * 0.7), 1.7, 1.7, (255, 246, 206))
        brush.oval(204, 40, 27, 27, (255, 240, 190), alpha=0.16)
        brush.oval(204, 40, 19, 19, (255, 240, 190))
        brush.oval(198, 36, 4.5, 4.5, (240, 220, 160))
        brush.oval(210, 46, 3, 3, (240, 220, 160))
        return
    brush.oval(206, 40, 29, 29, (255, 240, 170), alpha=0.5)
    brush.oval(206, 40, 21, 21, (255, 218, 84))
    for x in (-70, 60, 330):
        with brush.moved(x + rng.uniform(-18, 18), 42 + rng.uniform(-10, 10)):
            for dx, dy, r in ((-20, 4, 13), (0, -4, 18), (20, 4, 13)):
                brush.oval(dx, dy, r * 1.2, r * 0.85, (255, 255, 255))


def _ground(brush: Brush, palette: Palette, top: float, near: RGB, far: RGB) -> None:
    brush.gradient(LEFT, top, WIDTH, 384 - top, palette.lit(far), palette.lit(near))


def _tree(brush: Brush, palette: Palette, x: float, base: float, size: float, leaf: RGB) -> None:
    with brush.moved(x, base, scale=(size, size)):
        brush.box(-7, -46, 14, 48, palette.lit((136, 94, 64)), radius=4)
        for dx, dy, r in ((-20, -58, 24), (20, -58, 24), (0, -78, 29)):
            brush.oval(dx, dy, r, r * 0.95, palette.lit(leaf))
        brush.oval(-9, -84, 11, 8, palette.lit(lighter(leaf, 0.25)))


def _pine(brush: Brush, palette: Palette, x: float, base: float, size: float, leaf: RGB, *, snow: bool = False) -> None:
    with brush.moved(x, base, scale=(size, size)):
        brush.box(-6, -16, 12, 18, palette.lit((124, 86, 62)))
        for i, half in enumerate((36, 29, 21)):
            y = -14 - i * 28
            brush.shape([(-half, y), (half, y), (0, y - 46)], palette.lit(leaf))
            if snow:
                brush.shape([(-half * 0.45, y - 25), (half * 0.45, y - 25), (0, y - 46)], palette.lit((250, 252, 255)))


def _flower(brush: Brush, palette: Palette, x: float, y: float, petal: RGB) -> None:
    brush.curve([(x, y), (x + 1, y + 7), (x, y + 14)], palette.lit((72, 142, 66)), 2.4)
    for dx, dy in ((-4, 0), (4, 0), (0, -4), (0, 4)):
        brush.oval(x + dx, y + dy, 3.8, 3.8, palette.lit(petal))
    brush.oval(x, y, 3, 3, palette.lit((255, 214, 84)))


def courtyard(brush: Brush, rng: random.Random, palette: Palette) -> None:
    """A white wall with a tiled roof and a round moon gate, paving in front."""
    _sky(brush, rng, palette, 90)
    _tree(brush, palette, 8 + rng.uniform(-8, 8), 120, 0.95, (112, 178, 96))
    _tree(brush, palette, 300 + rng.uniform(-8, 8), 120, 0.95, (112, 178, 96))
    brush.box(LEFT, 92, WIDTH, 84, palette.lit((246, 234, 214)))
    brush.box(LEFT, 80, WIDTH, 14, palette.lit((112, 118, 138)))
    for i in range(27):
        brush.oval(LEFT + 8 + i * 20, 94, 9, 6, palette.lit((92, 98, 120)))
    brush.oval(128, 134, 50, 50, palette.lit((178, 122, 84)))
    brush.oval(128, 134, 43, 43, palette.lit((160, 208, 148)))
    brush.oval(128, 168, 40, 20, palette.lit((126, 184, 114)))
    for x in (22, 234, -80, 336):
        brush.box(x - 17, 112, 34, 34, palette.lit((178, 122, 84)), radius=3)
        brush.box(x - 13, 116, 26, 26, (255, 222, 130) if palette.stars else palette.lit((214, 232, 236)))
        brush.box(x - 1.5, 116, 3, 26, palette.lit((178, 122, 84)))
        brush.box(x - 13, 127.5, 26, 3, palette.lit((178, 122, 84)))
    _ground(brush, palette, 174, (206, 188, 164), (188, 168, 146))
    for row, y in enumerate((190, 210, 234)):
        brush.box(LEFT, y, WIDTH, 2, palette.lit((166, 146, 126)))
        for i in range(9):
            brush.box(LEFT + (i + row % 2 * 0.5) * 62, y, 2, 24, palette.lit((166, 146, 126)))


def beach(brush: Brush, rng: random.Random, palette: Palette) -> None:
    """Sea to the horizon, yellow sand, one palm."""
    _sky(brush, rng, palette, 104)
    brush.gradient(LEFT, 102, WIDTH, 70, palette.lit((52, 140, 204)), palette.lit((104, 204, 224)))
    for y in (118, 136, 150):
        shift = rng.uniform(0, 40)
        for i in range(9):
            x = LEFT + i * 64 + shift
            brush.curve([(x, y), (x + 10, y - 5), (x + 20, y)], palette.lit((202, 238, 246)), 3)
    sand = palette.lit((248, 220, 150))
    brush.blob(
        [(LEFT - 40, 170), (0, 162), (128, 172), (260, 162), (420, 172), (420, 420), (-180, 420)],
        palette.lit((240, 250, 250)),
    )
    brush.blob([(LEFT - 40, 176), (0, 168), (128, 178), (260, 168), (420, 178), (420, 420), (-180, 420)], sand)
    with brush.moved(30 + rng.uniform(-6, 6), 186):
        brush.curve([(0, 0), (-2, -50), (14, -96)], palette.lit((150, 108, 70)), 11)
        leaf = palette.lit((70, 158, 92))
        for dx, dy in ((-44, 10), (-34, -16), (38, -16), (46, 12), (4, -30)):
            brush.blob(
                [(14, -96), (14 + dx * 0.6, -112 + dy * 0.4), (14 + dx, -94 + dy), (14 + dx * 0.5, -96 + dy * 0.4)],
                leaf,
            )
    for x in (96, 214, 300, -60):
        brush.oval(x + rng.uniform(-10, 10), 240, 5, 3.4, palette.lit((250, 156, 140)))


def forest(brush: Brush, rng: random.Random, palette: Palette) -> None:
    """Dark rows of pines behind a mossy clearing."""
    _sky(brush, rng, palette, 120)
    for x in range(-120, 400, 34):
        _pine(brush, palette, x + rng.uniform(-5, 5), 150, 0.9, (98, 158, 124))
    for x in range(-110, 400, 62):
        _pine(brush, palette, x + rng.uniform(-6, 6), 174, 1.3, (46, 112, 82))
    _ground(brush, palette, 168, (74, 128, 66), (92, 148, 78))
    for x in (30, 226, -60, 320):
        with brush.moved(x + rng.uniform(-8, 8), 200):
            brush.box(-4, -10, 8, 12, palette.lit((246, 236, 220)), radius=3)
            brush.blob([(-14, -8), (-10, -24), (10, -24), (14, -8)], palette.lit((214, 70, 60)))
            brush.oval(-3, -16, 2.4, 2, palette.lit((255, 255, 255)))


def street(brush: Brush, rng: random.Random, palette: Palette) -> None:
    """A row of coloured houses, a pavement and a grey road with a dashed line."""
    _sky(brush, rng, palette, 120)
    walls: tuple[RGB, ...] = ((236, 160, 132), (250, 214, 142), (156, 196, 212), (206, 168, 204))
    for i, x in enumerate(range(-128, 384, 64)):
        height = (104, 84, 116, 92)[i % 4]
        wall = palette.lit(walls[i % 4])
        brush.box(x, 166 - height, 62, height, wall)
        brush.shape([(x - 3, 166 - height), (x + 31, 142 - height), (x + 65, 166 - height)], palette.lit((164, 84, 76)))
        for wx in (x + 10, x + 36):
            for wy in range(166 - height + 12, 120, 28):
                pane: RGB = (255, 222, 120) if palette.stars else palette.lit((214, 236, 246))
                brush.box(wx, wy, 15, 17, pane, radius=2)
        brush.box(x + 24, 140, 16, 26, palette.lit((122, 84, 66)), radius=2)
    brush.box(LEFT, 166, WIDTH, 16, palette.lit((208, 204, 200)))
    brush.box(LEFT, 180, WIDTH, 3, palette.lit((164, 160, 160)))
    brush.box(LEFT, 183, WIDTH, 201, palette.lit((112, 116, 128)))
    shift = rng.uniform(0, 20)
    for i in range(10):
        brush.box(LEFT + i * 60 + shift - 30, 228, 34, 6, palette.lit((246, 242, 224)))


def snow(brush: Brush, rng: random.Random, palette: Palette) -> None:
    """White hills, snowy pines and a snowman."""
    _sky(brush, rng, palette, 130)
    brush.blob(
        [(-190, 150), (-60, 104), (70, 140), (190, 100), (330, 140), (440, 110), (440, 420), (-190, 420)],
        palette.lit((206, 224, 242)),
    )
    for x in (-40, 20, 236, 310):
        _pine(brush, palette, x + rng.uniform(-6, 6), 168, 1.0, (74, 134, 118), snow=True)
    _ground(brush, palette, 164, (250, 252, 255), (232, 240, 250))
    with brush.moved(64 + rng.uniform(-6, 6), 182):
        brush.oval(0, -14, 20, 18, palette.lit((255, 255, 255)), line=1.5)
        brush.oval(0, -40, 14, 13, palette.lit((255, 255, 255)), line=1.5)
        brush.box(-11, -62, 22, 12, palette.lit((74, 78, 98)), radius=2)
        brush.oval(-4, -42, 1.8, 1.8, (50, 44, 54))
        brush.oval(5, -42, 1.8, 1.8, (50, 44, 54))
        brush.shape([(1, -38), (1, -34), (13, -35)], palette.lit((246, 146, 60)))
    for y in (214, 238):
        brush.curve([(LEFT, y), (60, y - 12), (128, y), (250, y + 10), (RIGHT, y - 4)], palette.lit((214, 228, 244)), 4)


def meadow(brush: Brush, rng: random.Random, palette: Palette) -> None:
    """Round green hills with flowers."""
    _sky(brush, rng, palette, 140)
    brush.blob(
        [(-190, 170), (-80, 108), (60, 160), (190, 96), (340, 150), (440, 120), (440, 420), (-190, 420)],
        palette.lit((152, 208, 116)),
    )
    _tree(brush, palette, 200 + rng.uniform(-8, 8), 140, 0.6, (88, 164, 88))
    brush.blob(
        [(-190, 190), (-20, 146), (128, 172), (280, 148), (440, 180), (440, 420), (-190, 420)],
        palette.lit((122, 192, 92)),
    )
    _ground(brush, palette, 190, (98, 176, 78), (116, 190, 88))
    petals: tuple[RGB, ...] = ((250, 120, 130), (255, 255, 255), (250, 200, 80), (196, 140, 230))
    for i, x in enumerate(range(-116, 380, 31)):
        _flower(brush, palette, x + rng.uniform(-6, 6), (200, 232, 216)[i % 3], petals[i % 4])


PLACES_DRAWN: dict[str, Callable[[Brush, random.Random, Palette], None]] = {
    "courtyard": courtyard,
    "beach": beach,
    "forest": forest,
    "street": street,
    "snow": snow,
    "meadow": meadow,
}

SHADOW: RGB = darker((90, 90, 110), 0.5)
