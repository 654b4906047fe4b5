"""The page of an evaluation says what was measured."""

from dataclasses import asdict

from framecast.train.evaluate import Judged
from framecast.train.judge import QUESTIONS
from framecast.train.report import page


def test_the_page_has_every_figure() -> None:
    seen = {name: 0.9 + i / 100 for i, name in enumerate(QUESTIONS)}
    unseen = {name: 0.5 + i / 100 for i, name in enumerate(QUESTIONS)}
    judged = Judged(seen, unseen, 240, {"kitten → dog": 3, "fish → ball": 1}, 1.25, 1.5, 1.31, 1.21, 1.02, 30.5, 2.5)
    figures = {
        "clips": asdict(judged),
        "psnr": 30.123,
        "ssim": 0.9,
        "planner_en": 0.951,
        "planner_zh": 0.962,
        "planner_everyday": 0.925,
        "filmed_by": "a running server",
        **{f"judge_{name}": 0.99 for name in QUESTIONS},
    }
    trained = {
        "commit": "0123456789abcdef",
        "date": "2026-01-01",
        "command": "framecast train unet",
        "parts": {"unet": {"steps": 7, "losses": {"clip": 0.5}}},
        "began_with": {
            "commit": "fedcba",
            "command": "framecast train vae",
            "parts": {"vae": {"steps": 3, "losses": {}}},
        },
    }
    text = page(figures, trained, "storybook/sheet.png", "The kitten has no whiskers.\n")
    for said in (
        "| subject | 90.0 % | 50.0 % | 99.0 % |",
        "| weather | 95.0 % | 55.0 % | 99.0 % |",
        "240 clips, filmed through a running server",
        "Subjects taken for another: kitten → dog 3, fish → ball 1.",
        "1.25 (1.50)",
        "1.31 (1.02)",
        "inside a segment | 1.21 |",
        "30.50 (2.50)",
        "30.12 dB PSNR, 0.900 SSIM",
        "95.1 %",
        "96.2 %",
        "92.5 %",
        "storybook/sheet.png",
        "Commit 0123456789ab, 2026-01-01",
        "| unet | 7 | clip 0.5 |",
        "Commit fedcba, unknown",
        "| vae | 3 |  |\n\n</details>",
        "the latest first (1)",
        "\nThe kitten has no whiskers.\n",
    ):
        assert said in text
    alone = {**figures, "clips": {**figures["clips"], "seam": None, "inner_seam": None, "drawn_seam": None}}
    assert "1 is none (renders) | not measured (not measured) |" in page(alone, trained, "sheet.png")
    assert "What it went on from" not in page(figures, {"commit": "first"}, "sheet.png")
    assert "| in the sea | in the ocean, on the open sea" in text
