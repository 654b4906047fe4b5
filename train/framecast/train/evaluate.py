"""Evaluates the whole family on what training never saw, and writes the table and the contact sheet that users read.

Clips come from a running server when one is named, so that what is judged is what is served; from the diffusers
pipeline otherwise.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from framecast.train.bundle import SEGMENT_LATENTS, BundleConfig
from framecast.train.bundle import film as pipe_film
from framecast.train.captions import canonical
from framecast.train.folding import FOLD
from framecast.train.judge import QUESTIONS, Judge, answers, shrink, verdicts
from framecast.train.models import Pipeline
from framecast.train.scores import flicker, frechet, seam
from framecast.train.world.circumstances import LIGHTS
from framecast.train.world.render import render
from framecast.train.world.scene import Scene, sample_scene
from framecast.train.world.vocabulary import ACTIONS, COLOURS, PLACES, SUBJECTS

Frames = npt.NDArray[np.uint8]
Filmer = Callable[[Scene, float, int], Frames]
"""(scene, seconds, seed) → uint8 [T, H, W, 3]."""

SEGMENT_FRAMES = 48


@dataclass(frozen=True)
class Judged:
    """Scores of generated clips.

    Attributes:
        seen: share of right answers by question, on combinations of the training set.
        unseen: the same on combinations that training never saw.
        clips: how many were judged.
        mistaken: how often which subject was taken for which other, "kitten → dog" and a count.
        flicker: mean second difference in grey levels; `drawn_flicker` that of renders of the same scenes.
        seam: mean jump at segment borders against the changes around them; `inner_seam` at borders of latents inside a
            segment; `drawn_seam` of renders at the segment borders' frames. None where films have one segment only, as
            those of the pipeline.
        distance: Fréchet distance of the judge's features to renders of the same scenes; `drawn_distance` from those to
            renders of as many other scenes, which chance alone sets apart.
    """

    seen: dict[str, float]
    unseen: dict[str, float]
    clips: int
    mistaken: dict[str, int]
    flicker: float
    drawn_flicker: float
    seam: float | None
    inner_seam: float | None
    drawn_seam: float | None
    distance: float
    drawn_distance: float


def judged_scenes(count: int, *, seen: bool, seed: int) -> list[Scene]:
    """`count` scenes with one subject and a still camera, drawn uniformly."""
    rng = random.Random(f"evaluation {seen} {seed}")
    return [sample_scene(rng, seen=seen, moving_camera=0.0, friends=0.0, falling=0.2) for _ in range(count)]


def judge_clips(judge: Judge, film: Filmer, *, count: int = 240, long: int = 12, seed: int = 1) -> Judged:
    """Films `count` clips, half of them of unseen combinations, and `long` clips of two segments; scores them all."""
    shares, features, flickers, drawn_flickers, drawn_small = {}, [], [], [], []
    mistaken: Counter[str] = Counter()
    subjects, column = QUESTIONS["subject"], list(QUESTIONS).index("subject")
    for seen in (True, False):
        scenes = judged_scenes(count // 2, seen=seen, seed=seed)
        small = []
        for i, scene in enumerate(scenes):
            frames = film(scene, 2.0, i)
            small.append(shrink(frames))
            drawn = render(scene, i, len(frames))
            drawn_small.append(shrink(drawn))
            flickers.append(flicker(frames))
            drawn_flickers.append(flicker(drawn))
        given, found = verdicts(judge, np.stack(small))
        right = np.array([answers(scene) for scene in scenes])
        shares[seen] = {name: float((given[:, i] == right[:, i]).mean()) for i, name in enumerate(QUESTIONS)}
        pairs = zip(right[:, column], given[:, column], strict=True)
        mistaken.update(f"{subjects[asked]} → {subjects[named]}" for asked, named in pairs if asked != named)
        features.append(found.double().numpy())
    _, drawn_features = verdicts(judge, np.stack(drawn_small))
    other_scenes = [scene for seen in (True, False) for scene in judged_scenes(count // 2, seen=seen, seed=seed + 2)]
    others = [shrink(render(scene, 10_000 + i, len(frames))) for i, scene in enumerate(other_scenes)]
    _, other_features = verdicts(judge, np.stack(others))
    seams, inner_seams, drawn_seams = [], [], []
    inner = range(3 * FOLD.frames, SEGMENT_FRAMES - 2 * FOLD.frames, FOLD.frames)
    for i, scene in enumerate(judged_scenes(long, seen=True, seed=seed + 1)):
        frames = film(scene, 4.0, i)
        if len(frames) > SEGMENT_FRAMES:
            seams.append(seam(frames, SEGMENT_FRAMES))
            inner_seams += [seam(frames, at) for at in inner]
            drawn_seams.append(seam(render(scene, i, len(frames)), SEGMENT_FRAMES))
    return Judged(
        seen=shares[True],
        unseen=shares[False],
        clips=len(flickers),
        mistaken=dict(mistaken.most_common()),
        flicker=float(np.mean(flickers)),
        drawn_flicker=float(np.mean(drawn_flickers)),
        seam=float(np.mean(seams)) if seams else None,
        inner_seam=float(np.mean(inner_seams)) if seams else None,
        drawn_seam=float(np.mean(drawn_seams)) if seams else None,
        distance=frechet(drawn_features.double().numpy(), np.concatenate(features)),
        drawn_distance=frechet(drawn_features.double().numpy(), other_features.double().numpy()),
    )


def fixed_scenes() -> list[Scene]:
    """The 24 scenes of the contact sheet: every word of the vocabulary, chosen once and for all."""
    rng = random.Random("contact sheet")
    subjects, colours, places = list(SUBJECTS), list(COLOURS), list(PLACES)
    actions, lights = list(ACTIONS), list(LIGHTS)
    scenes = []
    for i in range(24):
        scene = Scene(
            subjects[i % len(subjects)],
            colours[(3 * i + i // 8) % len(colours)],
            places[(7 * i + i // 10) % len(places)],
            actions[i % len(actions)],
            lights[i % len(lights)],
            "rain" if i in (5, 17) else "snow" if i in (10, 22) else "clear",
            "pan right" if i == 7 else "zoom in" if i == 15 else "static",
        )
        scenes.append(scene)
    scenes[20] = replace(scenes[20], friend="ball", friend_colour="red" if scenes[20].colour != "red" else "blue")
    rng.shuffle(scenes)
    return scenes


def captioned(film: Filmer, scenes: list[Scene], *, columns: int = 6) -> list[tuple[str, Frames]]:
    """Evenly spaced frames of one clip a scene, for a contact sheet."""
    rows = []
    for i, scene in enumerate(scenes):
        frames = film(scene, 2.0, 1000 + i)
        picks = [round(k * (len(frames) - 1) / (columns - 1)) for k in range(columns)]
        rows.append((canonical(scene), frames[picks]))
    return rows


def piped(pipe: Pipeline, config: BundleConfig) -> Filmer:
    """Films through the diffusers pipeline, one segment at most."""

    def film(scene: Scene, seconds: float, seed: int) -> Frames:
        latents = min(SEGMENT_LATENTS, round(seconds * config.fps / FOLD.frames))
        caption = canonical(scene)
        clip = pipe_film(
            pipe, [caption], steps=config.steps, guidance=config.guidance_scale, seed=seed, latents=latents
        )
        return clip[0].numpy()

    return film


def require_served(address: str, bundle: Path) -> None:
    """The server's models are the bundle's. Raises ValueError where it says that they are of another."""
    from framecast.client import VideoClient

    with VideoClient(address) as client:
        found = client.server_info().bundle
    if found != bundle.resolve().name:
        raise ValueError(
            f"the server at {address} serves {found}, not {bundle.resolve().name}: serve that one, or score without a "
            "server (--address '')"
        )


def served(address: str) -> Filmer:
    """Films through a running server, as any client would: over gRPC, from the encoded video."""
    import io

    import av

    from framecast.client import Camera, Chunk, VideoClient, VideoOptions
    from framecast.client import Scene as Asked

    client = VideoClient(address)

    def film(scene: Scene, seconds: float, seed: int) -> Frames:
        asked = Asked(canonical(scene, camera=False), seconds, Camera(scene.camera))
        events = client.generate(scenes=[asked], options=VideoOptions(seed=seed))
        data = b"".join(event.data for event in events if isinstance(event, Chunk))
        with av.open(io.BytesIO(data), "r") as video:
            frames: Frames = np.stack([frame.to_ndarray(format="rgb24") for frame in video.decode(video=0)]).astype(
                np.uint8
            )
        return frames

    return film


def write(judged: Judged, figures: dict[str, Any], out: Path) -> None:
    """Keeps every figure in `out` as JSON."""
    keep({**figures, "clips": asdict(judged)}, out)


def keep(figures: dict[str, Any], out: Path) -> None:
    """Writes figures as JSON."""
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(figures, indent=2, allow_nan=False) + "\n", encoding="utf-8")
