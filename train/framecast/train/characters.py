"""How the planner's tokenizer reads letters: traditional, full-width and capital ones as those that it has learnt."""

from __future__ import annotations

from tokenizers import normalizers

_TRADITIONAL = (
    "叢東兩個麗樂習從們兒幾動臥廳廚變喫後園頭學開戲時曬條來樹氣沒遊滾灘熱愛貓著紅續綠藍覺講許調躍車轉輪轎輛邊這進遠裏裡鐘鍾鏡長間陽飄飛馬馳駛魚鳥黃"
    "場燈橋臉飯雞鴨龍門問聽說説讀寫號網電視機會對現過還爲為難讓誰給錢買賣隻嚮"
)
_SIMPLIFIED = (
    "丛东两个丽乐习从们儿几动卧厅厨变吃后园头学开戏时晒条来树气没游滚滩热爱猫着红续绿蓝觉讲许调跃车转轮轿辆边这进远里里钟钟镜长间阳飘飞马驰驶鱼鸟黄"
    "场灯桥脸饭鸡鸭龙门问听说说读写号网电视机会对现过还为为难让谁给钱买卖只向"
)
SIMPLIFIED = dict(zip(_TRADITIONAL, _SIMPLIFIED, strict=True))
"""Traditional → simplified, of the characters of the world's words and some common ones (OpenCC's tables)."""
_FULL_WIDTH = {chr(ord(c) + 0xFEE0): c for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"}
_FULL_WIDTH["\u3000"] = " "  # an ideographic space
_WRITTEN = {simple: character for character, simple in SIMPLIFIED.items()}


def traditional(word: str) -> str:
    """The usual traditional spelling of a word of the world."""
    return "".join(_WRITTEN.get(character, character) for character in word)


def reader() -> normalizers.Normalizer:
    """What is done to a text before it is cut into tokens; a word after a line's end is one in the middle of it."""
    replaced = {**SIMPLIFIED, **_FULL_WIDTH, "\n": "\n "}
    return normalizers.Sequence(
        [*(normalizers.Replace(old, new) for old, new in replaced.items()), normalizers.Lowercase()]
    )
