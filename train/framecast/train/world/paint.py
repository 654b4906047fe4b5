"""Thin brushes over skia: every shape is anti-aliased, flat and softly outlined."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import skia  # type: ignore[import-not-found]

RGB = tuple[int, int, int]
Point = tuple[float, float]

INK: RGB = (62, 48, 56)


def mix(a: RGB, b: RGB, share: float) -> RGB:
    """`a` moved towards `b` by `share` in 0..1."""
    return (
        round(a[0] + (b[0] - a[0]) * share),
        round(a[1] + (b[1] - a[1]) * share),
        round(a[2] + (b[2] - a[2]) * share),
    )


def darker(rgb: RGB, share: float) -> RGB:
    """Towards a warm dark, not black: flat pictures stay friendly."""
    return mix(rgb, (40, 24, 48), share)


def lighter(rgb: RGB, share: float) -> RGB:
    """Towards white."""
    return mix(rgb, (255, 255, 255), share)


class Brush:
    """Draws on one skia canvas in the units of the current transform."""

    def __init__(self, canvas: Any) -> None:
        self.canvas = canvas

    @contextmanager
    def moved(
        self, x: float = 0.0, y: float = 0.0, *, turn: float = 0.0, scale: tuple[float, float] = (1.0, 1.0)
    ) -> Iterator[None]:
        """Draws inside a shifted, turned (degrees, clockwise) and scaled frame."""
        self.canvas.save()
        self.canvas.translate(x, y)
        if turn:
            self.canvas.rotate(turn)
        if scale != (1.0, 1.0):
            self.canvas.scale(*scale)
        try:
            yield
        finally:
            self.canvas.restore()

    def oval(
        self, x: float, y: float, rx: float, ry: float, rgb: RGB, *, line: float = 0.0, alpha: float = 1.0
    ) -> None:
        """An ellipse around (x, y); `line` is the outline's width, 0 for none."""
        rect = skia.Rect.MakeLTRB(x - rx, y - ry, x + rx, y + ry)
        self.canvas.drawOval(rect, _fill(rgb, alpha))
        if line:
            self.canvas.drawOval(rect, _stroke(darker(rgb, 0.45), line))

    def box(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        rgb: RGB,
        *,
        radius: float = 0.0,
        line: float = 0.0,
        alpha: float = 1.0,
    ) -> None:
        """A rectangle with its corner at (x, y)."""
        rect = skia.Rect.MakeXYWH(x, y, width, height)
        self.canvas.drawRoundRect(rect, radius, radius, _fill(rgb, alpha))
        if line:
            self.canvas.drawRoundRect(rect, radius, radius, _stroke(darker(rgb, 0.45), line))

    def shape(self, points: Sequence[Point], rgb: RGB, *, line: float = 0.0, alpha: float = 1.0) -> None:
        """A polygon with softly rounded joins."""
        path = skia.Path()
        path.moveTo(*points[0])
        for point in points[1:]:
            path.lineTo(*point)
        path.close()
        self.canvas.drawPath(path, _fill(rgb, alpha))
        if line:
            self.canvas.drawPath(path, _stroke(darker(rgb, 0.45), line))

    def blob(self, points: Sequence[Point], rgb: RGB, *, line: float = 0.0, alpha: float = 1.0) -> None:
        """A closed smooth curve through the midpoints of the given points."""
        path = skia.Path()
        count = len(points)
        start = _middle(points[-1], points[0])
        path.moveTo(*start)
        for i in range(count):
            end = _middle(points[i], points[(i + 1) % count])
            path.quadTo(*points[i], *end)
        path.close()
        self.canvas.drawPath(path, _fill(rgb, alpha))
        if line:
            self.canvas.drawPath(path, _stroke(darker(rgb, 0.45), line))

    def curve(self, points: Sequence[Point], rgb: RGB, width: float) -> None:
        """An open quadratic curve: start, then (control, end) pairs."""
        path = skia.Path()
        path.moveTo(*points[0])
        for i in range(1, len(points) - 1, 2):
            path.quadTo(*points[i], *points[i + 1])
        self.canvas.drawPath(path, _stroke(rgb, width))

    def gradient(self, x: float, y: float, width: float, height: float, top: RGB, bottom: RGB) -> None:
        """A rectangle that runs from `top` to `bottom`."""
        shader = skia.GradientShader.MakeLinear(
            points=[(x, y), (x, y + height)], colors=[_argb(top, 1.0), _argb(bottom, 1.0)]
        )
        self.canvas.drawRect(skia.Rect.MakeXYWH(x, y, width, height), skia.Paint(Shader=shader))


def _middle(a: Point, b: Point) -> Point:
    return ((a[0] + b[0]) / 2, (a[1] + b[1]) / 2)


def _argb(rgb: RGB, alpha: float) -> int:
    return int(skia.Color(*rgb, round(alpha * 255)))


def _fill(rgb: RGB, alpha: float) -> Any:
    return skia.Paint(AntiAlias=True, Color=_argb(rgb, alpha))


def _stroke(rgb: RGB, width: float) -> Any:
    return skia.Paint(
        AntiAlias=True,
        Color=_argb(rgb, 1.0),
        Style=skia.Paint.kStroke_Style,
        StrokeWidth=width,
        StrokeCap=skia.Paint.kRound_Cap,
        StrokeJoin=skia.Paint.kRound_Join,
    )
