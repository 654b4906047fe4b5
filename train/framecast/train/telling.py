"""The words of one sentence of a story: who does what, where, when and for how long, as somebody might put it."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, replace

from framecast.train import spoken, spoken_words
from framecast.train import surroundings as around
from framecast.train.captions import article
from framecast.train.habits import Habits
from framecast.train.wordings import (
    BEFOREHAND,
    DIRECTED,
    GREETINGS,
    LEADS,
    NOT_FALLING,
    denied_en,
    denied_zh,
    listed,
    many_en,
    many_zh,
)
from framecast.train.world.circumstances import CAMERAS, LIGHTS, WEATHERS
from framecast.train.world.scene import Scene
from framecast.train.world.vocabulary import ACTIONS, COLOURS, SUBJECTS, Language

DEFAULT_SECONDS = 2


@dataclass(frozen=True)
class Shot:
    """One scene of a storyboard with its length in seconds (1..8, at most one decimal)."""

    scene: Scene
    seconds: float = DEFAULT_SECONDS


@dataclass(frozen=True)
class Said:
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
    fell: str = "clear"
    """What fell before."""


def number(seconds: float) -> int | float:
    """Seconds as a storyboard writes them: whole ones without a point, others with one decimal."""
    return int(seconds) if seconds == int(seconds) else round(seconds, 1)


def sentence(shot: Shot, said: Said, rng: random.Random, language: Language, habits: Habits) -> str:
    """What is told of a shot, with what is told before it of the time of day, of the weather or of the sky."""
    scene, before, often = shot.scene, [], habits.beside * (1 if said.first else 3)
    if said.light and rng.random() < often:
        before.append(rng.choice(around.NIGHTFALL[language][scene.light]))
        said = replace(said, light=False)
    if said.weather and not said.first and rng.random() < often:
        words = around.FALLING[language].get(scene.weather) or around.CLEARING[language].get(said.fell)
        if words:
            before.append(rng.choice(words))
            said = replace(said, weather=False)
    if not before and (scene.light, scene.weather) == ("day", "clear") and rng.random() < habits.beside:
        before.append(rng.choice(around.SKIES[language]))
    text = (_english if language == "en" else _chinese)(shot, said, rng, habits)
    if len(before) == 1 and rng.random() < habits.loose / 2 and not re.search("[.。]", text):
        behind = before[0][0].lower() + before[0][1:]
        return f"{text}{rng.choice((' and ', ' as ', ', and ')) if language == 'en' else '，'}{behind}"
    if before and language == "en" and rng.random() < 0.8:
        text = text[0].upper() + text[1:]
    lead = rng.choice(("", "", *LEADS[language])) if before and not said.first else ""
    return lead + "".join(around.ahead(words, language) for words in before) + text


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
    return rng.choice(_LONGER) if seconds == _LONGEST and rng.random() < 0.5 else number(seconds)


def _length_en(seconds: float, rng: random.Random) -> str:
    number = _asked(seconds, rng)
    word = _NUMBERS_EN[number] if number in _NUMBERS_EN and rng.random() < 0.5 else str(number)
    unit = "second" if number == 1 else "seconds"
    return rng.choice((f"for {word} {unit}", f"for {word} {unit}", f"for about {word} {unit}"))


def _length_zh(seconds: float, rng: random.Random) -> str:
    number = _asked(seconds, rng)
    word = _NUMBERS_ZH[number] if number in _NUMBERS_ZH and rng.random() < 0.6 else str(number)
    return rng.choice((f"{word}秒", f"{word}秒钟"))


def _english(shot: Shot, said: Said, rng: random.Random, habits: Habits) -> str:
    scene = shot.scene
    noun = rng.choice(SUBJECTS[scene.subject].english)
    friend = rng.choice(SUBJECTS[scene.friend].english) if scene.friend else ""
    many = said.first and not friend and rng.random() < habits.many
    if said.pronoun:
        lead = rng.choice(("", "", "then ", "next, ", "after that ", "later "))
        who = lead + ("they" if friend else rng.choice(("he", "she")) if rng.random() < habits.loose else "it")
    elif said.first:
        adjective = "" if habits.terse else rng.choice(_ADJECTIVES_EN)
        adjectives = f"{adjective}{spoken.colour(scene.colour, rng, 'en', habits.loose) + ' ' if said.colour else ''}"
        thing = many_en(adjectives, noun, rng) if many else f"{adjectives}{noun}"
        the, bare = rng.random() < (0.5 if habits.terse else 0.15), rng.random() < 0.08
        who = thing if many or (bare and not friend) else f"the {thing}" if the else f"{article(thing)} {thing}"
        if not (the or many) and rng.random() < habits.beside:
            who = f"{rng.choice(around.OWNERS['en'])} {thing}"
        if not (the or many) and rng.random() < habits.loose / 4:
            who = f"{rng.choice(spoken_words.OWNERS['en'])} {thing}"
        if not friend and not many and scene.subject in around.ANIMALS and rng.random() < habits.beside / 2:
            who = thing = f"{who} {around.worn(rng, 'en')}"
        if not friend and not many and said.colour and not said.led and rng.random() < habits.beside / 2:
            who = thing = f"the {noun} is {scene.colour}. {rng.choice(('it', f'the {noun}'))}"
        elif not friend and not many and rng.random() < habits.denied:
            who = thing = denied_en(scene, adjectives, noun, rng, coloured=said.colour)
        if friend:
            other = f"{scene.friend_colour} {friend}"
            who += (
                f" {rng.choice(('with', 'with', 'and', 'and', 'carrying'))} {'the' if the else article(other)} {other}"
            )
        if who != thing and not habits.terse:
            who = rng.choice((who, who, who, f"there is {who}, which", f"once upon a time {who}"))
        if said.led:
            who = spoken.either(LEADS["en"], spoken_words.LEADS["en"], rng, habits.loose) + who
        elif not re.search("which|upon|[.]", who) and rng.random() < habits.loose / 4:
            pronoun = "they" if friend or many else rng.choice(("it", "it", "he", "she"))
            who = rng.choice(spoken_words.INTRODUCTIONS["en"]).format(who) + pronoun
    else:
        who = rng.choice(("", "", "then ", "next ")) + (f"the {noun} and the {friend}" if friend else f"the {noun}")
    bare = "which" not in who
    action = spoken.verb(scene.action, rng, "en", habits.loose)
    if habits.past:
        action = spoken.past(action)
    if many or (friend and " with " not in who and " carrying " not in who):
        action = plural(action)
    if not habits.terse and rng.random() < 0.12:
        action += " together" if friend else rng.choice((" happily", " quickly", " slowly", " around"))
    parts = [who, action]
    home = _comes_home(scene, said) and not friend and rng.random() < 3 * habits.beside + habits.loose
    if home:
        coming = spoken.either(around.HOMECOMING["en"], spoken_words.INSIDE["en"], rng, habits.loose)
        parts = [who, spoken.past(coming) if habits.past else coming]
    elif said.place:
        where = spoken.place(scene, rng, "en", habits.loose) or around.place(scene.place, rng, "en", habits.beside)
        under = said.weather and rng.random() < habits.loose and spoken.weathered(where, scene.weather, rng, "en")
        if under:
            where, said = under, replace(said, weather=False)
        if lived := _lived(scene, said, who, rng, habits):
            parts, bare = [lived], False
        parts.append(where)
    elif rng.random() < 0.2:
        parts.append("there")
    if said.seconds:
        parts.append(_length_en(shot.seconds, rng))
    text = " ".join(parts)
    if said.light:
        light = spoken.either(LIGHTS[scene.light].english, spoken_words.LIGHTS["en"][scene.light], rng, habits.loose)
        text = f"{light}, {text}" if bare and rng.random() < 0.4 else f"{text} {light}"
    elif said.first and bare and not said.seconds and scene.camera == "static" and rng.random() < 0.12:
        gerund = rng.choice(ACTIONS[scene.action].gerunds)
        titled = not friend and rng.random() < 0.4  # "white kitten playing in the garden"
        text = " ".join([thing if titled else who, gerund, *parts[2:]])
    return _aside(text, shot.scene, said, rng, habits, "en")


def _lived(scene: Scene, said: Said, who: str, rng: random.Random, habits: Habits) -> str | None:
    """ "there was a rabbit who lived": how tales begin; None where nobody begins one so."""
    if not said.first or said.seconds or scene.action != "play" or rng.random() >= habits.loose or "." in who:
        return None
    was, lived = ("was", "lived") if habits.past else ("is", "lives")
    once = rng.choice(("once upon a time there", "once there", "there")) if habits.past else "there"
    return f"{once} {was} {who.removeprefix('once upon a time ')} {rng.choice(('who', 'that'))} {lived}"


def _aside(text: str, scene: Scene, said: Said, rng: random.Random, habits: Habits, language: Language) -> str:
    """The sentence with its weather and its camera: behind a comma or, now and then, as sentences of their own."""
    comma, stop, column = (", ", ". ", 0) if language == "en" else ("，", "。", 1)
    words = WEATHERS[scene.weather].english if language == "en" else WEATHERS[scene.weather].chinese
    weather = rng.choice(words) if said.weather else ""
    if scene.weather == "clear" and rng.random() < (0.3 if weather else 0.3 * habits.aside):
        weather = rng.choice(NOT_FALLING[language])
    elif weather and said.first and rng.random() < habits.aside and scene.weather in BEFOREHAND[language]:
        text, weather = f"{rng.choice(BEFOREHAND[language][scene.weather])}{text}", ""
    camera = rng.choice(CAMERAS[scene.camera][column])
    if camera and rng.random() < habits.aside:
        return comma.join(filter(None, (f"{rng.choice(DIRECTED[language][scene.camera])}{text}", weather)))
    if camera and rng.random() < 3 * habits.aside:
        return f"{comma.join(filter(None, (text, weather)))}{stop}{camera}"
    return spoken.around(
        comma.join(filter(None, (text, weather, camera))),
        rng,
        language,
        habits.loose,
        first=said.first and not said.led,
    )


def _comes_home(scene: Scene, said: Said) -> bool:
    return said.place and not said.first and (scene.place, scene.action) == ("room", "play")


def plural(phrase: str) -> str:
    """The verb phrase for more than one: "plays happily" → "play happily", "is playing" → "are playing"."""
    verb, *rest = phrase.split(" ", 1)
    irregular = {"is": "are", "was": "were", "has": "have", "flies": "fly", "goes": "go", "passes": "pass"}
    irregular |= {verb: verb.removesuffix("es") for verb in ("rushes", "crosses", "stretches", "launches", "watches")}
    return " ".join([irregular.get(verb) or verb.removesuffix("s"), *rest])


def _chinese(shot: Shot, said: Said, rng: random.Random, habits: Habits) -> str:
    scene = shot.scene
    subject = SUBJECTS[scene.subject]
    noun = rng.choice(subject.chinese)
    friend = rng.choice(SUBJECTS[scene.friend].chinese) if scene.friend else ""
    if said.pronoun:
        who = rng.choice(("", "", "然后", "接着", "后来", "最后")) + (
            "它们" if friend else rng.choice("他她") if rng.random() < habits.loose / 2 else "它"
        )
    elif said.first:
        colour = ""
        if said.colour:
            long, *short = COLOURS[scene.colour].chinese
            short = [s for s in short if len(s) == 1]
            colour = rng.choice((f"{long}的", f"{long}的", f"{long}", *short))
            if rng.random() < habits.loose / 2:
                colour = f"{spoken.colour(scene.colour, rng, 'zh', 2)}{rng.choice(('的', '的', ''))}"
        lead = "" if habits.terse else rng.choice(("", "", "", "从前有", "有"))
        adjective = "" if habits.terse else rng.choice(_ADJECTIVES_ZH)
        who = f"{lead}一{subject.measure}{adjective}{colour}{noun}"
        if not lead and rng.random() < (0.6 if habits.terse else 0.25):
            who = f"{colour}{noun}"
        if not friend and rng.random() < habits.many:
            who = lead.removeprefix("从前") + many_zh(colour, noun, subject.measure, rng)
        if not friend and rng.random() < habits.denied:
            who = denied_zh(scene, who.removeprefix(lead), noun, rng, coloured=said.colour)
        if not (friend or lead) and rng.random() < habits.beside:
            who = f"{rng.choice(around.OWNERS['zh'])}{colour}{noun}"
        if not (friend or lead) and rng.random() < habits.loose / 4:
            who = f"{rng.choice(spoken_words.OWNERS['zh'])}{colour}{noun}"
        if not friend and scene.subject in around.ANIMALS and rng.random() < habits.beside / 2:
            who = f"{lead}一{subject.measure}{around.worn(rng, 'zh')}{colour}{noun}"
        if not friend and said.colour and not said.led and rng.random() < habits.beside / 2:
            who = f"{noun}是{COLOURS[scene.colour].chinese[0]}的，{rng.choice(('它', noun))}"
        if said.led:
            who = spoken.either(LEADS["zh"], spoken_words.LEADS["zh"], rng, habits.loose) + who.removeprefix("从前")
        if friend:
            other = f"一{SUBJECTS[scene.friend].measure}{COLOURS[scene.friend_colour].chinese[0]}的{friend}"
            who += rng.choice(("和", "和", "和", "带着", "拿着")) + other
        if not said.led and not re.search("[，。]", who) and rng.random() < habits.loose / 4:
            introduced = rng.choice(spoken_words.INTRODUCTIONS["zh"]).format(who.removeprefix(lead))
            who = introduced + ("它们" if friend else "它")
    else:
        who = rng.choice((noun, f"这{subject.measure}{noun}", f"然后{noun}", f"接着{noun}"))
        if friend:
            who += f"和{friend}"
    action = spoken.verb(scene.action, rng, "zh", habits.loose)
    place = spoken.place(scene, rng, "zh", habits.loose) or around.place(scene.place, rng, "zh", habits.beside)
    under = said.weather and rng.random() < habits.loose and spoken.weathered(place, scene.weather, rng, "zh")
    if said.place and under:
        place, said = under, replace(said, weather=False)
    where = f"在{place}" if said.place else ""
    if where and not under and (going := spoken.going(scene, rng, habits.loose)):
        where, action = "", going
    if _comes_home(scene, said) and not friend and rng.random() < 3 * habits.beside + habits.loose:
        where, action = "", spoken.either(around.HOMECOMING["zh"], spoken_words.INSIDE["zh"], rng, habits.loose)
    if not (said.place or said.seconds) and rng.random() < habits.loose / 2:
        action = rng.choice(("正在", "在", "正")) + action
    elif not said.place and rng.random() < 0.15:
        where = "在那里"
    lights = spoken_words.LIGHTS["zh"][scene.light] if rng.random() < habits.loose else LIGHTS[scene.light].chinese
    light = rng.choice(lights) if said.light else ""
    length = _length_zh(shot.seconds, rng) if said.seconds else ""
    act = rng.choice((f"{action}了{length}", f"{action}{length}", f"{action}，持续{length}")) if length else action
    forms = [f"{who}{light}{where}{act}", f"{light}，{who}{where}{act}" if light else f"{who}{where}{act}"]
    if where and not said.pronoun:
        forms.append(f"{light}{where}，{who}{act}" if light else f"{where}，{who}{act}")
    text = rng.choice(forms)
    if (
        said.first
        and where
        and not length
        and who.startswith("一")
        and (there := spoken.there(scene, rng, habits.loose))
    ):
        text = f"{light}{place}{there}{who}"
    elif said.first and where and not length and scene.action == "play" and rng.random() < habits.loose / 2:
        text = f"{light}{who}住{where}"
    return _aside(text, scene, said, rng, habits, "zh")


def join(sentences: list[str], rng: random.Random, language: Language, habits: Habits) -> str:
    """The whole text of a story's sentences, at least one: a paragraph, a list or a script, with a greeting or none."""
    sentences = spoken.linked(sentences, rng, language, habits.loose)
    if len(sentences) > 1 and rng.random() < 0.5 * habits.aside:
        return listed(sentences, language)
    if rng.random() < 0.4 * habits.beside + habits.loose / 6:
        return around.scripted(sentences, rng, language)
    greeting = rng.choice(GREETINGS[language]) if rng.random() < 0.5 * habits.aside else ""
    if rng.random() < habits.beside / 2:
        greeting = rng.choice(around.HEADINGS[language])
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
        if len(sentences) == 2 and rng.random() < habits.loose / 2:
            joint = rng.choice((" while ", ", and ", ", then ", " and then ", ", "))
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
