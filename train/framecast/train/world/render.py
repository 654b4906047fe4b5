"""Draws a scene as frames: background, shadow, subjects, weather; 256×256 at 24 frames a second by default."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import skia  # type: ignore[import-not-found]

from framecast.train.world import animals, plants, things
from framecast.train.world.motion import VIEW, Pose, Start, pose_at
from framecast.train.world.paint import RGB, Brush, mix
from framecast.train.world.places import INDOORS, LEFT, PLACES_DRAWN, SHADOW, WIDTH, WINDOW, Palette, palette_of
from framecast.train.world.scene import Scene
from framecast.train.world.vocabulary import COLOURS
from framecast.train.world.weather import fall

Frames = npt.NDArray[np.uint8]

SUBJECTS_DRAWN: dict[str, Callable[[Brush, RGB, Pose], None]] = {
    "kitten": animals.kitten,
    "dog": animals.dog,
    "rabbit": animals.rabbit,
    "bird": animals.bird,
    "fish": animals.fish,
    "butterfly": animals.butterfly,
    "ball": things.ball,
    "car": things.car,
    "boat": things.boat,
    "train": things.train,
    "rocket": things.rocket,
    "balloon": things.balloon,
    "flower": plants.flower,
    "tree": plants.tree,
}

WATER: RGB = (84, 168, 214)

MIDDLE = 54.0
"""Height of a subject's middle above its feet: what it spins around."""


@dataclass(frozen=True)
class Film:
    """Size and speed of the frames."""

    size: int = 256
    fps: int = 24
    subject_scale: float = 1.06


def render(
    scene: Scene, seed: int, frames: int, *, start: float = 0.0, film: Film | None = None, empty: bool = False
) -> Frames:
    """Draws `frames` frames from `start` seconds into the scene.

    The same (scene, seed) is the same scene at any `start`: a long scene can be drawn piece by piece. With `empty` the
    subjects and their shadows are left out.

    Returns:
        uint8 [frames, size, size, 3], sRGB.

    Raises:
        KeyError: the scene has a word that is not drawn yet.
        ValueError: `frames` is not positive.
    """
    if frames < 1:
        raise ValueError(f"frames must be positive, got {frames}")
    film = film or Film()
    out = np.empty((frames, film.size, film.size, 3), np.uint8)
    for i, pixels in enumerate(_draw(scene, seed, frames, start, film, empty)):
        out[i] = pixels[..., :3]
    return out


def _draw(
    scene: Scene, seed: int, frames: int, start: float, film: Film, empty: bool
) -> Iterator[npt.NDArray[np.uint8]]:
    rng = random.Random(seed)
    begin = Start()
    palette = palette_of(scene.light, scene.weather)
    picture = _record(lambda brush: PLACES_DRAWN[scene.place](brush, rng, palette))

    pixels = np.zeros((film.size, film.size, 4), np.uint8)
    surface = skia.Surface(pixels)
    canvas = surface.getCanvas()
    brush = Brush(canvas)
    # A still camera sees the same background in every frame: draw it once.
    still = _raster(picture, film.size) if scene.camera == "static" else None
    for i in range(frames):
        seconds = start + i / film.fps
        canvas.save()
        if still is not None:
            canvas.drawImage(still, 0, 0)
        canvas.scale(film.size / VIEW, film.size / VIEW)
        canvas.save()
        if still is None:
            _aim(canvas, scene.camera, seconds)
            canvas.drawPicture(picture)
        if scene.place in INDOORS:
            canvas.save()
            canvas.clipRect(skia.Rect.MakeXYWH(*WINDOW))
            fall(brush, scene.weather, seconds)
            canvas.restore()
        for actor in () if empty else _cast(scene, begin, film.subject_scale):
            _act(brush, actor, scene, begin, seconds, palette)
        if scene.place == "sea":
            brush.box(LEFT, begin.ground - 22, WIDTH, 128, palette.lit(WATER), alpha=0.5)
        canvas.restore()
        if scene.place not in INDOORS:
            fall(brush, scene.weather, seconds)
        canvas.restore()
        surface.flushAndSubmit()
        yield pixels


@dataclass(frozen=True)
class _Actor:
    """A subject with its place beside the middle and its size; `late` seconds behind the first."""

    subject: str
    colour: str
    x: float
    scale: float
    late: float = 0.0


def _cast(scene: Scene, begin: Start, scale: float) -> tuple[_Actor, ...]:
    if not scene.friend:
        return (_Actor(scene.subject, scene.colour, 0.0, scale),)
    small = scale * 0.74
    return (
        _Actor(scene.friend, scene.friend_colour, 46.0, small, late=0.2),
        _Actor(scene.subject, scene.colour, -46.0, small),
    )


def _act(brush: Brush, actor: _Actor, scene: Scene, begin: Start, seconds: float, palette: Palette) -> None:
    pose = pose_at(scene.action, begin, seconds - actor.late)
    body = mix(COLOURS[actor.colour].rgb, palette.veil, palette.share * 0.32)
    scale = actor.scale * pose.size
    if scene.place not in ("sea", "sky"):
        near = 1.0 - min(pose.lift, 150.0) / 190.0
        wide = near * scale
        brush.oval(pose.x + actor.x, begin.ground + 1, 48 * wide, 8 * wide, SHADOW, alpha=0.26 * near)
    with (
        brush.moved(pose.x + actor.x, pose.y - MIDDLE * scale, turn=pose.turn),
        brush.moved(0, MIDDLE * scale, scale=(pose.facing * scale / pose.squash, scale * pose.squash)),
    ):
        SUBJECTS_DRAWN[actor.subject](brush, body, pose)


def _aim(canvas: Any, camera: str, seconds: float) -> None:
    """Moves the view; eased towards a limit, so that a long scene never leaves the painted width."""
    travel = 1.0 - 2.0 ** (-seconds / 2.0)  # 0 at the start, 1/2 after two seconds, never past 1
    if camera in ("pan left", "pan right"):
        canvas.translate((-1 if camera == "pan right" else 1) * (travel - 0.25) * 110, 0)
        return
    zoom = 1.0 + 0.7 * travel if camera == "zoom in" else 1.0 + 0.45 * (1.0 - travel)
    canvas.translate(128, 160)
    canvas.scale(zoom, zoom)
    canvas.translate(-128, -160)


def _record(draw: Callable[[Brush], None]) -> Any:
    recorder = skia.PictureRecorder()
    draw(Brush(recorder.beginRecording(skia.Rect.MakeXYWH(LEFT, -128, WIDTH, 512))))
    return recorder.finishRecordingAsPicture()


def _raster(picture: Any, size: int) -> Any:
    surface = skia.Surface(size, size)
    canvas = surface.getCanvas()
    canvas.scale(size / VIEW, size / VIEW)
    canvas.drawPicture(picture)
    return surface.makeImageSnapshot()
