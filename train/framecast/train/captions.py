"""Captions: the canonical English form that the planner writes and the text encoder mostly sees, and free wordings.

Canonical: `a white kitten plays in the courtyard, day`, with `, raining` and `, pan left` and the like when they hold;
a second subject is `a white kitten with a red ball plays …`.
"""

from __future__ import annotations

import random
import re

from framecast.train.world.circumstances import CAMERAS, LIGHTS, WEATHERS
from framecast.train.world.scene import Scene
from framecast.train.world.vocabulary import ACTIONS, COLOURS, PLACES, SUBJECTS, Language


def article(word: str) -> str:
    """ "a" or "an", by the first letter."""
    return "an" if word[0] in "aeiou" else "a"


def named(colour: str, subject: str) -> str:
    """ "a red kitten"."""
    return f"{article(colour)} {colour} {subject}"


def canonical(scene: Scene, *, camera: bool = True) -> str:
    """The one exact caption of a scene; the camera is left out when it is static or `camera` is False."""
    who = named(scene.colour, scene.subject)
    if scene.friend:
        who += f" with {named(scene.friend_colour, scene.friend)}"
    words = [f"{who} {ACTIONS[scene.action].phrase} {PLACES[scene.place].phrase}", scene.light]
    if scene.weather != "clear":
        words.append(WEATHERS[scene.weather].phrase)
    if camera and scene.camera != "static":
        words.append(scene.camera)
    return ", ".join(words)


_COLOURS, _LIGHTS = "|".join(COLOURS), "|".join(LIGHTS)
_ACTIONS = "|".join(action.phrase for action in ACTIONS.values())
_PLACES = "|".join(place.phrase for place in PLACES.values())
_WEATHERS = "|".join(weather.phrase for weather in WEATHERS.values() if weather.phrase)
_CANONICAL = re.compile(
    r"an? (?P<colour>\w+) (?P<subject>\w+)(?: with an? (?P<friend_colour>\w+) (?P<friend>\w+))?"
    rf" (?P<action>{_ACTIONS}) (?P<place>{_PLACES}), (?P<light>{_LIGHTS})(?:, (?P<weather>{_WEATHERS}))?"
    rf"(?:, (?P<camera>{'|'.join(c for c in CAMERAS if c != 'static')}))?"
)


def form(subjects: str) -> str:
    """A regular expression, for grammars, of all canonical captions without a camera; `subjects` is that of nouns."""
    thing = f"an? ({_COLOURS}) ({subjects})"
    return f"^{thing}( with {thing})? ({_ACTIONS}) ({_PLACES}), ({_LIGHTS})(, ({_WEATHERS}))?$"


def parse(caption: str) -> Scene:
    """Reads a canonical caption back.

    Raises:
        ValueError: the caption is not canonical, or has a word the world does not know.
    """
    match = _CANONICAL.fullmatch(caption)
    if match is None:
        raise ValueError(f"expected 'a COLOUR SUBJECT ACTION PLACE, LIGHT[, WEATHER][, CAMERA]', got {caption!r}")
    said = match.groupdict(default="")
    for key, known in (("colour", COLOURS), ("subject", SUBJECTS), ("friend_colour", COLOURS), ("friend", SUBJECTS)):
        if said[key] and said[key] not in known:
            raise ValueError(f"unknown word {said[key]!r} in {caption!r}")
    return Scene(
        said["subject"],
        said["colour"],
        next(p.name for p in PLACES.values() if p.phrase == said["place"]),
        next(a.name for a in ACTIONS.values() if a.phrase == said["action"]),
        said["light"],
        next(w.name for w in WEATHERS.values() if w.phrase == said["weather"]),
        said["camera"] or "static",
        said["friend"],
        said["friend_colour"],
    )


def free(scene: Scene, rng: random.Random, language: Language) -> str:
    """A free wording of the same scene."""
    return _english(scene, rng) if language == "en" else _chinese(scene, rng)


def training_caption(scene: Scene, rng: random.Random) -> str:
    """What a training sample carries: 70 % canonical, 15 % free English, 15 % free Chinese."""
    draw = rng.random()
    if draw < 0.7:
        return canonical(scene)
    return free(scene, rng, "en" if draw < 0.85 else "zh")


_ADJECTIVES_EN = ("", "", "", "cute ", "little ", "happy ", "lovely ")
_ADJECTIVES_ZH = ("", "", "", "可爱的", "快乐的", "漂亮的")


def _english(scene: Scene, rng: random.Random) -> str:
    subject = rng.choice(SUBJECTS[scene.subject].english)
    adjective = rng.choice(_ADJECTIVES_EN)
    thing = f"{adjective}{scene.colour} {subject}"
    thing = f"{article(thing)} {thing}"
    if scene.friend:
        other = f"{scene.friend_colour} {rng.choice(SUBJECTS[scene.friend].english)}"
        thing += f" with {article(other)} {other}"
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
    falling = rng.choice(WEATHERS[scene.weather].english) if scene.weather != "clear" else ""
    extras = (falling, rng.choice(CAMERAS[scene.camera][0]))
    return ", ".join([text, *(extra for extra in extras if extra)])


def _chinese(scene: Scene, rng: random.Random) -> str:
    subject = SUBJECTS[scene.subject]
    colour = COLOURS[scene.colour].chinese[0] + "的"
    thing = f"一{subject.measure}{rng.choice(_ADJECTIVES_ZH)}{colour}{rng.choice(subject.chinese)}"
    if scene.friend:
        friend = SUBJECTS[scene.friend]
        thing += f"和一{friend.measure}{COLOURS[scene.friend_colour].chinese[0]}的{rng.choice(friend.chinese)}"
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
    falling = rng.choice(WEATHERS[scene.weather].chinese) if scene.weather != "clear" else ""
    extras = (falling, rng.choice(CAMERAS[scene.camera][1]))
    return "，".join([text, *(extra for extra in extras if extra)])
