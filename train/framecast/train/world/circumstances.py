"""When a scene is, in what weather, and how it is seen: lights, weathers and cameras, in English and Chinese.

The first word of each tuple is the usual one; the others are free wordings that only captions and stories use.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Light:
    """Time of day; the canonical caption says `name` after the place."""

    name: str
    english: tuple[str, ...]
    chinese: tuple[str, ...]


@dataclass(frozen=True)
class Weather:
    """What falls from the sky; the canonical caption says `phrase` last, nothing when it is empty."""

    name: str
    phrase: str
    english: tuple[str, ...]
    chinese: tuple[str, ...]


LIGHTS: dict[str, Light] = {
    light.name: light
    for light in (
        Light("day", ("in the daytime", "on a sunny day", "by day", "in the morning"), ("白天", "早上", "阳光下")),
        Light(
            "night",
            ("at night", "in the moonlight", "late at night", "by night"),
            ("晚上", "夜里", "夜晚", "月光下"),
        ),
        Light(
            "sunset",
            ("at sunset", "at dusk", "in the evening glow", "as the sun goes down"),
            ("傍晚", "黄昏", "日落时", "夕阳下"),
        ),
    )
}

WEATHERS: dict[str, Weather] = {
    w.name: w
    for w in (
        Weather(
            "clear",
            "",
            ("under a clear sky", "in clear weather", "when it is clear again"),
            ("天气晴朗", "天晴了", "晴空下"),
        ),
        Weather("rain", "raining", ("in the rain", "while it rains", "on a rainy day"), ("下着雨", "雨中", "下雨了")),
        Weather(
            "snow", "snowing", ("while it snows", "in falling snow", "as snow falls"), ("下着雪", "飘着雪花", "下雪了")
        ),
    )
}

CAMERAS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "static": (("",), ("",)),
    "pan left": (("the camera pans left", "camera moving left"), ("镜头向左移", "镜头左移")),
    "pan right": (("the camera pans right", "camera moving right"), ("镜头向右移", "镜头右移")),
    "zoom in": (("the camera zooms in", "camera moving closer"), ("镜头拉近", "镜头推近")),
    "zoom out": (("the camera zooms out", "camera moving away"), ("镜头拉远", "镜头推远")),
}
