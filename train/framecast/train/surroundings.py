"""What stories say around who does what: nightfall, skies and lawns of a colour, headings, possessions, collars.

A planner that has never read them takes the blue of a sky for the colour of a kitten, and 天黑了 for a black kitten.
None of it changes what is to be seen but the time of day and the weather; `framecast.train.stories` puts it in.
"""

from __future__ import annotations

import random
from collections.abc import Mapping

from framecast.train.captions import article
from framecast.train.world.scene import Scene
from framecast.train.world.vocabulary import COLOURS, PLACES, SUBJECTS, Language

Words = Mapping[str, tuple[str, ...]]

NIGHTFALL: Mapping[Language, Words] = {
    "en": {
        "night": ("night falls", "it gets dark", "it is night", "the night comes", "it is dark now", "darkness falls"),
        "day": ("morning comes", "the sun rises", "it is day again", "a new day begins", "the day breaks"),
        "sunset": ("the sun sets", "the sun goes down", "evening comes", "it is evening", "the sky turns red"),
    },
    "zh": {
        "night": ("天黑了", "夜幕降临", "到了晚上", "晚上到了", "天色暗了下来", "夜深了", "月亮升起来了"),
        "day": ("天亮了", "太阳升起来了", "第二天早上", "到了早上", "新的一天开始了"),
        "sunset": ("太阳下山了", "太阳落山了", "夕阳西下", "到了傍晚", "天边的云红了"),
    },
}
"""The time of day as a sentence of its own, before what happens then."""

CLEARING: Mapping[Language, Words] = {
    "en": {
        "rain": ("the rain stops", "the rain is over", "it stops raining"),
        "snow": ("the snow stops", "it stops snowing"),
    },
    "zh": {"rain": ("雨停了", "雨过天晴", "雨不下了"), "snow": ("雪停了", "雪不下了")},
}
"""The end of a weather, by what fell before."""

FALLING: Mapping[Language, Words] = {
    "en": {"rain": ("it begins to rain", "it starts raining"), "snow": ("it begins to snow", "snow begins to fall")},
    "zh": {"rain": ("下雨了", "开始下雨", "突然下起了雨"), "snow": ("下雪了", "开始下雪", "下起了雪")},
}

COLOURED: Mapping[Language, Words] = {
    "en": {
        "meadow": ("on the green grass", "in a green meadow", "on the soft green lawn"),
        "sea": ("in the blue sea", "on the deep blue ocean", "in the clear blue water"),
        "beach": ("on the golden sand", "on a white beach", "on the yellow beach"),
        "snow": ("in the white snow", "in the deep white snow"),
        "forest": ("in the green forest", "in a dark green forest", "among green trees"),
        "sky": ("in the dark blue sky", "in the black night sky"),
        "desert": ("in the yellow desert", "on the golden dunes"),
        "room": ("on a red sofa at home", "in a room with white walls"),
        "courtyard": ("in a courtyard with red walls", "in the green garden"),
        "street": ("on the grey street", "in front of a yellow house on the street"),
    },
    "zh": {
        "meadow": ("绿色的草地上", "绿油油的草地上", "碧绿的草原上"),
        "sea": ("蓝色的大海里", "蔚蓝的大海上", "碧蓝的湖面上"),
        "beach": ("金色的沙滩上", "白色的沙滩上", "金黄的海滩上"),
        "snow": ("白色的雪地里", "白茫茫的雪地上"),
        "forest": ("绿色的森林里", "翠绿的树林里"),
        "sky": ("深蓝色的夜空中", "黑色的夜空中"),
        "desert": ("黄色的沙漠里", "金黄的沙丘上"),
        "room": ("家里的红色沙发上", "白色的房间里"),
        "courtyard": ("红墙的庭院里", "绿色的花园里"),
        "street": ("灰色的马路上", "黄色房子前的街道上"),
    },
}
"""Places with a colour of their own."""

SKIES: Mapping[Language, tuple[str, ...]] = {
    "en": (
        "The sky is blue",
        "The grass is green",
        "White clouds are in the sky",
        "The trees are green",
        "Red roofs shine",
        "It is spring",
        "It is summer",
        "Autumn has come",
    ),
    "zh": (
        "天空是蓝色的",
        "蓝天白云下",
        "草是绿色的",
        "天上飘着白云",
        "阳光金灿灿的",
        "红色的屋顶闪闪发光",
        "春天来了",
        "春天",
        "夏天",
        "秋天到了",
    ),
}
"""Colours of what is not the subject, of a day without rain."""

HEADINGS: Mapping[Language, tuple[str, ...]] = {
    "en": (
        "News: ",
        "Breaking news: ",
        "Documentary: ",
        "Story: ",
        "Lesson 1: ",
        "Happy birthday! ",
        "Dear Anna, ",
        "My diary: ",
        "Please show me ",
        "Title: ",
        "BREAKING: ",
        "Good evening, here is the news. ",
        "Lesson 3: The seasons. ",
        "Act one. ",
        "For grandma: ",
        "Once more, slowly: ",
    ),
    "zh": (
        *("新闻：", "今日新闻：", "纪录片：", "故事：", "第一课：", "生日快乐！", "亲爱的小明，", "日记：", "请画"),
        *("本台消息：", "【新闻】", "第三课：四季。", "第一幕。", "祝奶奶生日快乐！", "片名：", "同学们，请看："),
    ),
}
SCENES: Mapping[Language, tuple[str, ...]] = {
    "en": ("Scene {}: ", "SCENE {}. ", "Shot {}: ", "Day {}: ", "({}) "),
    "zh": ("场景{}：", "第{}幕：", "镜头{}：", "第{}天，", "（{}）"),
}
"""Before each sentence of a script; a number stands in the braces."""

SLUGS: Mapping[Language, tuple[str, ...]] = {
    "en": ("{side}. {place} - {light}\n", "{side}. {place} - {light}\n", "{number}. {side}. {place} - {light}\n"),
    "zh": ("第{number}场 {side} {place} {light}\n", "第{number}场 {place} {light}\n", "{number}. {place}，{light}\n"),
}
SLUG_PLACES: Mapping[Language, Words] = {
    "en": {
        "courtyard": ("COURTYARD", "GARDEN", "BACKYARD"),
        "beach": ("BEACH", "SHORE"),
        "forest": ("FOREST", "WOODS"),
        "street": ("STREET", "CITY STREET", "ROAD"),
        "snow": ("SNOW FIELD", "SNOW"),
        "meadow": ("MEADOW", "PARK", "FIELD"),
        "sea": ("SEA", "OCEAN", "LAKE"),
        "room": ("LIVING ROOM", "HOUSE", "KITCHEN"),
        "sky": ("STARRY SKY", "SKY", "SPACE"),
        "desert": ("DESERT",),
    },
    "zh": {
        "courtyard": ("庭院", "院子", "花园"),
        "beach": ("海滩", "沙滩", "海边"),
        "forest": ("森林", "树林"),
        "street": ("街道", "马路", "大街"),
        "snow": ("雪地", "雪原"),
        "meadow": ("草地", "草原", "公园"),
        "sea": ("大海", "海上", "湖面"),
        "room": ("客厅", "家里", "房间"),
        "sky": ("星空", "夜空", "太空"),
        "desert": ("沙漠",),
    },
}
SLUG_LIGHTS: Mapping[Language, Mapping[str, tuple[str, ...]]] = {
    "en": {"day": ("DAY", "MORNING"), "night": ("NIGHT",), "sunset": ("SUNSET", "EVENING")},
    "zh": {"day": ("日", "白天"), "night": ("夜", "夜晚"), "sunset": ("黄昏", "傍晚")},
}
"""A film script's heading before every scene: where it is, and when."""

OWNERS: Mapping[Language, tuple[str, ...]] = {
    "en": ("my", "my", "our", "your", "her", "my friend's", "Anna's"),
    "zh": ("我的", "我的", "我家的", "我们的", "小明的", "邻居的"),
}

WORN: Mapping[Language, tuple[str, ...]] = {
    "en": ("with {} eyes", "with a {} hat", "with a {} ribbon", "wearing a {} scarf"),
    "zh": ("戴着{}帽子的", "有{}眼睛的", "系着{}围巾的"),
}
"""Of animals: what has a colour and is not drawn."""

HOMECOMING: Mapping[Language, tuple[str, ...]] = {
    "en": ("goes home and sleeps", "comes home to rest", "returns home and sleeps", "goes home"),
    "zh": ("回家睡觉", "回到家里睡觉", "回家休息", "回到家里玩", "回家了"),
}
"""Of who plays in the room: where and what in one."""

BARE: Mapping[Language, tuple[str, ...]] = {
    "en": ("{noun}", "{noun}", "{one}", "my {noun}", "I love my {noun}.", "a picture of {one}", "draw {one}"),
    "zh": ("{noun}", "{noun}", "{one}", "我的{noun}", "我爱我的{noun}。", "画{one}", "一张{noun}的图片"),
}
"""Nothing but who."""

ANIMALS = frozenset(("kitten", "dog", "rabbit", "bird"))


def place(name: str, rng: random.Random, language: Language, often: float) -> str:
    """Where it is, in Chinese without 在; `often` in a colour."""
    if rng.random() < often:
        return rng.choice(COLOURED[language][name])
    return rng.choice(PLACES[name].english if language == "en" else PLACES[name].chinese)


def bare(scene: Scene, rng: random.Random, language: Language, *, coloured: bool) -> str:
    """Who, and nothing else: "dog", 我的小猫."""
    subject = SUBJECTS[scene.subject]
    noun = rng.choice(subject.english if language == "en" else subject.chinese)
    if language == "zh":
        noun = f"{COLOURS[scene.colour].chinese[0]}的{noun}" if coloured else noun
        return rng.choice(BARE["zh"]).format(noun=noun, one=f"一{subject.measure}{noun}")
    noun = f"{scene.colour} {noun}" if coloured else noun
    return rng.choice(BARE["en"]).format(noun=noun, one=f"{article(noun)} {noun}")


def worn(rng: random.Random, language: Language) -> str:
    """ "with a red hat", 戴着红色帽子的."""
    colour = rng.choice(list(COLOURS))
    said = colour if language == "en" else COLOURS[colour].chinese[0] + "的" * (rng.random() < 0.5)
    return rng.choice(WORN[language]).format(said)


def ahead(sentence: str, language: Language) -> str:
    """`sentence` before another: "Night falls. ", 天黑了，."""
    return f"{sentence[0].upper()}{sentence[1:]}. " if language == "en" else f"{sentence}，"


def slug(scene: Scene, index: int, form: str, rng: random.Random, language: Language) -> str:
    """The heading of scene number `index`, from 0: "EXT. BEACH - NIGHT", 第一场 外景 海滩 夜."""
    inside = scene.place == "room"
    side = ("INT" if inside else "EXT") if language == "en" else ("内景" if inside else "外景")
    number = "一二三四五六"[index] if language == "zh" and "第" in form else index + 1
    where = rng.choice(SLUG_PLACES[language][scene.place])
    light = rng.choice(SLUG_LIGHTS[language][scene.light])
    return form.format(side=side, place=where, light=light, number=number)


def scripted(sentences: list[str], rng: random.Random, language: Language) -> str:
    """A script: every sentence with its number, most often on a line of its own."""
    mark = rng.choice(SCENES[language])
    numbers = "一二三四五六" if language == "zh" and rng.random() < 0.6 else "123456"
    lines = [mark.format(numbers[index]) + sentence for index, sentence in enumerate(sentences)]
    if rng.random() < 0.3:
        joint = ". " if language == "en" else "。"
        return joint.join(lines) + joint.strip()
    return "\n".join(lines)
