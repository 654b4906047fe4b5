"""What every place is painted with: light, sky, ground and plants, all big and soft.

Nothing here is thinner than 3.5 units or smaller than about 8: small networks read and repaint these pictures.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from framecast.train.world.paint import RGB, Brush, Point, darker, lighter, mix

LEFT, RIGHT = -128.0, 384.0
WIDTH = RIGHT - LEFT
BOTTOM = 384.0

SHADOW: RGB = darker((90, 90, 110), 0.5)
LAMP: RGB = (255, 222, 134)
MOON: RGB = (255, 240, 196)


@dataclass(frozen=True)
class Palette:
    """How light colours a place: sky from `top` to `low`, everything else moved towards `veil` by `share`.

    Attributes:
        stars: it is night: lamps are lit, and a clear sky has a moon instead of a sun.
        low_sun: the sun stands just above the horizon.
        sun: the sky is clear: sun, moon and stars show.
    """

    top: RGB
    low: RGB
    veil: RGB
    share: float
    stars: bool = False
    low_sun: bool = False
    sun: bool = True

    def lit(self, rgb: RGB) -> RGB:
        """A surface colour under this light."""
        return mix(rgb, self.veil, self.share)

    def water(self, rgb: RGB) -> RGB:
        """A water colour under this light: it mirrors the pink of a sunset."""
        return self.lit(mix(rgb, (214, 158, 214), 0.55) if self.low_sun else rgb)


PALETTES: dict[str, Palette] = {
    "day": Palette((120, 196, 246), (222, 242, 252), (255, 250, 236), 0.0),
    "sunset": Palette((236, 116, 138), (255, 202, 128), (252, 112, 100), 0.31, low_sun=True),
    "night": Palette((24, 28, 84), (66, 76, 146), (30, 38, 112), 0.51, stars=True),
}

# Weather: the grey that everything moves towards, and the shares for the sky and for surfaces.
_VEILS: dict[str, tuple[RGB, float, float]] = {
    "rain": ((126, 136, 152), 0.68, 0.24),
    "snow": ((216, 224, 236), 0.55, 0.2),
}


def palette_of(light: str, weather: str = "clear") -> Palette:
    """The palette of a light under a weather; clouds hide sun, moon and stars.

    Raises:
        KeyError: an unknown light or weather.
    """
    palette = PALETTES[light]
    if weather == "clear":
        return palette
    grey, sky_share, share = _VEILS[weather]
    if palette.stars:
        grey = mix(grey, (30, 36, 80), 0.62)
    # Two veils one after the other, written as one.
    both = 1.0 - (1.0 - palette.share) * (1.0 - share)
    return replace(
        palette,
        top=mix(palette.top, grey, sky_share),
        low=mix(palette.low, grey, sky_share),
        veil=mix(palette.veil, grey, share / both),
        share=both,
        sun=False,
    )


def cloud(brush: Brush, x: float, y: float, size: float, rgb: RGB) -> None:
    """Three round puffs."""
    with brush.moved(x, y, scale=(size, size)):
        for dx, dy, r in ((-24, 5, 15), (0, -3, 21), (24, 5, 15)):
            brush.oval(dx, dy, r * 1.25, r * 0.85, rgb)


def disc(brush: Brush, palette: Palette, x: float, y: float, size: float) -> None:
    """Sun or moon with a soft halo; nothing when clouds hide it."""
    if not palette.sun:
        return
    halo, body = ((255, 244, 190), (255, 222, 104))
    if palette.low_sun:
        halo, body = ((255, 226, 150), (255, 244, 196))
    if palette.stars:
        halo, body = ((196, 204, 250), MOON)
    for grow, alpha in ((1.75, 0.2), (1.35, 0.35)):
        brush.oval(x, y, size * grow, size * grow, halo, alpha=alpha)
    brush.oval(x, y, size, size, body)


def star(brush: Brush, x: float, y: float, size: float) -> None:
    """A rounded five-pointed star."""
    points: list[Point] = []
    for i in range(10):
        reach, angle = (size if i % 2 == 0 else size * 0.55), math.pi * (i / 5 - 0.5)
        points.append((x + math.cos(angle) * reach, y + math.sin(angle) * reach))
    brush.shape(points, (255, 240, 180))


def heaven(brush: Brush, palette: Palette, horizon: float, *, sun: float = 22.0) -> None:
    """The sky down to `horizon`: sun or moon on the right, two clouds, or big stars at night."""
    brush.gradient(LEFT, -64, WIDTH, horizon + 64, palette.top, palette.low)
    brush.box(LEFT, horizon, WIDTH, BOTTOM - horizon, palette.low)
    disc(brush, palette, 208, horizon - sun * 1.1 if palette.low_sun else 42, sun * (1.35 if palette.low_sun else 1))
    if palette.stars and palette.sun:
        for x, y in ((-90, 30), (-36, 62), (26, 34), (84, 22), (132, 52), (276, 58), (330, 26)):
            brush.oval(x, y, 4.5, 4.5, (255, 244, 200))
        return
    puff = mix((255, 255, 255), palette.low, 0.4)
    if not palette.sun:
        puff = lighter(mix(palette.top, palette.low, 0.5), 0.14)
        cloud(brush, 196, 40, 1.5, puff)
    for x, y in ((-70, 36), (52, 38), (330, 44)):
        cloud(brush, x, y, 1.0 if palette.sun else 1.5, puff)


def ground(brush: Brush, palette: Palette, top: float, far: RGB, near: RGB) -> None:
    """The floor of a place from `top` down."""
    brush.gradient(LEFT, top, WIDTH, 270 - top, palette.lit(far), palette.lit(near))
    brush.box(LEFT, 270, WIDTH, BOTTOM - 270, palette.lit(near))


def hills(brush: Brush, rgb: RGB, *heights: float) -> None:
    """A smooth ridge through heights spread evenly over the painted width, filled down to the bottom."""
    step = (WIDTH + 120) / (len(heights) - 1)
    ridge: list[Point] = [(LEFT - 60 + i * step, y) for i, y in enumerate(heights)]
    brush.blob([(LEFT - 260, heights[0]), *ridge, (RIGHT + 260, heights[-1]), (RIGHT + 260, 520), (-388, 520)], rgb)


def swell(brush: Brush, rgb: RGB, y: float, *, length: float, height: float, shift: float) -> None:
    """Water below one row of broad waves."""
    xs = [LEFT - 16 + i * 8 for i in range(69)]
    crest: list[Point] = [(x, y - height * math.cos((x - shift) * math.tau / length)) for x in xs]
    brush.shape([*crest, (RIGHT + 20, BOTTOM), (LEFT - 20, BOTTOM)], rgb)


def tree(brush: Brush, palette: Palette, x: float, base: float, size: float, leaf: RGB) -> None:
    """A round tree."""
    with brush.moved(x, base, scale=(size, size)):
        brush.box(-8, -46, 16, 48, palette.lit((150, 108, 78)), radius=4)
        for dx, dy, r in ((-20, -58, 25), (20, -58, 25), (0, -78, 30)):
            brush.oval(dx, dy, r, r * 0.95, palette.lit(leaf))
        brush.oval(-8, -84, 14, 11, palette.lit(lighter(leaf, 0.2)))


def pine(brush: Brush, palette: Palette, x: float, base: float, size: float, leaf: RGB, *, snow: bool = False) -> None:
    """A pine of two broad tiers, white on top when it snowed."""
    with brush.moved(x, base, scale=(size, size)):
        brush.box(-7, -18, 14, 20, palette.lit((134, 98, 76)))
        for half, y in ((36, -12), (27, -46)):
            brush.shape([(-half, y), (half, y), (0, y - 60)], palette.lit(leaf))
            if snow:
                brush.shape([(-half * 0.5, y - 30), (half * 0.5, y - 30), (0, y - 60)], palette.lit((248, 251, 255)))
