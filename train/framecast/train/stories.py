"""Stories with known storyboards: what the planner learns from and is scored on.

A story is one to six sentences about one subject, sometimes with a friend, sometimes about another one later. Later
sentences may say 它/it, leave out what stays the same, or change the place, the time, the weather or the action; the
storyboard always says everything.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, replace
from typing import Any

from framecast.train.captions import article, canonical
from framecast.train.habits import PLAIN, TERSE, USUAL, Habits
from framecast.train.wordings import (
    BEFOREHAND,
    GREETINGS,
    LEADS,
    NOT_FALLING,
    RESTING,
    denied_en,
    denied_zh,
    listed,
    many_en,
    many_zh,
    sparse,
)
from framecast.train.world.circumstances import CAMERAS, LIGHTS, WEATHERS
from framecast.train.world.scene import Combination, Scene, sample_scene
from framecast.train.world.vocabulary import ACTIONS, COLOURS, PLACES, SUBJECTS, Language

DEFAULT_SECONDS = 2
MAX_SCENES = 6
DEFAULT_PLACE = "meadow"


@dataclass(frozen=True)
class Shot:
    """One scene of a storyboard with its length in seconds (1..8, at most one decimal)."""

    scene: Scene
    seconds: float = DEFAULT_SECONDS


@dataclass(frozen=True)
class Story:
    """A text and the storyboard it means."""

    text: str
    shots: tuple[Shot, ...]
    language: Language


def storyboard(shots: tuple[Shot, ...]) -> str:
    """The planner's answer: minified JSON, keys in a fixed order."""
    scenes: list[dict[str, Any]] = [
        {"prompt": canonical(s.scene, camera=False), "seconds": _number(s.seconds), "camera": s.scene.camera}
        for s in shots
    ]
    return json.dumps({"scenes": scenes}, separators=(",", ":"))


def _number(seconds: float) -> int | float:
    return int(seconds) if seconds == int(seconds) else round(seconds, 1)


@dataclass(frozen=True)
class _Said:
    """What a sentence states of a shot; the rest is carried over or is a default."""

    who: bool
    colour: bool
    place: bool
    light: bool
    weather: bool
    seconds: bool
    pronoun: bool
    first: bool
    led: bool = False


def sample_story(
    rng: random.Random,
    language: Language,
    *,
    seen: bool | None = True,
    excluded: frozenset[Combination] | None = None,
    habits: Habits = USUAL,
) -> Story:
    """Draws a story; `seen=False` makes its first scene a held-out combination (and so unseen by training)."""
    first = sample_scene(rng, seen=seen, excluded=excluded, moving_camera=habits.opening, falling=0.2)
    if rng.random() < habits.sparse:
        return _sparse(first, rng, language)
    count = rng.choice(habits.scenes)
    if rng.random() < habits.cast:
        habits, count = replace(habits, another=0.95, moved=0.25, placed=0.5, coloured=0.3), max(2, count)
        if rng.random() < 0.5:
            habits = replace(TERSE, scenes=habits.scenes)
            first = replace(first, weather="clear", camera="static", friend="", friend_colour="")
    light_said, colour_said = rng.random() < (0.05 if habits.terse else 0.4), rng.random() < habits.coloured
    place_said = rng.random() < habits.placed
    scene = replace(
        first,
        place=first.place if place_said else DEFAULT_PLACE,
        light=first.light if light_said else "day",
        colour=first.colour if colour_said else SUBJECTS[first.subject].colour,
    )
    if scene.friend_colour == scene.colour:
        scene = replace(scene, friend="", friend_colour="")
    weather_said = scene.weather != "clear"
    shots, sentences = [], []
    for i in range(count):
        timed = rng.random() < (0.03 if habits.terse else 0.25)
        said = _Said(True, colour_said, place_said, light_said, weather_said, timed, False, True)
        if i:
            scene, said = _next(scene, rng, habits)
        seconds = _seconds(rng) if said.seconds else DEFAULT_SECONDS
        shots.append(Shot(scene, seconds))
        sentences.append((_english if language == "en" else _chinese)(shots[-1], said, rng, habits))
    return Story(_join(sentences, rng, language, habits), tuple(shots), language)


def _sparse(first: Scene, rng: random.Random, language: Language) -> Story:
    coloured, lit = rng.random() < 0.4, rng.random() < 0.3
    scene = replace(
        first,
        action=RESTING.get(first.subject, "play"),
        colour=first.colour if coloured else SUBJECTS[first.subject].colour,
        light=first.light if lit else "day",
        weather="clear",
        camera="static",
        friend="",
        friend_colour="",
    )
    return Story(sparse(scene, rng, language, coloured=coloured, lit=lit), (Shot(scene),), language)


def tell(scene: Scene, rng: random.Random, language: Language) -> str:
    """One sentence that says everything about a scene, in free words."""
    said = _Said(True, True, True, True, scene.weather != "clear", False, False, True)
    return _join([(_english if language == "en" else _chinese)(Shot(scene), said, rng, PLAIN)], rng, language, PLAIN)


def _seconds(rng: random.Random) -> float:
    return rng.choice((1, 2, 3, 3, 4, 4, 5, 6, 7, 8, 1.5, 2.5, 3.5))


def _next(scene: Scene, rng: random.Random, habits: Habits) -> tuple[Scene, _Said]:
    """The following shot: usually the same subject does something else, perhaps elsewhere or at another time."""
    place = rng.choice(list(PLACES)) if rng.random() < habits.moved else scene.place
    camera = rng.choice([c for c in CAMERAS if c != "static"]) if rng.random() < habits.camera else "static"
    light_said, weather_said = rng.random() < habits.light, rng.random() < habits.weather
    light = rng.choice(list(LIGHTS)) if light_said else scene.light
    weather = rng.choice(list(WEATHERS)) if weather_said else scene.weather
    following = replace(
        scene, action=rng.choice(list(ACTIONS)), place=place, camera=camera, light=light, weather=weather
    )
    moved = place != scene.place
    if rng.random() < habits.another:
        subject = rng.choice([s for s in SUBJECTS if s != scene.subject])
        coloured = rng.random() < habits.coloured
        colour = rng.choice(list(COLOURS)) if coloured else SUBJECTS[subject].colour
        following = replace(following, subject=subject, colour=colour, friend="", friend_colour="")
        led = rng.random() < 0.4
        timed = rng.random() < (0.03 if habits.terse else 0.2)
        said = _Said(True, coloured, moved, light_said, weather_said, timed, False, True, led)
        return following, said
    pronoun = rng.random() < 0.75
    return following, _Said(True, False, moved, light_said, weather_said, rng.random() < 0.2, pronoun, False)


_NUMBERS_EN: dict[float, str] = dict(
    enumerate(["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"], 1)
)
_NUMBERS_ZH: dict[float, str] = dict(enumerate("一两三四五六七八九十", 1))
_LONGEST, _LONGER = 8, (9, 10, 10, 12, 15, 20, 30, 60)  # a scene ends after eight seconds, however long it is asked for
_ADJECTIVES_EN = (
    "",
    "",
    "",
    "cute ",
    "little ",
    "happy ",
    "lovely ",
    "small ",
    "brave ",
    "big ",
    "beautiful ",
    "young ",
)
_ADJECTIVES_ZH = ("", "", "", "可爱的", "快乐的", "漂亮的", "勇敢的", "小小的", "调皮的", "大大的", "美丽的")


def _asked(seconds: float, rng: random.Random) -> int | float:
    return rng.choice(_LONGER) if seconds == _LONGEST and rng.random() < 0.5 else _number(seconds)


def _length_en(seconds: float, rng: random.Random) -> str:
    number = _asked(seconds, rng)
    word = _NUMBERS_EN[number] if number in _NUMBERS_EN and rng.random() < 0.5 else str(number)
    unit = "second" if number == 1 else "seconds"
    return rng.choice((f"for {word} {unit}", f"for {word} {unit}", f"for about {word} {unit}"))


def _length_zh(seconds: float, rng: random.Random) -> str:
    number = _asked(seconds, rng)
    word = _NUMBERS_ZH[number] if number in _NUMBERS_ZH and rng.random() < 0.6 else str(number)
    return rng.choice((f"{word}秒", f"{word}秒钟"))


def _english(shot: Shot, said: _Said, rng: random.Random, habits: Habits) -> str:
    scene = shot.scene
    noun = rng.choice(SUBJECTS[scene.subject].english)
    friend = rng.choice(SUBJECTS[scene.friend].english) if scene.friend else ""
    many = said.first and not friend and rng.random() < habits.many
    if said.pronoun:
        lead = rng.choice(("", "", "then ", "next, ", "after that ", "later "))
        who = lead + ("they" if friend else "it")
    elif said.first:
        adjective = "" if habits.terse else rng.choice(_ADJECTIVES_EN)
        adjectives = f"{adjective}{scene.colour + ' ' if said.colour else ''}"
        thing = many_en(adjectives, noun, rng) if many else f"{adjectives}{noun}"
        the, bare = rng.random() < (0.5 if habits.terse else 0.15), rng.random() < 0.08
        who = thing if many or (bare and not friend) else f"the {thing}" if the else f"{article(thing)} {thing}"
        if not friend and not many and rng.random() < habits.denied:
            who = thing = denied_en(scene, adjectives, noun, rng, coloured=said.colour)
        if friend:
            other = f"{scene.friend_colour} {friend}"
            who += f" {rng.choice(('with', 'and'))} {'the' if the else article(other)} {other}"
        if who != thing and not habits.terse:
            who = rng.choice((who, who, who, f"there is {who}, which", f"once upon a time {who}"))
        if said.led:
            who = rng.choice(LEADS["en"]) + who
    else:
        who = rng.choice(("", "", "then ", "next ")) + (f"the {noun} and the {friend}" if friend else f"the {noun}")
    bare = "which" not in who
    action = rng.choice(ACTIONS[scene.action].english)
    if many or (friend and " with " not in who):
        action = plural(action)
    if not habits.terse and rng.random() < 0.12:
        action += " together" if friend else rng.choice((" happily", " quickly", " slowly", " around"))
    parts = [who, action]
    if said.place:
        parts.append(rng.choice(PLACES[scene.place].english))
    elif rng.random() < 0.2:
        parts.append("there")
    if said.seconds:
        parts.append(_length_en(shot.seconds, rng))
    text = " ".join(parts)
    if said.light:
        light = rng.choice(LIGHTS[scene.light].english)
        text = f"{light}, {text}" if bare and rng.random() < 0.4 else f"{text} {light}"
    elif said.first and bare and not said.seconds and scene.camera == "static" and rng.random() < 0.12:
        gerund = rng.choice(ACTIONS[scene.action].gerunds)
        titled = not friend and rng.random() < 0.4  # "white kitten playing in the garden"
        text = " ".join([thing if titled else who, gerund, *parts[2:]])
    return _aside(text, shot.scene, said, rng, habits, "en")


def _aside(text: str, scene: Scene, said: _Said, rng: random.Random, habits: Habits, language: Language) -> str:
    """The sentence with its weather and its camera: behind a comma or, now and then, as sentences of their own."""
    comma, stop, column = (", ", ". ", 0) if language == "en" else ("，", "。", 1)
    words = WEATHERS[scene.weather].english if language == "en" else WEATHERS[scene.weather].chinese
    weather = rng.choice(words) if said.weather else ""
    if scene.weather == "clear" and rng.random() < (0.3 if weather else 0.3 * habits.aside):
        weather = rng.choice(NOT_FALLING[language])
    elif weather and said.first and rng.random() < habits.aside and scene.weather in BEFOREHAND[language]:
        text, weather = f"{BEFOREHAND[language][scene.weather]}{text}", ""
    camera = rng.choice(CAMERAS[scene.camera][column])
    if camera and rng.random() < 3 * habits.aside:
        return f"{comma.join(filter(None, (text, weather)))}{stop}{camera}"
    return comma.join(filter(None, (text, weather, camera)))


def plural(phrase: str) -> str:
    """The verb phrase for more than one: "plays happily" → "play happily", "is playing" → "are playing"."""
    verb, *rest = phrase.split(" ", 1)
    irregular = {"is": "are", "has": "have", "flies": "fly", "goes": "go"}
    return " ".join([irregular.get(verb) or verb.removesuffix("s"), *rest])


def _chinese(shot: Shot, said: _Said, rng: random.Random, habits: Habits) -> str:
    scene = shot.scene
    subject = SUBJECTS[scene.subject]
    noun = rng.choice(subject.chinese)
    friend = rng.choice(SUBJECTS[scene.friend].chinese) if scene.friend else ""
    if said.pronoun:
        who = rng.choice(("", "", "然后", "接着", "后来", "最后")) + ("它们" if friend else "它")
    elif said.first:
        colour = ""
        if said.colour:
            long, *short = COLOURS[scene.colour].chinese
            short = [s for s in short if len(s) == 1]
            colour = rng.choice((f"{long}的", f"{long}的", f"{long}", *short))
        lead = "" if habits.terse else rng.choice(("", "", "", "从前有", "有"))
        adjective = "" if habits.terse else rng.choice(_ADJECTIVES_ZH)
        who = f"{lead}一{subject.measure}{adjective}{colour}{noun}"
        if not lead and rng.random() < (0.6 if habits.terse else 0.25):
            who = f"{colour}{noun}"
        if not friend and rng.random() < habits.many:
            who = lead.removeprefix("从前") + many_zh(colour, noun, subject.measure, rng)
        if not friend and rng.random() < habits.denied:
            who = denied_zh(scene, who.removeprefix(lead), noun, rng, coloured=said.colour)
        if said.led:
            who = rng.choice(LEADS["zh"]) + who.removeprefix("从前")
        if friend:
            who += f"和一{SUBJECTS[scene.friend].measure}{COLOURS[scene.friend_colour].chinese[0]}的{friend}"
    else:
        who = rng.choice((noun, f"这{subject.measure}{noun}", f"然后{noun}", f"接着{noun}"))
        if friend:
            who += f"和{friend}"
    action = rng.choice(ACTIONS[scene.action].chinese)
    where = f"在{rng.choice(PLACES[scene.place].chinese)}" if said.place else ""
    if not said.place and rng.random() < 0.15:
        where = "在那里"
    light = rng.choice(LIGHTS[scene.light].chinese) if said.light else ""
    length = _length_zh(shot.seconds, rng) if said.seconds else ""
    act = rng.choice((f"{action}了{length}", f"{action}{length}", f"{action}，持续{length}")) if length else action
    forms = [f"{who}{light}{where}{act}", f"{light}，{who}{where}{act}" if light else f"{who}{where}{act}"]
    if where and not said.pronoun:
        forms.append(f"{light}{where}，{who}{act}" if light else f"{where}，{who}{act}")
    text = rng.choice(forms)
    return _aside(text, scene, said, rng, habits, "zh")


def _join(sentences: list[str], rng: random.Random, language: Language, habits: Habits) -> str:
    if len(sentences) > 1 and rng.random() < 0.5 * habits.aside:
        return listed(sentences, language)
    greeting = rng.choice(GREETINGS[language]) if rng.random() < 0.5 * habits.aside else ""
    return greeting + _joined(sentences, rng, language, habits)


def _joined(sentences: list[str], rng: random.Random, language: Language, habits: Habits) -> str:
    if language == "en":
        stop = "" if len(sentences) == 1 and rng.random() < 0.5 else "."
        joint = rng.choice((". ", ". ", "; ")) if len(sentences) < 3 else ". "
        if habits.terse and len(sentences) > 1:
            joint, last = rng.choice(
                ((". ", ". "), (". ", ". "), ("! ", "! "), (", ", " and "), (", ", ", and "), ("\n", "\n"))
            )
            joined = joint.join(_capitals(sentences[:-1], joint)) + last + _capitals(sentences[-1:], last)[0]
            return joined[0].upper() + joined[1:] + ("!" if joint == "! " else ".")
        if rng.random() < habits.aside:
            joint = rng.choice(("! ", "! ", "\n", ".\n", ", and " if len(sentences) == 2 else ", "))
            stop = "!" if joint == "! " else stop
        capital = rng.random() < 0.8
        texts = [s[0].upper() + s[1:] if capital and (joint == ". " or i == 0) else s for i, s in enumerate(sentences)]
        return joint.join(texts) + stop
    stop = "" if len(sentences) == 1 and rng.random() < 0.5 else "。"
    joint = rng.choice(("。", "。", "，", "；")) if len(sentences) < 3 else "。"
    if rng.random() < (0.5 if habits.terse else habits.aside):
        joint = rng.choice(("！", "\n", "，") if habits.terse else ("！", "\n", "。\n"))
    return joint.join(sentences) + stop


def _capitals(sentences: list[str], joint: str) -> list[str]:
    return [s[0].upper() + s[1:] for s in sentences] if joint.strip(" \n") in ("", ".", "!") else sentences
