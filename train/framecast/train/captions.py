"""Captions: the canonical English form that the planner writes and the text encoder mostly sees, and free wordings.

Canonical: `a white kitten plays in the courtyard, day`, with `, pan left` and the like when the camera moves.
"""

from __future__ import annotations

import random

from framecast.train.world.scene import Scene
from framecast.train.world.vocabulary import ACTIONS, CAMERAS, COLOURS, LIGHTS, PLACES, SUBJECTS, Language


def article(word: str) -> str:
    """ "a" or "an", by the first letter."""
    return "an" if word[0] in "aeiou" else "a"


def canonical(scene: Scene, *, camera: bool = True) -> str:
    """The one exact caption of a scene; the camera is left out when it is static or `camera` is False."""
    words = (
        f"{article(scene.colour)} {scene.colour} {scene.subject} {ACTIONS[scene.action].phrase} "
        f"{PLACES[scene.place].phrase}, {scene.light}"
    )
    return f"{words}, {scene.camera}" if camera and scene.camera != "static" else words


def parse(caption: str) -> Scene:
    """Reads a canonical caption back.

    Raises:
        ValueError: the caption is not canonical; the message says which part.
    """
    sentence, *rest = caption.split(", ")
    if not 1 <= len(rest) <= 2:
        raise ValueError(f"expected 'sentence, light[, camera]', got {caption!r}")
    words = sentence.split(" ", 3)
    if len(words) != 4 or words[0] != article(words[1]):
        raise ValueError(f"no article, colour and subject in {caption!r}")
    _, colour, subject, tail = words
    action = next((a for a in ACTIONS.values() if tail.startswith(a.phrase + " ")), None)
    if action is None:
        raise ValueError(f"no action in {caption!r}")
    place = next((p for p in PLACES.values() if tail == f"{action.phrase} {p.phrase}"), None)
    if place is None:
        raise ValueError(f"no place in {caption!r}")
    light, camera = rest[0], rest[1] if len(rest) == 2 else "static"
    for word, known in ((colour, COLOURS), (subject, SUBJECTS), (light, LIGHTS), (camera, CAMERAS)):
        if word not in known:
            raise ValueError(f"unknown word {word!r} in {caption!r}")
    return Scene(subject, colour, place.name, action.name, light, camera)


def free(scene: Scene, rng: random.Random, language: Language) -> str:
    """A free wording of the same scene."""
    return _english(scene, rng) if language == "en" else _chinese(scene, rng)


def training_caption(scene: Scene, rng: random.Random) -> str:
    """What a training sample carries: 60 % canonical, 20 % free English, 20 % free Chinese."""
    draw = rng.random()
    if draw < 0.6:
        return canonical(scene)
    return free(scene, rng, "en" if draw < 0.8 else "zh")


_ADJECTIVES_EN = ("", "", "", "cute ", "little ", "happy ", "lovely ")
_ADJECTIVES_ZH = ("", "", "", "可爱的", "快乐的", "漂亮的")


def _english(scene: Scene, rng: random.Random) -> str:
    subject = rng.choice(SUBJECTS[scene.subject].english)
    adjective = rng.choice(_ADJECTIVES_EN)
    thing = f"{adjective}{scene.colour} {subject}"
    thing = f"{article(thing)} {thing}"
    action, place = ACTIONS[scene.action], rng.choice(PLACES[scene.place].english)
    light = rng.choice(LIGHTS[scene.light].english)
    text = rng.choice(
        (
            f"{thing} {rng.choice(action.english)} {place} {light}",
            f"{light}, {thing} {rng.choice(action.english)} {place}",
            f"{thing} {rng.choice(action.gerunds)} {place}, {light}",
            f"{place} {thing} {rng.choice(action.english)}, {light}",
        )
    )
    camera = rng.choice(CAMERAS[scene.camera][0])
    return f"{text}, {camera}" if camera else text


def _chinese(scene: Scene, rng: random.Random) -> str:
    subject = SUBJECTS[scene.subject]
    colour = COLOURS[scene.colour].chinese[0] + "的"
    thing = f"一{subject.measure}{rng.choice(_ADJECTIVES_ZH)}{colour}{rng.choice(subject.chinese)}"
    action, place = rng.choice(ACTIONS[scene.action].chinese), rng.choice(PLACES[scene.place].chinese)
    light = rng.choice(LIGHTS[scene.light].chinese)
    text = rng.choice(
        (
            f"{light}，{thing}在{place}{action}",
            f"{thing}{light}在{place}{action}",
            f"{place}，{thing}在{action}，{light}",
            f"在{place}，{light}，{thing}{action}",
        )
    )
    camera = rng.choice(CAMERAS[scene.camera][1])
    return f"{text}，{camera}" if camera else text
