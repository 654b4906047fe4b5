"""What review finds, what it does not, and what is no policy."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from framecast.client.cli import app
from framecast.errors import InvalidRepository
from framecast.review.plain import plain
from framecast.review.policy import Policy
from framecast.review.reviewer import Reviewer
from framecast.train.world.vocabulary import SUBJECTS


@pytest.fixture(scope="module")
def reviewer() -> Reviewer:
    return Reviewer(Policy.load())


@pytest.mark.parametrize(
    ("text", "category"),
    [
        ("A man murders a woman with a knife, blood everywhere.", "violence"),
        ("Naked people having sex on the beach.", "sexual"),
        ("President Trump is arrested by the police.", "real_person"),
        ("She wants to commit suicide.", "self_harm"),
        ("他开枪射杀了警察", "violence"),
        ("一個血淋淋的場面", "violence"),
        ("沙滩上有脱光衣服的女孩", "sexual"),
        ("裸の女が踊る", "sexual"),
        ("他不想活了，跳河自尽", "self_harm"),
        ("城市里发生爆炸袭击", "terror"),
        ("Trump plays golf", "real_person"),
        ("他在抽大麻", "crime"),
        ("A terrorist attack in the city", "terror"),
        ("How to build a bomb", "crime"),
        ("虐童的故事", "minors"),
        ("血腥的杀戮", "violence"),
        ("血腥的殺戮", "violence"),
        ("一个人被斩首", "violence"),
        ("习近平在开会", "real_person"),
        ("用换脸做的新闻", "real_person"),
        ("ヌードの女性", "sexual"),
        ("殺人事件", "violence"),
        ("살인 사건", "violence"),
        ("Un meurtrier égorge un homme", "violence"),
        ("Una mujer desnuda", "sexual"),
        ("Eine nackte Frau", "sexual"),
        ("голая женщина", "sexual"),
        ("رجل يقتل امرأة", "violence"),
        ("一个男人把女人杀了", "violence"),
        ("女人脱掉衣服", "sexual"),
        ("血流成河", "violence"),
        ("炸弹在人群中爆炸", "violence"),
        ("虐猫", "violence"),
        ("男は女を殺した", "violence"),
        ("남자가 여자를 죽였다", "violence"),
        ("Ein Mann bringt eine Frau um", "violence"),
        ("A man shoots his wife", "violence"),
        ("A woman without clothes", "sexual"),
        ("Osama bin Laden", "real_person"),
        ("Un uomo uccide una donna", "violence"),
        ("Uma mulher nua", "sexual"),
        ("Mężczyzna zabił kobietę", "violence"),
        ("Adam kadını öldürdü", "violence"),
        ("Seorang pria membunuh wanita", "violence"),
        ("Một người đàn ông giết người", "violence"),
        ("Cô gái khoả thân trên bãi biển", "sexual"),
        ("Cô ấy nhảy lầu tự tử", "self_harm"),
        ("ผู้ชายฆ่าผู้หญิงในบ้าน", "violence"),
        ("หญิงสาวเปลือยกายบนชายหาด", "sexual"),
        ("उसने उसे मार डाला।", "violence"),
        ("वह आतंकवादी॥", "terror"),
        ("เขาคิดฆ่าตัวตาย", "self_harm"),
        ("एक आदमी औरत की हत्या करता है", "violence"),
        ("समुद्र तट पर नग्न महिला", "sexual"),
        ("उसने आत्महत्या की", "self_harm"),
        ("आतंकवादी शहर में आए", "terror"),
    ],
)
def test_what_is_not_filmed_in_many_languages(reviewer: Reviewer, text: str, category: str) -> None:
    finding = reviewer.review(f"The sun rises. {text} The end.")
    assert finding is not None
    assert (finding.category.name, finding.refused) == (category, True)
    assert finding.words in plain(text)


DISGUISED = (
    "k i l l a man",
    "I k i l l",
    "a k i l l",
    "n a k e d w o m a n",
    "n - a - k - e - d",
    "naked_woman",
    "having_sex",
    "faire l’amour",
    "nаked",
    "kіll",
    "القتل",
    "والقتل",
    "العارية",
    "يقتلون",
    "قــتل",
    "он убил его",
    "Mörder",
    "er tötet",
    "raping",
    "terrorism",
    "Donald J. Trump",
    "血.腥",
    "血 腥",
    "n4ked",
    "ｎａｋｅｄ",
    "näked",
    "na\u0e4eked",
    "mu\u0ecdrder",
    "血\u0941腥",
    "\u88f8\u200b\u4f53",
)


@pytest.mark.parametrize("text", DISGUISED)
def test_words_in_disguise_and_in_other_forms(reviewer: Reviewer, text: str) -> None:
    assert reviewer.review(f"See: {text}, there.") is not None


@pytest.mark.parametrize(
    "text",
    [
        "小狗在强暴风雨中奔跑",
        "小猫在跳楼梯",
        "江南特色情调的庭院",
        "一次性交付",
        "做爱吃的鱼",
        "小蛇长成龙",
        "Le chien mord la balle.",
        "Der Hund spielt mit einem Stab.",
        "El gato molesta al perro.",
        "No one was killed. A sexy red car. A film by David Lynch.",
        "ลูกโป่งสีแดงลอยอยู่ ยานอวกาศพุ่งขึ้นฟ้า",
        "con mèo đi từ từ",
        "पालाश के पेड़ के नीचे एक बिल्ली",
        "बच्चा नंगे पैर दौड़ता है, हत्थे वाला कप मेज़ पर है, हीरोइन गाती है",
        "แม่ล้างมือฆ่าเชื้อโรค ก้อนเมฆาสีขาว ชีวิตขมขื่น เด็กเดินเท้าเปล่า",
        "áo đậm màu, canh nóng, bác sĩ khoa thần kinh, muốn từ từ, trả tận nhà, nỗi buồn người ở lại, áo rách tay",
        "tủ sắt, sát hai bên đường, châu Âu đậm nét",
        "อสังหาริมทรัพย์ กินยาบ้าง เด็กเปลือยเท้าวิ่ง ต้นไม้เปลือยใบ",
        "पलाश। पालाश॥",
        "bé làm tính, con mèo đi từ từ, mà tuy nhiên trời mưa; chất dầu, thám sát",
        "çıplak ayakla koşan bir çocuk",
        "Na mata uma onça dorme.",
        "Muslims are praying in a mosque. Black people are dancing in the park.",
        "A cat, wearing nothing but a bow",
        "一只可爱的小猫在庭院里玩耍",
        "A red car drives along the street. Then it jumps in the meadow.",
        "Parliament votes on the new budget; 1,945 people watch.",
        "Killing two birds with one stone, said Al Gore, dressed to kill.",
        "The sex of the kitten is female. A naked tree stands in the snow.",
        "小猫遇到大麻烦了，一只大麻雀打死也不说。",
        "防自杀热线开通，自杀率下降。",
        "He plays his trump card.",
        "The skilled painter from Essex has classes on grass.",
        "A killer whale kills time. Shooting stars, blood oranges, a knife in the kitchen.",
        "The hospital opens a suicide prevention hotline.",
        "用肥皂洗手可以杀菌。",
        "Le chat est tout nouveau. Die Nacht ist blau. El gato mata el tiempo.",
        "プラム色の猫が庭で遊ぶ。",
        "a b c d e, 1 2 3 4",
        "",
        "小猫坐在椅子上，吊灯亮了。",
        "小狗跑到草地上。吊桥在河边。",
        "她年纪很轻。生活很快乐",
        "イエローの車が走る",
        "ピエロが踊る",
        "강아지가 지나치게 뛴다",
        "도시체험",
        "광고문을 읽는다",
        "햇살인가",
        "桌上吊着一盏灯",
        "年轻生命",
        "望子成龙",
        "小鱼变成龙",
        "男性爱好者",
        "女性交谈",
        "妈妈做爱心早餐",
        "角色情感",
        "感情色彩",
        "金黄片片落叶",
        "年幼女儿",
        "四川普通话",
        "崇拜登月英雄",
        "跳楼机",
        "更换脸盆",
        "伊斯兰国家",
        "杀死细菌",
        "труппа цирка танцует",
        "казначей считает монеты",
        "прыгает с трамплина",
        "Le chat marche pieds nus sur la plage",
        "pies desnudos",
        "árboles desnudos",
        "La mata a la izquierda",
        "Nacktschnecke",
        "nackte Füße",
        "Blutigel",
        "جنسية الرجل",
        "A King Charles spaniel plays",
        "The frost killed the flowers",
        "strangler fig",
        "a b c d e",
        "I a m h e r e",
    ],
)
def test_what_is_harmless(reviewer: Reviewer, text: str) -> None:
    assert reviewer.review(text) is None


def test_nothing_that_the_storybook_knows_is_refused(reviewer: Reviewer) -> None:
    for subject in SUBJECTS:
        assert reviewer.review(f"a white {subject} plays in the courtyard, night, snow") is None


def test_refusals_come_before_notes_and_the_longest_phrase_is_named() -> None:
    policy = Policy._parse(
        {
            "categories": {
                "news": {"about": "news", "action": "note", "terms": {"en": ["vote*"]}},
                "own": {"about": "our rivals", "action": "refuse", "terms": {"en": ["acme", "acme rockets"]}},
            },
            "harmless": ["acme of perfection"],
        }
    )
    reviewer = Reviewer(policy)
    both = reviewer.review("They voted for ACME  rockets")
    assert both is not None
    assert (both.category.name, both.words) == ("own", "acme  rockets")
    noted = reviewer.review("The acme of perfection: they voted")
    assert noted is not None
    assert (noted.category.name, noted.words, noted.refused) == ("news", "voted", False)


def _policy(**category: Any) -> dict[str, Any]:
    return {"categories": {"own": {"about": "a", "action": "refuse", "terms": {"en": ["a"]}} | category}}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("no json", "Expecting value"),
        ({}, "categories"),
        ([], r"the file: \[\] is no object"),
        ({}, "the file has no categories"),
        (_policy() | {"harmles": []}, "'harmles', which means nothing; known are categories, harmless, pictures"),
        (_policy() | {"pictures": "blur"}, "pictures is 'blur', which is none of refuse, note"),
        ({"categories": {"选举": {}}}, "'选举' is no word of letters"),
        ({"categories": {"a\nb": {}}}, "is no word of letters"),
        ({"categories": {"own": {"about": "a", "action": "note"}}}, "own has no terms"),
        ({"categories": {"own": []}}, r"own: \[\] is no object"),
        (_policy(action="burn"), "'burn', which is none of refuse, note"),
        (_policy(terms={}), "no terms"),
        (_policy(terms={"en": "kill"}), "is no list of terms"),
        (_policy(terms={"en": ["ki*ll"]}), "'ki\\*ll' is no term"),
        (_policy(terms={"en": ["\u200b"]}), "is no term"),
        (_policy() | {"harmless": "kill time"}, "harmless: 'kill time' is no list"),
        (_policy() | {"harmless": [5]}, "harmless: 5 is no term"),
        (_policy(terms={"en": ["*"]}), "is no term"),
    ],
)
def test_what_is_no_policy_is_refused(tmp_path: Path, content: Any, said: str) -> None:
    path = tmp_path / "policy.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    with pytest.raises(InvalidRepository, match=f"policy.json is not a review policy: .*{said}"):
        Policy.load(path)
    with pytest.raises(InvalidRepository, match=r"missing\.json is not a review policy"):
        Policy.load(tmp_path / "missing.json")


@pytest.mark.parametrize("text", ["kill bloody mary time", "kill killer whale time", "kill murder mystery time"])
def test_what_a_harmless_phrase_parts_does_not_become_another(text: str) -> None:
    """`kill time` is one, and so is what stands between its words."""
    finding = Reviewer(Policy.load()).review(text)
    assert finding is not None
    assert finding.refused
    assert finding.words == "kill"


def test_the_command(tmp_path: Path) -> None:
    run = CliRunner().invoke
    refused = run(app, ["review", "A naked man", "--json"])
    assert refused.exit_code == 1
    found = json.loads(refused.stdout)
    assert {"action": "refuse", "category": "sexual", "words": "naked"}.items() <= found.items()
    assert run(app, ["review", "-"], input="A cat.").stdout == "passes\n"
    told = run(app, ["review", "-"], input=b"\xff\xfe")
    assert (told.exit_code, told.stderr) == (2, "framecast: standard input is not UTF-8 text\n")
    path = tmp_path / "own.json"
    path.write_text(json.dumps(_policy(terms={"en": ["cat"]}, action="note")), encoding="utf-8")
    noted = run(app, ["review", "A cat.", "--policy", str(path)])
    assert (noted.exit_code, noted.stdout) == (0, "filmed and counted: own (a), for 'cat'\n")
    missing = run(app, ["review", "A cat.", "--policy", str(tmp_path / "none.json")])
    assert missing.exit_code == 2
    assert "none.json is not a review policy" in missing.stderr
