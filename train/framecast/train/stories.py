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

from framecast.train import surroundings as around
from framecast.train.captions import canonical
from framecast.train.habits import LOOSE, PLAIN, TERSE, USUAL, Habits
from framecast.train.telling import DEFAULT_SECONDS, Said, Shot, join, number, sentence
from framecast.train.wordings import RESTING, sparse, usual_place
from framecast.train.world.circumstances import CAMERAS, LIGHTS, WEATHERS
from framecast.train.world.scene import Combination, Scene, held_out, sample_scene
from framecast.train.world.vocabulary import ACTIONS, COLOURS, PLACES, SUBJECTS, Language

MAX_SCENES = 6


@dataclass(frozen=True)
class Story:
    """A text and the storyboard it means."""

    text: str
    shots: tuple[Shot, ...]
    language: Language


def storyboard(shots: tuple[Shot, ...]) -> str:
    """The planner's answer: minified JSON, keys in a fixed order."""
    scenes: list[dict[str, Any]] = [
        {"prompt": canonical(s.scene, camera=False), "seconds": number(s.seconds), "camera": s.scene.camera}
        for s in shots
    ]
    return json.dumps({"scenes": scenes}, separators=(",", ":"))


def sample_story(
    rng: random.Random,
    language: Language,
    *,
    seen: bool | None = True,
    excluded: frozenset[Combination] | None = None,
    habits: Habits = USUAL,
) -> Story:
    """Draws a story; `seen=False` makes its first scene a held-out combination (and so unseen by training)."""
    unseen = held_out() if excluded is None else excluded
    while True:
        story = _sample(rng, language, seen, unseen, habits)
        # What is not said is a default, and that makes another combination of a scene.
        if seen is None or (story.shots[0].scene.combination in unseen) != seen:
            return story


def _sample(
    rng: random.Random, language: Language, seen: bool | None, unseen: frozenset[Combination], habits: Habits
) -> Story:
    first = sample_scene(rng, seen=seen, excluded=unseen, moving_camera=habits.opening, falling=0.2)
    if rng.random() < habits.sparse:
        return _sparse(first, rng, language)
    count = rng.choice(habits.scenes)
    if rng.random() < habits.cast:
        habits, count = replace(habits, another=0.95, moved=0.25, placed=0.5, coloured=0.3), max(2, count)
        if rng.random() < 0.5:
            habits = replace(TERSE, scenes=habits.scenes, spoken=habits.spoken)
            first = replace(first, weather="clear", camera="static", friend="", friend_colour="")
    if rng.random() < habits.spoken:
        habits = replace(habits, loose=LOOSE, past=rng.random() < 0.4)
    light_said, colour_said = rng.random() < (0.05 if habits.terse else 0.4), rng.random() < habits.coloured
    place_said = rng.random() < habits.placed
    scene = replace(
        first,
        place=first.place if place_said else usual_place(first.subject),
        light=first.light if light_said else "day",
        colour=first.colour if colour_said else SUBJECTS[first.subject].colour,
    )
    if scene.friend_colour == scene.colour:
        scene = replace(scene, friend="", friend_colour="")
    weather_said = scene.weather != "clear"
    shots, sentences = [], []
    slugs = rng.choice(around.SLUGS[language]) if rng.random() < habits.beside / 3 and not habits.terse else ""
    for i in range(count):
        timed = rng.random() < (0.03 if habits.terse else 0.25)
        said = Said(True, colour_said, place_said, light_said, weather_said, timed, False, True)
        if i:
            scene, said = _following(scene, rng, habits, unseen if seen else frozenset())
        seconds = _seconds(rng) if said.seconds else DEFAULT_SECONDS
        shots.append(Shot(scene, seconds))
        if slugs:  # what stands above a scene need not be said in it
            said = replace(said, place=said.place and rng.random() < 0.3, light=False)
        sentences.append(sentence(shots[-1], said, rng, language, habits))
    if slugs:
        heads = [around.slug(shot.scene, i, slugs, rng, language) for i, shot in enumerate(shots)]
        stop = "." if language == "en" else "。"
        texts = [f"{head}{text[0].upper()}{text[1:]}{stop}" for head, text in zip(heads, sentences, strict=True)]
        return Story("\n".join(texts), tuple(shots), language)
    return Story(join(sentences, rng, language, habits), tuple(shots), language)


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
    if rng.random() < 0.15:
        scene = replace(scene, place=usual_place(scene.subject), light="day")
        return Story(around.bare(scene, rng, language, coloured=coloured), (Shot(scene),), language)
    return Story(sparse(scene, rng, language, coloured=coloured, lit=lit), (Shot(scene),), language)


def tell(scene: Scene, rng: random.Random, language: Language) -> str:
    """One sentence that says everything about a scene, in free words."""
    said = Said(True, True, True, True, scene.weather != "clear", False, False, True)
    return join([sentence(Shot(scene), said, rng, language, PLAIN)], rng, language, PLAIN)


def _seconds(rng: random.Random) -> float:
    return rng.choice((1, 2, 3, 3, 4, 4, 5, 6, 7, 8, 1.5, 2.5, 3.5))


def _following(scene: Scene, rng: random.Random, habits: Habits, unseen: frozenset[Combination]) -> tuple[Scene, Said]:
    """`_next`, of no combination that is `unseen`."""
    while True:
        following, said = _next(scene, rng, habits)
        if following.combination not in unseen:
            return following, replace(said, fell=scene.weather)


def _next(scene: Scene, rng: random.Random, habits: Habits) -> tuple[Scene, Said]:
    """The following shot: usually the same subject does something else, perhaps elsewhere or at another time."""
    place = rng.choice(list(PLACES)) if rng.random() < habits.moved else scene.place
    camera = rng.choice([c for c in CAMERAS if c != "static"]) if rng.random() < habits.camera else "static"
    light_said, weather_said = rng.random() < habits.light, rng.random() < habits.weather
    light = rng.choice(list(LIGHTS)) if light_said else scene.light
    weather = rng.choice(list(WEATHERS)) if weather_said else scene.weather
    action = rng.choice(list(ACTIONS))
    if rng.random() < habits.beside / 3 + habits.loose / 8:
        place, action = "room", "play"  # home
    following = replace(scene, action=action, place=place, camera=camera, light=light, weather=weather)
    moved = place != scene.place
    if rng.random() < habits.another:
        subject = rng.choice([s for s in SUBJECTS if s != scene.subject])
        coloured = rng.random() < habits.coloured
        colour = rng.choice(list(COLOURS)) if coloured else SUBJECTS[subject].colour
        following = replace(following, subject=subject, colour=colour, friend="", friend_colour="")
        led = rng.random() < 0.4
        timed = rng.random() < (0.03 if habits.terse else 0.2)
        said = Said(True, coloured, moved, light_said, weather_said, timed, False, True, led)
        return following, said
    pronoun = rng.random() < 0.75
    return following, Said(True, False, moved, light_said, weather_said, rng.random() < 0.2, pronoun, False)
