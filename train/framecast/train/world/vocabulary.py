"""Who is filmed, where, and doing what: subjects, colours, places and actions, in English and Chinese.

The first word of each tuple is the usual one; the others are free wordings that only captions and stories use.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Language = Literal["en", "zh"]


@dataclass(frozen=True)
class Subject:
    """One kind of subject.

    Attributes:
        name: canonical English noun.
        english: English nouns a story may use.
        chinese: Chinese nouns a story may use.
        measure: Chinese measure word.
        colour: canonical colour when none is stated.
    """

    name: str
    english: tuple[str, ...]
    chinese: tuple[str, ...]
    measure: str
    colour: str


@dataclass(frozen=True)
class Colour:
    """One body colour: `rgb` is 8-bit sRGB."""

    name: str
    rgb: tuple[int, int, int]
    chinese: tuple[str, ...]


@dataclass(frozen=True)
class Place:
    """One background; `phrase` is the canonical English adverbial, such as "in the courtyard"."""

    name: str
    phrase: str
    english: tuple[str, ...]
    chinese: tuple[str, ...]


@dataclass(frozen=True)
class Action:
    """One motion; `phrase` is the canonical third-person verb phrase."""

    name: str
    phrase: str
    english: tuple[str, ...]
    gerunds: tuple[str, ...]
    chinese: tuple[str, ...]


SUBJECTS: dict[str, Subject] = {
    s.name: s
    for s in (
        Subject(
            "kitten", ("kitten", "cat", "kitty", "little cat"), ("小猫", "猫", "猫咪", "小猫咪", "猫儿"), "只", "orange"
        ),
        Subject("dog", ("dog", "puppy", "little dog", "pup"), ("小狗", "狗", "狗狗", "小奶狗"), "只", "yellow"),
        Subject(
            "rabbit", ("rabbit", "bunny", "little rabbit", "hare"), ("兔子", "小兔子", "小兔", "小白兔"), "只", "white"
        ),
        Subject("bird", ("bird", "little bird", "birdie", "sparrow"), ("小鸟", "鸟", "鸟儿", "麻雀"), "只", "blue"),
        Subject("fish", ("fish", "little fish", "goldfish"), ("小鱼", "鱼", "鱼儿", "金鱼"), "条", "orange"),
        Subject("butterfly", ("butterfly", "little butterfly"), ("蝴蝶", "小蝴蝶", "花蝴蝶"), "只", "purple"),
        Subject(
            "ball",
            ("ball", "toy ball", "bouncy ball", "football"),
            ("皮球", "球", "小球", "足球"),
            "个",
            "red",
        ),
        Subject(
            "car",
            ("car", "little car", "toy car", "truck"),
            ("小汽车", "汽车", "车", "小车", "轿车"),
            "辆",
            "red",
        ),
        Subject(
            "boat",
            ("boat", "little boat", "sailboat", "ship"),
            ("小船", "船", "帆船", "轮船"),
            "艘",
            "white",
        ),
        Subject("train", ("train", "little train", "steam train"), ("小火车", "火车", "列车"), "列", "green"),
        Subject(
            "rocket",
            ("rocket", "little rocket", "space rocket", "spaceship"),
            ("火箭", "小火箭", "宇宙飞船"),
            "枚",
            "red",
        ),
        Subject("balloon", ("balloon", "hot-air balloon", "air balloon"), ("气球", "热气球"), "个", "red"),
        Subject(
            "flower",
            ("flower", "little flower", "blossom", "rose"),
            ("花", "小花", "花儿", "花朵", "玫瑰"),
            "朵",
            "yellow",
        ),
        Subject("tree", ("tree", "little tree", "leafy tree"), ("树", "小树", "大树"), "棵", "green"),
    )
}

COLOURS: dict[str, Colour] = {
    c.name: c
    for c in (
        Colour("white", (250, 247, 240), ("白色", "白")),
        Colour("black", (58, 56, 66), ("黑色", "黑")),
        Colour("orange", (245, 146, 48), ("橙色", "橘色", "橘黄色")),
        Colour("red", (222, 56, 52), ("红色", "红")),
        Colour("blue", (62, 128, 224), ("蓝色", "蓝")),
        Colour("yellow", (250, 210, 66), ("黄色", "黄")),
        Colour("green", (74, 176, 84), ("绿色", "绿")),
        Colour("purple", (150, 88, 206), ("紫色", "紫")),
    )
}

PLACES: dict[str, Place] = {
    p.name: p
    for p in (
        Place(
            "courtyard",
            "in the courtyard",
            ("in the courtyard", "in a courtyard", "in the yard", "in the garden", "in the backyard", "in a garden"),
            ("庭院里", "院子里", "庭院中", "花园里", "后院里", "花园中"),
        ),
        Place(
            "beach",
            "on the beach",
            ("on the beach", "at the beach", "on the sand by the sea", "by the sea", "on the shore", "along the beach"),
            ("沙滩上", "海滩上", "海边", "湖边", "岸边"),
        ),
        Place(
            "forest",
            "in the forest",
            ("in the forest", "in the woods", "among the trees", "through the forest", "in the jungle"),
            ("森林里", "树林里", "林子里", "森林中", "树上"),
        ),
        Place(
            "street",
            "on the street",
            (
                "on the street",
                "in the street",
                "on the city street",
                "in the city",
                "along the street",
                "down the street",
                "on the road",
                "along the road",
                "through the city",
            ),
            ("街道上", "大街上", "城市的街道上", "马路上", "街上", "公路上", "城市里", "路上"),
        ),
        Place(
            "snow",
            "in the snow",
            ("in the snow", "on the snow field", "in the snowy field", "through the snow", "on the ice"),
            ("雪地里", "雪地上", "雪原上", "雪野里"),
        ),
        Place(
            "meadow",
            "in the meadow",
            (
                "in the meadow",
                "on the grass",
                "in the grassy meadow",
                "in the park",
                "on the lawn",
                "in the field",
                "across the meadow",
            ),
            ("草地上", "草原上", "草坪上", "公园里", "田野里", "草丛里"),
        ),
        Place(
            "sea",
            "in the sea",
            (
                "in the sea",
                "in the ocean",
                "on the open sea",
                "out at sea",
                "on the sea",
                "on the lake",
                "across the sea",
                "in the water",
                "on the river",
            ),
            ("大海里", "海里", "海面上", "海上", "湖面上", "湖里", "水里", "河里", "大海上"),
        ),
        Place(
            "room",
            "in the living room",
            (
                "in the living room",
                "at home",
                "inside the house",
                "in the room",
                "in the house",
                "in the kitchen",
                "in the bedroom",
                "indoors",
            ),
            ("客厅里", "家里", "屋子里", "房间里", "厨房里", "卧室里", "屋里"),
        ),
        Place(
            "sky",
            "in the starry sky",
            (
                "in the starry sky",
                "in the night sky",
                "among the stars",
                "high in the sky",
                "in the sky",
                "in space",
                "through space",
                "into space",
            ),
            ("星空中", "夜空中", "星空里", "天空中", "天上", "太空中", "太空里", "空中"),
        ),
        Place(
            "desert",
            "in the desert",
            ("in the desert", "among the dunes", "in the sandy desert"),
            ("沙漠里", "沙漠中", "沙丘上"),
        ),
    )
}

ACTIONS: dict[str, Action] = {
    a.name: a
    for a in (
        Action(
            "play",
            "plays",
            (
                "plays",
                "is playing",
                "plays happily",
                "has fun",
                "plays around",
                "dances",
                "sings",
                "sleeps",
                "rests",
                "sits",
                "is sleeping",
                "looks around",
                "eats",
            ),
            ("playing", "having fun", "dancing", "singing", "sleeping", "resting", "sitting"),
            ("玩耍", "玩", "开心地玩耍", "嬉戏", "玩游戏", "跳舞", "唱歌", "睡觉", "休息", "打滚", "晒太阳", "吃东西"),
        ),
        Action(
            "left",
            "moves left",
            ("moves left", "goes left", "goes to the left", "runs to the left"),
            ("moving left", "going to the left"),
            ("向左走", "往左走", "向左移动", "向左跑"),
        ),
        Action(
            "right",
            "moves right",
            (
                "moves right",
                "goes right",
                "goes to the right",
                "runs to the right",
                "runs",
                "walks",
                "drives",
                "sails",
                "rolls",
                "travels",
                "is running",
                "is driving",
                "goes for a walk",
                "goes",
            ),
            ("moving right", "going to the right", "running", "walking", "driving", "sailing", "rolling"),
            (
                "向右走",
                "往右走",
                "向右移动",
                "向右跑",
                "跑步",
                "奔跑",
                "散步",
                "行驶",
                "航行",
                "前进",
                "走",
                "跑",
                "走路",
                "飞驰",
                "滚动",
                "滚来滚去",
            ),
        ),
        Action(
            "jump",
            "jumps",
            ("jumps", "is jumping", "jumps up and down", "hops", "bounces", "leaps", "skips"),
            ("jumping", "hopping", "bouncing"),
            ("跳跃", "跳", "跳来跳去", "蹦蹦跳跳", "蹦跳", "蹦来蹦去"),
        ),
        Action(
            "spin",
            "spins",
            ("spins", "is spinning", "spins around", "turns around and around", "twirls", "rotates"),
            ("spinning", "spinning around"),
            ("旋转", "转圈", "转圈圈", "打转"),
        ),
        Action(
            "fly",
            "flies up",
            (
                "flies up",
                "is flying up",
                "flies upwards",
                "rises into the air",
                "takes off",
                "flies",
                "is flying",
                "soars",
                "lifts off",
            ),
            ("flying up", "rising into the air", "flying", "soaring"),
            ("飞起来", "往上飞", "向上飞", "高高飞起", "飞", "飞翔", "起飞", "升空", "飞行"),
        ),
        Action(
            "fall",
            "falls",
            ("falls", "is falling", "falls down", "drops down", "tumbles down"),
            ("falling", "dropping down"),
            ("落下", "掉下来", "往下掉", "落下来"),
        ),
        Action(
            "grow",
            "grows",
            ("grows", "is growing", "grows bigger", "gets bigger and bigger", "blooms", "grows up"),
            ("growing", "getting bigger", "blooming"),
            ("长大", "变大", "越长越大", "慢慢变大", "生长", "开放", "盛开"),
        ),
        Action(
            "float",
            "floats",
            ("floats", "swims", "is floating", "is swimming", "drifts"),
            ("floating", "swimming", "drifting"),
            ("漂浮", "游动", "漂来漂去", "游来游去", "游泳", "游", "漂流", "飘浮"),
        ),
    )
}
