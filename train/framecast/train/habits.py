"""What the stories of `framecast.train.stories` say, how often, and what they leave out."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Habits:
    """How often a story says the things that most sentences leave out.

    Attributes:
        camera: a later sentence moves the camera.
        opening: the first one does.
        light, weather: a later sentence changes them, or says them again.
        moved: it goes elsewhere.
        another: it is about another subject.
        coloured: a subject is introduced with its colour.
        placed: the first sentence says where.
        scenes: how many scenes, each as likely.
        sparse: a story has no verb, and so one scene.
        many: the first sentence is about several, of whom one is filmed.
        aside: something is said as a sentence of its own (the weather, the camera, a greeting), a list is
            numbered, or rain is denied.
        cast: every sentence is about somebody else, and short.
        denied: it is said who, or which colour, is not to be seen.
        beside: what is around is told as well: nightfall, a blue sky, a heading, whose the cat is, what it wears.
        terse: sentences of who does what, and little else; half of the casts are.
        spoken: a story is told as people talk (`framecast.train.spoken`): then `loose` is `LOOSE`, and now and then
            all of it is `past`.
        loose: how often a word or a joint is one that no caption has.
        past: what happens has happened.
    """

    camera: float = 0.12
    opening: float = 0.15
    light: float = 0.2
    weather: float = 0.12
    moved: float = 0.5
    another: float = 0.14
    coloured: float = 0.6
    placed: float = 0.93
    scenes: tuple[int, ...] = (1, 1, 1, 2, 2, 3, 3, 4, 5, 6)
    sparse: float = 0.1
    many: float = 0.15
    aside: float = 0.12
    cast: float = 0.12
    denied: float = 0.06
    beside: float = 0.12
    terse: bool = False
    spoken: float = 0.35
    loose: float = 0.0
    past: bool = False


LOOSE = 0.4
USUAL = Habits()
BUSY = Habits(
    camera=0.4, opening=0.4, light=0.3, weather=0.3, moved=0.5, another=0.2, scenes=(1, 2, 3, 4, 4, 5, 5, 6, 6, 6)
)
"""What is rare in usual stories – a camera that moves out, a sky that clears up, a sixth scene – is common in these: of
the storyboards that a planner got wrong after usual stories alone, most were wrong in a camera only (docs/log.md)."""

TERSE = Habits(
    camera=0.03,
    light=0.03,
    weather=0.03,
    moved=0.15,
    another=0.95,
    coloured=0.1,
    placed=0.25,
    many=0.03,
    aside=0.03,
    denied=0.03,
    beside=0.03,
    terse=True,
)
"""Of a cast: who does what, one after the other."""

PLAIN = Habits(sparse=0.0, many=0.0, aside=0.0, cast=0.0, denied=0.0, beside=0.0, spoken=0.0)
"""Full sentences about one."""
