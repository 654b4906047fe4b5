"""Stories as people write them, by hand: what templates cannot say of a planner that has learnt from templates."""

from __future__ import annotations

import json

from framecast.train.captions import parse
from framecast.train.models import Planner
from framecast.train.planner import plan

#: (story, what its scenes show: subject, action and place each, or their captions to the letter).
STORIES: tuple[tuple[str, tuple[tuple[str, str, str] | str, ...]], ...] = (
    ("A kitten plays in the garden.", (("kitten", "play", "courtyard"),)),
    ("Kitten playing in the garden", (("kitten", "play", "courtyard"),)),
    ("A red car drives along the street.", (("car", "right", "street"),)),
    ("The cat and the dog play together in the snow.", (("kitten", "play", "snow"),)),
    ("A boat sails on the sea.", (("boat", "right", "sea"),)),
    ("The dog sleeps at home.", (("dog", "play", "room"),)),
    ("A little bird sings in the forest.", (("bird", "play", "forest"),)),
    ("The rocket takes off into space at night.", (("rocket", "fly", "sky"),)),
    ("A goldfish swims in the ocean.", (("fish", "float", "sea"),)),
    ("A white rabbit hops across the meadow.", (("rabbit", "jump", "meadow"),)),
    ("The puppy runs on the beach at sunset.", (("dog", "right", "beach"),)),
    ("A yellow butterfly dances among the trees.", (("butterfly", "play", "forest"),)),
    ("A big red balloon rises into the air.", (("balloon", "fly", "meadow"),)),
    ("A flower blooms in the garden.", (("flower", "grow", "courtyard"),)),
    ("The green train travels through the city in the rain.", (("train", "right", "street"),)),
    ("A ball rolls down the street.", (("ball", "right", "street"),)),
    ("A ball bounces in the park. Then it rolls along the road.",
     (("ball", "jump", "meadow"), ("ball", "right", "street"))),
    ("The orange cat sits in the living room. At night it runs in the snow.",
     (("kitten", "play", "room"), ("kitten", "right", "snow"))),
    ("A ship sails across the sea. A bird flies in the sky.", (("boat", "right", "sea"), ("bird", "fly", "sky"))),
    ("A tree grows in the desert.", (("tree", "grow", "desert"),)),
    ("一只可爱的小猫在庭院里玩耍", (("kitten", "play", "courtyard"),)),
    ("一辆红色的汽车在街道上行驶", (("car", "right", "street"),)),
    ("小狗在公园里跑步", (("dog", "right", "meadow"),)),
    ("小鸟在树上唱歌", (("bird", "play", "forest"),)),
    ("一艘帆船在大海上航行", (("boat", "right", "sea"),)),
    ("小猫在家里睡觉。", (("kitten", "play", "room"),)),
    ("金鱼在水里游来游去。", (("fish", "float", "sea"),)),
    ("火箭起飞了，飞向太空。", (("rocket", "fly", "meadow"),)),
    ("一只白色的兔子在雪地里蹦蹦跳跳", (("rabbit", "jump", "snow"),)),
    ("花园里，一朵玫瑰盛开", (("flower", "grow", "courtyard"),)),
    ("夜晚，一只小狗在沙滩上散步。", (("dog", "right", "beach"),)),
    ("一个红色的气球飞起来", (("balloon", "fly", "meadow"),)),
    ("一列火车在城市里行驶，下着雨。", (("train", "right", "street"),)),
    ("小猫和小狗在草地上玩。", (("kitten", "play", "meadow"),)),
    ("一只蝴蝶在花园里飞。", (("butterfly", "fly", "courtyard"),)),
    ("小兔子在森林里跳舞。然后它在草地上休息。", (("rabbit", "play", "forest"), ("rabbit", "play", "meadow"))),
    ("足球在马路上滚动。", (("ball", "right", "street"),)),
    ("一只橙色的小猫在客厅里打滚。接着它在院子里奔跑。",
     (("kitten", "play", "room"), ("kitten", "right", "courtyard"))),
    ("小树在沙漠里长大。", (("tree", "grow", "desert"),)),
    ("小鸟在天空中飞翔。", (("bird", "fly", "sky"),)),
    # What a caller wrote whom the planner of before heard wrong every time.
    ("Dogs run on the beach.", (("dog", "right", "beach"),)),
    ("Cars drive along the street at night.", (("car", "right", "street"),)),
    ("Rabbits jump in the snow.", (("rabbit", "jump", "snow"),)),
    ("Trees grow in the forest.", (("tree", "grow", "forest"),)),
    ("Balloons fly up in the sky.", (("balloon", "fly", "sky"),)),
    ("Flowers grow in the courtyard.", (("flower", "grow", "courtyard"),)),
    ("Butterflies dance in the meadow.", (("butterfly", "play", "meadow"),)),
    ("Kittens play in the garden.", (("kitten", "play", "courtyard"),)),
    ("Sailboats drift on the calm sea.", (("boat", "float", "sea"),)),
    ("Birds fly in the sky.", (("bird", "fly", "sky"),)),
    ("A CAT PLAYS IN THE GARDEN", (("kitten", "play", "courtyard"),)),
    ("dog on the beach", (("dog", "play", "beach"),)),
    ("cat, beach, sunset", (("kitten", "play", "beach"),)),
    ("It is snowing at night. A cat jumps.", (("kitten", "jump", "meadow"),)),
    ("The cat jumps!\nThe dog runs on the beach!", (("kitten", "jump", "meadow"), ("dog", "right", "beach"))),
    ("1. A red car drives on the street.\n2. A blue boat sails on the sea.",
     (("car", "right", "street"), ("boat", "right", "sea"))),
    ("一隻白色的小貓在庭院裡玩耍，然後在雪地裡跳躍。", (("kitten", "play", "courtyard"), ("kitten", "jump", "snow"))),
    ("紅色的汽車在街道上行駛", (("car", "right", "street"),)),
    ("没有下雨，一只小狗在海滩上奔跑。", (("dog", "right", "beach"),)),
    ("海滩上有一只小狗", (("dog", "play", "beach"),)),
    # Of several in as many short sentences, and who is not to be seen.
    ("The cat jumps! Then, the dog runs! And the bird flies!",
     (("kitten", "jump", "meadow"), ("dog", "right", "meadow"), ("bird", "fly", "meadow"))),
    ("A dog plays in the street. Meanwhile a cat sleeps at home. Finally a bird flies in the sky.",
     (("dog", "play", "street"), ("kitten", "play", "room"), ("bird", "fly", "sky"))),
    ("A car drives on the road. A train follows. A boat sails on the sea.",
     (("car", "right", "street"), ("train", "right", "street"), ("boat", "right", "sea"))),
    ("Not a cat, a dog runs on the beach.", (("dog", "right", "beach"),)),
    ("It is not a dog but a rabbit that jumps in the snow.", (("rabbit", "jump", "snow"),)),
    ("A rabbit, not a dog, jumps in the snow.", (("rabbit", "jump", "snow"),)),
    ("A red ball, not a blue one, bounces on the beach.", (("ball", "jump", "beach"),)),
    ("小猫跳！小狗跑！小鸟飞！",
     (("kitten", "jump", "meadow"), ("dog", "right", "meadow"), ("bird", "fly", "meadow"))),
    ("小狗在雪地里玩，然后小猫在家里睡觉，最后小鸟在天空中飞翔。",
     (("dog", "play", "snow"), ("kitten", "play", "room"), ("bird", "fly", "sky"))),
    ("不是小猫，是小狗在沙滩上奔跑。", (("dog", "right", "beach"),)),
    ("在海上航行的不是帆船，而是一只气球。", (("balloon", "right", "sea"),)),
    ("突然，一只小兔子在森林里跳起来。", (("rabbit", "jump", "forest"),)),
    # With a time, a sky, an owner or a heading around what happens, none of which has the subject's colour.
    ("一只白色的小猫在庭院里玩耍。后来天黑了，它回家睡觉。",
     ("a white kitten plays in the courtyard, day", "a white kitten plays in the living room, night")),
    ("一辆红色的汽车在街道上行驶。天黑了，它继续行驶。",
     ("a red car moves right on the street, day", "a red car moves right on the street, night")),
    ("The sky is blue. A kitten plays in the meadow.", ("an orange kitten plays in the meadow, day",)),
    ("On the green grass a white kitten plays.", ("a white kitten plays in the meadow, day",)),
    ("蓝天白云下，一只小狗在草地上奔跑。", ("a yellow dog moves right in the meadow, day",)),
    ("下雨了，一只白色的小狗在街上奔跑。雨停了，小狗跳了起来。",
     ("a white dog moves right on the street, day, raining", "a white dog jumps on the street, day")),
    ("小猫是黑色的，它在雪地里玩耍。", ("a black kitten plays in the snow, day",)),
    ("A white kitten with blue eyes plays in the garden.", ("a white kitten plays in the courtyard, day",)),
    ("My cat", ("an orange kitten plays in the meadow, day",)),
    ("I love my cat.", ("an orange kitten plays in the meadow, day",)),
    ("一只可爱的小猫", ("an orange kitten plays in the meadow, day",)),
    ("小猫", ("an orange kitten plays in the meadow, day",)),
    ("dog", ("a yellow dog plays in the meadow, day",)),
    ("鸟", ("a blue bird plays in the meadow, day",)),
    ("A boat sails at sunset.", ("a white boat moves right in the sea, sunset",)),
    ("News: heavy snow in the city. A car drives slowly on the street.",
     ("a red car moves right on the street, day, snowing",)),
    ("纪录片：沙漠里的一棵树慢慢长大。", ("a green tree grows in the desert, day",)),
    ("生日快乐！一只小狗带着红色的气球在院子里跳舞。",
     ("a yellow dog with a red balloon plays in the courtyard, day",)),
    ("Scene 1: a green boat sails on the sea.\nScene 2: night falls, the boat floats under the stars.",
     ("a green boat moves right in the sea, day", "a green boat floats in the sea, night")),
    ("The sun sets. A white rabbit jumps in the snow.", ("a white rabbit jumps in the snow, sunset",)),
    ("小明的红色小汽车在公路上飞驰。", ("a red car moves right on the street, day",)),
    ("A dog plays in the garden. Then it goes home and sleeps.",
     ("a yellow dog plays in the courtyard, day", "a yellow dog plays in the living room, day")),
    # As people talk: other words, the past, clauses that hang together, weather before a noun.
    ("Once upon a time there was a small white rabbit who lived in the forest. One morning it hopped out onto the "
     "meadow. In the evening it came home.",
     (("rabbit", "play", "forest"), ("rabbit", "jump", "meadow"), ("rabbit", "play", "room"))),
    ("Breaking news: a red train crosses the city in heavy rain tonight.",
     ("a red train moves right on the street, night, raining",)),
    ("Our puppy turned one today! He jumps on the beach at sunset. Then he runs in the snow.",
     (("dog", "jump", "beach"), ("dog", "right", "snow"))),
    ("SCENE 1: A blue rocket stands in the desert at night. SCENE 2: It launches into the sky.",
     (("rocket", "play", "desert"), ("rocket", "fly", "sky"))),
    ("A fish swims under the sea while a boat sails above it.", (("fish", "float", "sea"), ("boat", "right", "sea"))),
    ("On a snowy night, a yellow car drives slowly through the town.",
     ("a yellow car moves right on the street, night, snowing",)),
    ("The black cat watches the moon from the courtyard.", (("kitten", "play", "courtyard"),)),
    ("A green bird flies over the desert, then lands in a forest.",
     (("bird", "fly", "desert"), ("bird", "fall", "forest"))),
    ("My daughter's red balloon floats away into the sky.", ("a red balloon floats in the starry sky, day",)),
    ("Imagine a purple butterfly in a rainy forest.", ("a purple butterfly plays in the forest, day, raining",)),
    ("Pan left over a snowy landscape as a grey rabbit hops by.", (("rabbit", "jump", "snow"),)),
    ("Please make a video of a cute pink rabbit jumping in the snow.", (("rabbit", "jump", "snow"),)),
    ("A toy car races down the street for five seconds, then a ball bounces after it for 2 seconds.",
     (("car", "right", "street"), ("ball", "jump", "street"))),
    ("The rocket falls back to the beach.", (("rocket", "fall", "beach"),)),
    ("夜晚，一列蓝色的火车开过下雪的城市。", ("a blue train moves right on the street, night, snowing",)),
    ("小猫在客厅里打滚，窗外下着雨。", ("an orange kitten plays in the living room, day, raining",)),
    ("绿色的小鸟飞过沙漠，停在森林里唱歌。", (("bird", "fly", "desert"), ("bird", "play", "forest"))),
    ("黄色的小汽车在雨中的街道上行驶五秒，然后一个皮球滚过来，两秒。",
     (("car", "right", "street"), ("ball", "right", "street"))),
    ("场景一：夜晚的庭院，一只黑猫。场景二：它跳上雪地。",
     (("kitten", "play", "courtyard"), ("kitten", "jump", "snow"))),
    ("请生成一个视频：粉色的兔子在公园里跳。", (("rabbit", "jump", "meadow"),)),
    ("下雪了，一只灰色的小狗在院子里跑来跑去，后来它进了屋。",
     (("dog", "right", "courtyard"), ("dog", "play", "room"))),
    ("一枚火箭在沙漠里升空，飞向星空。", (("rocket", "fly", "desert"), ("rocket", "fly", "sky"))),
    ("皮球从天上掉到海滩上。", (("ball", "fall", "beach"),)),
    ("我家的小狗今天一岁了！它在沙滩上跳来跳去。", (("dog", "jump", "beach"),)),
)  # fmt: skip


def right(answer: str, wanted: tuple[tuple[str, str, str] | str, ...]) -> bool:
    """Whether a storyboard shows what is wanted, scene by scene; colours and lights of captions only, lengths never."""
    try:
        prompts = [scene["prompt"] for scene in json.loads(answer)["scenes"]]
        scenes = [parse(prompt) for prompt in prompts]
    except (ValueError, KeyError, TypeError):
        return False
    shown = [(scene.subject, scene.action, scene.place) for scene in scenes]
    return len(shown) == len(wanted) and all(
        want in (prompt, triple) for prompt, triple, want in zip(prompts, shown, wanted, strict=True)
    )


def score(model: Planner, tokenizer: object) -> tuple[float, list[tuple[str, str]]]:
    """The share of `STORIES` that are planned right, and those that are not with their answers."""
    answers = plan(model, tokenizer, [story for story, _ in STORIES])
    wrong = [
        (story, answer) for (story, wanted), answer in zip(STORIES, answers, strict=True) if not right(answer, wanted)
    ]
    return 1 - len(wrong) / len(STORIES), wrong
