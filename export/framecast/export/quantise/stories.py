"""Stories from which the bundle's own planner writes the prompts that graphs are calibrated and judged on."""

CALIBRATION = (
    "A little cat plays in a courtyard in the morning, and then it rains.",
    "A red car drives through a snowy forest at night. A dog waits for it beside the road.",
    "Two friends fly a balloon over the sea until the sun goes down.",
    "一只可爱的小猫在庭院里玩耍，蝴蝶飞过，它追着跑。",
    "清晨，一列火车穿过开满花的山谷，孩子在窗边挥手。",
    "夜里下着雪，小狗在街上散步，远处的房子亮着灯。",
)
HELD_OUT = (
    "A rabbit hops through a garden, finds a ball and rolls it down the hill.",
    "小鸟在湖边的树上唱歌，傍晚时飞回家。",
)
