"""How people word a story when they do not write in full sentences: plurals, keywords, lists, openings, denials.

`framecast.train.stories` draws from these beside its full sentences; what is not said has the usual default.
"""

from __future__ import annotations

import random
from collections.abc import Mapping

from framecast.train.world.circumstances import LIGHTS
from framecast.train.world.scene import Scene
from framecast.train.world.vocabulary import COLOURS, PLACES, SUBJECTS, Language

RESTING = {
    "boat": "float",
    "fish": "float",
    "balloon": "float",
    "car": "right",
    "train": "right",
    "rocket": "fly",
    "ball": "jump",
    "tree": "grow",
    "flower": "grow",
}
"""What a subject does of which nothing is said but that it is there; all others play."""

_USUAL_PLACES = {"boat": "sea", "fish": "sea", "car": "street", "train": "street"}


def usual_place(subject: str) -> str:
    """Where a subject is of which nothing is said."""
    return _USUAL_PLACES.get(subject, "meadow")


GREETINGS = {
    "en": ("This is a story. ", "Good morning, children. ", "Today we learn something new. ", "Hello everyone! "),
    "zh": ("今天讲一个故事。", "同学们好。", "大家好！", "很久很久以前，", "今天我们来学习。"),
}
NOT_FALLING = {
    "en": ("it does not rain", "without rain", "it is not snowing", "there is no rain"),
    "zh": ("没有下雨", "不下雨", "没下雪", "没有雨"),
}
BEFOREHAND = {
    "en": {
        "rain": (
            *("It is raining. ", "It is raining. ", "Heavy rain falls as ", "It rains while ", "In heavy rain, "),
            *("Rain is falling over the houses. ", "Rain pours down, and ", "It rains all day. "),
        ),
        "snow": (
            *("It is snowing. ", "It is snowing. ", "Snow falls as ", "It snows while ", "In heavy snow, "),
            *("Snowflakes dance in the air. ", "Snow covers the roofs, and "),
        ),
    },
    "zh": {
        "rain": ("下雨了。", "下雨了。", "大雨中，", "外面下着雨，", "雨下得很大，", "下着大雨，", "雨水打在屋顶上，"),
        "snow": ("下雪了。", "下雪了。", "大雪中，", "外面下着雪，", "雪花飘落，", "大雪纷飞，"),
    },
}
"""A weather as a sentence of its own, or what begins one, before who it is about."""

DIRECTED: Mapping[Language, Mapping[str, tuple[str, ...]]] = {
    "en": {
        "zoom in": ("zoom in as ", "zoom in on ", "the camera zooms in while "),
        "zoom out": ("zoom out as ", "zoom out from ", "the camera zooms out while "),
        "pan left": ("pan left as ", "the camera pans left while "),
        "pan right": ("pan right as ", "the camera pans right while "),
    },
    "zh": {
        "zoom in": ("镜头推近，", "镜头拉近，"),
        "zoom out": ("镜头拉远，",),
        "pan left": ("镜头向左移动，", "镜头左移，"),
        "pan right": ("镜头向右移动，", "镜头右移，"),
    },
}
"""A camera before who it looks at."""

LEADS = {
    "en": ("then ", "then, ", "and ", "and then ", "meanwhile, ", "next to it ", "later ", "finally, ", "suddenly "),
    "zh": ("然后", "接着", "这时", "同时", "后来", "最后", "突然", "另外，"),
}
"""Before a sentence about somebody else."""

_MANY_EN = ("", "", "", "many ", "some ", "two ", "three ", "a lot of ")
_KEYWORD_PLACES = {"courtyard": "garden", "room": "living room", "sky": "sky"}


def plural_noun(noun: str) -> str:
    """ "puppy" → "puppies", "fish" → "fish"."""
    if noun.endswith("fish"):
        return noun
    return f"{noun[:-1]}ies" if noun.endswith("y") and noun[-2] not in "aeiou" else f"{noun}s"


def many_en(adjectives: str, noun: str, rng: random.Random) -> str:
    """ "two white dogs"; `adjectives` end in a space or are empty."""
    return f"{rng.choice(_MANY_EN)}{adjectives}{plural_noun(noun)}"


def many_zh(colour: str, noun: str, measure: str, rng: random.Random) -> str:
    """两只白色的小狗, 小狗们."""
    count = rng.choice((f"几{measure}", f"许多{measure}", "很多", f"两{measure}", f"三{measure}"))
    return rng.choice((f"{count}{colour}{noun}", f"{count}{colour}{noun}", f"{colour}{noun}们"))


def denied_en(scene: Scene, adjectives: str, noun: str, rng: random.Random, *, coloured: bool) -> str:
    """ "not a cat but a white dog", "a white dog, not a cat,", "a white and not black dog": what is not to be seen."""
    if coloured and rng.random() < 0.4:
        other = rng.choice([colour for colour in COLOURS if colour != scene.colour])
        return _one(f"{scene.colour} and not {other} {noun}")
    denied = _one(rng.choice(SUBJECTS[rng.choice([s for s in SUBJECTS if s != scene.subject])].english))
    one = _one(f"{adjectives}{noun}")
    return rng.choice((f"not {denied} but {one}", f"{one}, not {denied},", f"{one} and no {denied.split(' ', 1)[1]}"))


def denied_zh(scene: Scene, one: str, noun: str, rng: random.Random, *, coloured: bool) -> str:
    """不是小猫，而是一只小狗; `one` is the subject as it would be said."""
    if coloured and rng.random() < 0.4:
        colour, measure = COLOURS[scene.colour].chinese[0], SUBJECTS[scene.subject].measure
        other = rng.choice([c for c in COLOURS if c != scene.colour])
        return f"一{measure}{colour}的、不是{COLOURS[other].chinese[0]}的{noun}"
    denied = rng.choice(SUBJECTS[rng.choice([s for s in SUBJECTS if s != scene.subject])].chinese)
    return rng.choice((f"不是{denied}，是{one}", f"不是{denied}，而是{one}", f"{one}（不是{denied}）"))


def _one(thing: str) -> str:
    return f"{'an' if thing[0] in 'aeiou' else 'a'} {thing}"


def sparse(scene: Scene, rng: random.Random, language: Language, *, coloured: bool, lit: bool) -> str:
    """Words of a scene without a verb: who, where and, if `coloured` and `lit`, in which colour and when."""
    subject, place = SUBJECTS[scene.subject], PLACES[scene.place]
    if language == "zh":
        noun, where = rng.choice(subject.chinese), rng.choice(place.chinese)
        colour = rng.choice(COLOURS[scene.colour].chinese[:1]) + "的" if coloured else ""
        one, light = f"一{subject.measure}{colour}{noun}", rng.choice(LIGHTS[scene.light].chinese) if lit else ""
        text = rng.choice((f"有{one}在{where}", f"{one}在{where}", f"{where}有{one}", f"{where}的{colour}{noun}"))
        if rng.random() < 0.3:
            return rng.choice(("，", " ", "、")).join(filter(None, (f"{colour}{noun}", where[:-1], light)))
        return f"{light}，{text}" if light else text
    noun, where = rng.choice(subject.english), rng.choice(place.english)
    thing = f"{scene.colour} {noun}" if coloured else noun
    one = _one(thing)
    light = rng.choice(LIGHTS[scene.light].english) if lit else ""
    if rng.random() < 0.3:
        keyword = _KEYWORD_PLACES.get(scene.place, scene.place)
        return rng.choice((", ", ", ", " ", ". ")).join(filter(None, (thing, keyword, scene.light if lit else "")))
    text = rng.choice(
        (
            f"there is {one} {where}",
            f"{one} {where}",
            f"{thing} {where}",
            f"I saw {one} {where}",
            f"a picture of {one} {where}",
        )
    )
    return f"{text} {light}".strip()


def listed(sentences: list[str], language: Language) -> str:
    """A numbered list, a line a sentence."""
    mark = ". " if language == "en" else "、"
    return "\n".join(f"{index}{mark}{sentence}" for index, sentence in enumerate(sentences, 1))
