"""Words of people who talk, which no caption has: `framecast.train.spoken` puts them into stories."""

from __future__ import annotations

from collections.abc import Mapping

from framecast.train.world.vocabulary import Language

Words = Mapping[str, tuple[str, ...]]

COLOURS: Mapping[Language, Words] = {
    "en": {
        "white": ("snow-white", "silver", "grey", "gray", "cream"),
        "black": ("dark", "jet-black", "black"),
        "orange": ("ginger", "brown", "bright orange"),
        "red": ("pink", "crimson", "bright red", "scarlet"),
        "blue": ("light blue", "dark blue", "navy"),
        "yellow": ("golden", "bright yellow", "gold"),
        "green": ("dark green", "light green", "emerald"),
        "purple": ("violet", "lilac"),
    },
    "zh": {
        "white": ("雪白", "银色", "灰色", "灰"),
        "black": ("乌黑", "漆黑"),
        "orange": ("棕色", "褐色", "橙黄色", "橙红色"),
        "red": ("粉色", "粉红色", "大红色", "鲜红"),
        "blue": ("天蓝色", "深蓝色", "浅蓝色"),
        "yellow": ("金色", "金黄色", "淡黄色"),
        "green": ("翠绿", "深绿色", "浅绿色"),
        "purple": ("紫罗兰色", "淡紫色"),
    },
}
"""Colours of which the world has only a neighbour."""

VERBS: Mapping[Language, Words] = {
    "en": {
        "play": (
            *("naps", "watches the moon", "looks at the stars", "waits", "stands still", "lies in the sun", "smiles"),
            *("yawns", "stretches", "wakes up", "enjoys the day", "rolls around", "chases its tail", "stays", "stops"),
        ),
        "left": ("turns left", "drives to the left", "walks to the left", "heads left"),
        "right": (
            *("races", "rushes", "crosses", "passes", "strolls", "speeds", "wanders", "moves", "cruises", "chugs"),
            *("comes", "rushes by", "walks around", "runs around", "drives slowly", "runs away"),
        ),
        "jump": ("springs", "hops around", "bounces up and down", "jumps for joy", "is hopping", "hops by", "leaps up"),
        "spin": ("whirls", "is turning", "turns in circles", "spins around and around", "whirls around"),
        "fly": (
            "launches",
            "blasts off",
            "flaps its wings",
            "rises",
            "climbs higher and higher",
            "goes up",
            "flies by",
        ),
        "fall": ("drops", "plunges", "comes down", "lands", "falls from above"),
        "grow": ("sprouts", "swells", "becomes bigger", "gets taller", "is blooming", "opens", "grows day after day"),
        "float": ("bobs", "hovers", "floats away", "glides", "paddles", "drifts along", "swims around"),
    },
    "zh": {
        "play": (
            *("看月亮", "看星星", "发呆", "伸懒腰", "打盹", "坐着", "站着", "躺着", "撒欢", "醒来", "做梦", "捉迷藏"),
            *("过生日", "闹着玩", "舞蹈", "停下来", "停着"),
        ),
        "left": ("向左转", "朝左走", "往左跑", "往左开"),
        "right": ("奔驰", "疾驰", "驶过", "穿行", "溜达", "跑来跑去", "赶路", "狂奔", "行走", "飞奔", "追赶", "快跑"),
        "jump": ("蹦", "一蹦一跳", "跳上跳下", "跳起来", "弹跳", "欢跳"),
        "spin": ("转来转去", "转动", "团团转", "绕圈"),
        "fly": ("飞上天", "飞走", "升起", "腾空而起", "发射", "飞来飞去", "展翅飞翔", "越飞越高"),
        "fall": ("坠落", "跌下来", "掉落", "降落", "落地", "掉下去"),
        "grow": ("发芽", "开花", "长高", "越来越大", "绽放", "慢慢长高", "越长越高"),
        "float": ("漂", "飘", "飘来飘去", "飘荡", "漂荡", "潜水", "飘走"),
    },
}

PLACES: Mapping[Language, Words] = {
    "en": {
        "courtyard": ("in the front yard", "in our garden", "behind the house", "in the flower garden"),
        "beach": ("on the seashore", "at the seaside", "on the warm sand", "near the waves"),
        "forest": ("in a forest", "deep in the woods", "under the tall trees", "in the dark forest"),
        "street": ("in the town", "in town", "downtown", "on the highway", "in the village", "over the bridge"),
        "snow": ("on a snowy hill", "on the snowy ground", "in fresh snow", "in a snowy landscape"),
        "meadow": ("on a green hill", "at the playground", "on the farm", "in a field of flowers", "in a park"),
        "sea": ("in a pond", "in the pool", "under water", "under the sea", "on the waves", "down the river"),
        "room": ("on the sofa", "in her room", "under the table", "by the fireplace", "on the carpet", "in bed"),
        "sky": ("in the clouds", "up in the air", "above the clouds", "towards the moon", "to the stars"),
        "desert": ("in a desert", "on the hot dunes", "through the desert"),
    },
    "zh": {
        "courtyard": ("小院里", "前院里", "后花园里", "四合院里"),
        "beach": ("海岸上", "沙子上", "海边的沙滩上"),
        "forest": ("丛林里", "山林里", "大树下", "密林深处"),
        "street": ("街头", "镇上", "村里的小路上", "高速公路上", "桥上", "市中心", "铁路上"),
        "snow": ("冰天雪地里", "雪山上", "雪堆里", "冰面上"),
        "meadow": ("花丛里", "花丛中", "山坡上", "操场上", "农场里", "田野上"),
        "sea": ("池塘里", "小溪里", "水中", "水面上", "海底", "泳池里"),
        "room": ("沙发上", "床上", "地毯上", "窗台上", "壁炉旁", "家中"),
        "sky": ("云端", "云层上", "半空中", "银河里", "宇宙中"),
        "desert": ("大漠里", "戈壁滩上", "沙漠上"),
    },
}

TOWARDS: Mapping[Language, Words] = {
    "en": {
        "right": ("across", "through", "along", "into", "towards", "past", "to"),
        "left": ("across", "through", "along"),
        "jump": ("onto", "into", "across", "out into"),
        "fly": ("over", "above", "across", "into", "towards"),
        "fall": ("onto", "into", "down onto"),
        "float": ("over", "across", "through"),
    },
    "zh": {
        "right": ("跑过", "走过", "穿过", "跑到", "走进", "来到", "开过", "驶过", "奔向"),
        "jump": ("跳到", "跳上", "跳进", "跳过"),
        "fly": ("飞过", "飞到", "飞向", "飞越"),
        "fall": ("掉到", "落到", "落在", "掉进"),
        "float": ("漂过", "游过", "飘过"),
    },
}
"""Before a place that is gone to; the Chinese ones are verbs of their own."""

ABOUT = ("at", "by", "near", "from", "inside", "around", "in")
"""Before an English place where somebody is, doing nothing that goes anywhere."""

THERE: Words = {
    "play": ("坐着", "躺着", "趴着", "站着", "住着"),
    "right": ("走着", "跑着", "开着"),
    "jump": ("跳着",),
    "spin": ("转着",),
    "fly": ("飞着",),
    "grow": ("长着", "开着"),
    "float": ("漂着", "飘着", "游着"),
}
"""天上飘着一个气球: a place, one of these, and who is there."""

LIGHTS: Mapping[Language, Words] = {
    "en": {
        "day": ("at noon", "one morning", "this morning", "in the sunshine", "in the sun"),
        "night": ("tonight", "on a dark night", "at midnight", "one night", "under the moon"),
        "sunset": ("in the evening", "this evening", "one evening", "as the sun sets"),
    },
    "zh": {
        "day": ("早晨", "清晨", "中午", "上午", "今天早上"),
        "night": ("深夜", "半夜", "今晚", "星光下", "夜幕下"),
        "sunset": ("今天傍晚", "晚霞中", "傍晚时分", "日落时分"),
    },
}

FALLING_ADJECTIVES: Mapping[Language, Words] = {
    "en": {"rain": ("rainy",), "snow": ("snowy",)},
    "zh": {"rain": ("下雨的", "雨中的"), "snow": ("下雪的", "飘雪的")},
}

BEFORE: Mapping[Language, tuple[str, ...]] = {
    "en": (
        *("look, ", "one day, ", "today ", "after lunch, ", "every day ", "imagine ", "first, ", "just now "),
        *("please make a video of how ", "I want to see how ", "generate a clip where ", "can you show how "),
        *("create a video: ", "please film ", "a video of "),
    ),
    "zh": (
        *("有一天，", "看，", "今天", "每天", "据报道，", "瞧，", "听说", "首先，", "先是"),
        *("请生成一个视频：", "我想看", "帮我做一个视频，", "给我看", "请拍"),
    ),
}
LATER: Mapping[Language, tuple[str, ...]] = {
    "en": ("one day, ", "today ", "all of a sudden, ", "at last, ", "every day ", "soon ", "in the end "),
    "zh": ("有一天，", "今天", "忽然", "终于", "不久，", "没多久，"),
}
BEHIND: Mapping[Language, tuple[str, ...]] = {
    "en": (
        *("all day long", "again", "as fast as it can", "for fun", "with joy", "while everybody watches", "once more"),
        *("as the wind blows", "without a sound", "and looks happy"),
    ),
    "zh": ("，真开心", "，很高兴", "，大家都在看", "，好快啊", "，风轻轻地吹"),
}
REMARKS: Mapping[Language, tuple[str, ...]] = {
    "en": (
        *(
            "Everyone is happy",
            "What a wonderful day",
            "It was so much fun",
            "How lovely",
            "It is very happy",
            "Hooray",
        ),
        *("The end", "The children laugh", "Good night"),
    ),
    "zh": ("大家都很开心", "真是美好的一天", "它高兴极了", "故事就讲到这里", "多么有趣啊", "真可爱", "晚安"),
}
LEADS: Mapping[Language, tuple[str, ...]] = {
    "en": ("below, ", "nearby ", "far away ", "on the other side ", "and also ", "behind it ", "at the same time "),
    "zh": ("下面", "旁边", "远处", "另一边，", "还有", "后面", "与此同时，"),
}
INSIDE: Mapping[Language, tuple[str, ...]] = {
    "en": ("goes inside", "comes in", "goes to bed", "comes home", "comes back home"),
    "zh": ("进了屋", "进屋了", "回到屋里", "上床睡觉", "回家去了"),
}
"""Of who plays in the room, as `surroundings.HOMECOMING`."""
INTRODUCTIONS: Mapping[Language, tuple[str, ...]] = {
    "en": ("this is {}. ", "meet {}. ", "here is {}. ", "look at {}! ", "{} had a birthday today! "),
    "zh": ("这是{}，", "看，{}！", "来认识一下{}。", "{}今天过生日！"),
}
OWNERS: Mapping[Language, tuple[str, ...]] = {
    "en": ("my daughter's", "grandpa's", "Tom's", "the neighbour's", "a girl's", "their", "Lily's", "the farmer's"),
    "zh": ("女儿的", "爷爷的", "小红的", "小女孩的", "老师的", "农夫的", "丽丽的"),
}

PAST = {
    "is": "was", "has": "had", "plays": "played", "sings": "sang", "sleeps": "slept", "sits": "sat", "eats": "ate",
    "looks": "looked", "runs": "ran", "goes": "went", "drives": "drove", "flies": "flew", "rises": "rose",
    "takes": "took", "spins": "spun", "falls": "fell", "grows": "grew", "gets": "got", "swims": "swam",
    "hops": "hopped", "skips": "skipped", "drops": "dropped", "leaps": "leapt", "stands": "stood", "lies": "lay",
    "wakes": "woke", "springs": "sprang", "becomes": "became", "comes": "came", "stays": "stayed", "dances": "danced",
    "naps": "napped", "returns": "returned", "stops": "stopped", "chugs": "chugged", "flaps": "flapped",
    "bobs": "bobbed", "chases": "chased",
    "smiles": "smiled", "races": "raced", "cruises": "cruised", "moves": "moved", "bounces": "bounced",
    "tumbles": "tumbled", "rotates": "rotated", "plunges": "plunged", "hovers": "hovered", "glides": "glided",
    "paddles": "paddled", "swells": "swelled",
}  # fmt: skip
