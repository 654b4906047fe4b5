"""A scene as data, how scenes are drawn at random, and which combinations training never sees."""

from __future__ import annotations

import hashlib
import itertools
import random
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from framecast.train.world.circumstances import CAMERAS, LIGHTS, WEATHERS
from framecast.train.world.vocabulary import ACTIONS, COLOURS, PLACES, SUBJECTS

Combination = tuple[str, str, str, str]
"""(subject, colour, place, action)."""

HELD_OUT_FILE = Path(__file__).with_name("held_out.txt")
HELD_OUT_SHARE = 0.12


@dataclass(frozen=True)
class Scene:
    """What one scene shows; every field is a key of the vocabulary.

    Attributes:
        friend: a second subject beside the first, which does the same; "" for none.
        friend_colour: its colour; "" without one.
    """

    subject: str
    colour: str
    place: str
    action: str
    light: str = "day"
    weather: str = "clear"
    camera: str = "static"
    friend: str = ""
    friend_colour: str = ""

    @property
    def combination(self) -> Combination:
        """The four fields that the held-out split is made of."""
        return (self.subject, self.colour, self.place, self.action)


def all_combinations() -> list[Combination]:
    """Every (subject, colour, place, action), in vocabulary order."""
    return list(itertools.product(SUBJECTS, COLOURS, PLACES, ACTIONS))


def choose_held_out(share: float = HELD_OUT_SHARE) -> list[Combination]:
    """Picks the held-out combinations by hash, so that adding a word never moves the old ones."""

    def score(combination: Combination) -> float:
        digest = hashlib.sha256("|".join(combination).encode()).digest()
        return int.from_bytes(digest[:4], "big") / 2**32

    return [c for c in all_combinations() if score(c) < share]


def write_held_out(path: Path = HELD_OUT_FILE) -> int:
    """Writes the list, one `subject colour place action` a line; returns how many."""
    chosen = choose_held_out()
    path.write_text("".join(" ".join(c) + "\n" for c in chosen), encoding="utf-8")
    held_out.cache_clear()
    return len(chosen)


@cache
def held_out(path: Path = HELD_OUT_FILE) -> frozenset[Combination]:
    """Reads the list that training leaves out, once a process.

    Raises:
        ValueError: a line does not have four words.
    """
    combinations = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        words = line.split()
        if len(words) != 4:
            raise ValueError(f"{path}:{number}: expected 'subject colour place action', got {line!r}")
        combinations.append((words[0], words[1], words[2], words[3]))
    return frozenset(combinations)


def sample_scene(
    rng: random.Random,
    *,
    seen: bool | None = True,
    excluded: frozenset[Combination] | None = None,
    moving_camera: float = 0.2,
    falling: float = 0.25,
    friends: float = 0.15,
    practised: frozenset[str] = frozenset(),
) -> Scene:
    """Draws a scene uniformly.

    Args:
        rng: source of randomness.
        seen: True for training combinations only, False for held-out ones only, None for both.
        excluded: the held-out list, read from its file when not given.
        moving_camera: share of scenes whose camera is not static.
        falling: share of scenes with rain or snow.
        friends: share of scenes with a second subject, of another kind and colour.
        practised: words of the vocabulary; a scene that has one of them is drawn three times as often as one without.
    """
    unseen = held_out() if excluded is None else excluded
    while True:
        combination = (
            rng.choice(list(SUBJECTS)),
            rng.choice(list(COLOURS)),
            rng.choice(list(PLACES)),
            rng.choice(list(ACTIONS)),
        )
        if seen is not None and (combination not in unseen) != seen:
            continue
        if not practised or not practised.isdisjoint(combination) or rng.random() < 1 / 3:
            break
    camera = rng.choice([c for c in CAMERAS if c != "static"]) if rng.random() < moving_camera else "static"
    weather = rng.choice([w for w in WEATHERS if w != "clear"]) if rng.random() < falling else "clear"
    scene = Scene(*combination, light=rng.choice(list(LIGHTS)), weather=weather, camera=camera)
    return with_friend(scene, rng) if rng.random() < friends else scene


def with_friend(scene: Scene, rng: random.Random) -> Scene:
    """The same scene with a second subject of another kind and another colour."""
    kind = rng.choice([s for s in SUBJECTS if s != scene.subject])
    colour = rng.choice([c for c in COLOURS if c != scene.colour])
    return replace(scene, friend=kind, friend_colour=colour)
