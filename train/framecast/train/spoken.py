"""What people say that captions never do: other verbs, places and colours, the past, clauses that hang together.

Nothing of it says more than a scene does. A planner that has read only the world's own words loses the second half of
"flies over the desert, then lands in a forest", and plans a scene for "What a wonderful day!".
`framecast.train.telling` draws from these as often as `Habits.loose` says.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

from framecast.train import spoken_words as words
from framecast.train.world.scene import Scene
from framecast.train.world.vocabulary import ACTIONS, COLOURS, PLACES, Language

_VERBS = {
    phrase.split(" ")[0]
    for phrases in (*(action.english for action in ACTIONS.values()), *words.VERBS["en"].values())
    for phrase in phrases
}
_PRONOUN = re.compile(r"(?:then |next, |after that |later )?(?:it|he|she|they) (.*)", re.DOTALL)
_PRONOUN_ZH = re.compile(r"(?:然后|接着|后来|最后)?(?:它们|它|他|她)(.*)", re.DOTALL)


def either(usual: Sequence[str], other: Sequence[str], rng: random.Random, loose: float) -> str:
    """One of the usual words or, as often as `loose` says, of the others."""
    return rng.choice(other if rng.random() < loose else usual)


def colour(name: str, rng: random.Random, language: Language, loose: float) -> str:
    """A word for a colour, in Chinese without 的."""
    if rng.random() < loose / 2:
        return rng.choice(words.COLOURS[language][name])
    return name if language == "en" else COLOURS[name].chinese[0]


def verb(action: str, rng: random.Random, language: Language, loose: float) -> str:
    """What somebody does; in English as one says it of one, now."""
    usual = ACTIONS[action].english if language == "en" else ACTIONS[action].chinese
    return either(usual, words.VERBS[language][action], rng, loose)


def past(phrase: str) -> str:
    """ "flies up" → "flew up", "is playing" → "was playing"."""
    return " ".join(words.PAST.get(word) or _regular(word) for word in phrase.split(" "))


def _regular(word: str) -> str:
    return f"{word[:-1].removesuffix('e')}ed" if word in _VERBS and word.endswith("s") else word


def place(scene: Scene, rng: random.Random, language: Language, loose: float) -> str | None:
    """Where it is or goes to, in other words than the world's; None where those will do. In Chinese without 在."""
    if rng.random() >= loose:
        return None
    towards = words.TOWARDS[language].get(scene.action, words.ABOUT)
    if language == "en" and rng.random() < 0.5:
        _, the, where = rng.choice(PLACES[scene.place].english).partition(" the ")
        if the:
            return f"{rng.choice(towards)}{the}{where}"
    return rng.choice(words.PLACES[language][scene.place])


def going(scene: Scene, rng: random.Random, loose: float) -> str | None:
    """跑过沙滩: what somebody does and where, in one; None as `place`."""
    towards = words.TOWARDS["zh"].get(scene.action)
    if towards is None or rng.random() >= loose / 2:
        return None
    where = rng.choice((*PLACES[scene.place].chinese, *words.PLACES["zh"][scene.place]))
    return rng.choice(towards) + where.rstrip("里上中")


def there(scene: Scene, rng: random.Random, loose: float) -> str | None:
    """飘着: of who is somewhere; None as `place`."""
    verbs = words.THERE.get(scene.action)
    return rng.choice(verbs) if verbs and rng.random() < loose / 2 else None


def weathered(where: str, weather: str, rng: random.Random, language: Language) -> str | None:
    """ "in the rainy forest", 下雪的街道上; None where nothing falls or the words have no room for it."""
    adjectives = words.FALLING_ADJECTIVES[language].get(weather)
    if adjectives is None:
        return None
    adjective = rng.choice(adjectives)
    if language == "zh":
        return adjective + where
    article = next((article for article in (" the ", " a ") if article in where), None)
    return where.replace(article, f"{article}{adjective} ", 1) if article else None


def around(text: str, rng: random.Random, language: Language, loose: float, *, first: bool) -> str:
    """The sentence, a story's `first` or not, with words before it, behind it, or after it that say nothing of what is
    seen.
    """
    stop = ". " if language == "en" else "。"
    if rng.random() < loose / 3:
        text = rng.choice((words.BEFORE if first else words.LATER)[language]) + text
    if rng.random() < loose / 3 and not re.search("[.。]", text):
        text += (" " if language == "en" else "") + rng.choice(words.BEHIND[language])
    if rng.random() < loose / 5:
        text += stop + rng.choice(words.REMARKS[language])
    return text


def linked(sentences: Sequence[str], rng: random.Random, language: Language, loose: float) -> list[str]:
    """Sentences, some of them hung on the one before: "…, then runs away"."""
    pattern = _PRONOUN if language == "en" else _PRONOUN_ZH
    links: tuple[str, ...] = (
        (", then ", " and then ", " and ", ", ", ", before it ")
        if language == "en"
        else ("，然后", "，再", "，又", "，")
    )
    texts = list(sentences[:1])
    for text in sentences[1:]:
        match = pattern.fullmatch(text)
        if match and rng.random() < 1.5 * loose:
            texts[-1] += rng.choice(links) + match[1]
        else:
            texts.append(text)
    return texts
