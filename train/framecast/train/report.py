"""The figures of an evaluation as the page that people read, `docs/storybook.md`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from framecast.train.judge import QUESTIONS
from framecast.train.world.circumstances import CAMERAS, LIGHTS, WEATHERS
from framecast.train.world.vocabulary import ACTIONS, COLOURS, PLACES, SUBJECTS


def page(figures: Mapping[str, Any], trained: Mapping[str, Any], sheet: str, remarks: str = "") -> str:
    """Markdown.

    Args:
        figures: what `evaluate.write` keeps: `clips` as `evaluate.Judged`, `judge_…`, `psnr`, `ssim`, `planner_…`, and
            what else was measured.
        trained: `trained` of the bundle's `framecast.json`.
        sheet: path of the contact sheet, as the page links to it.
        remarks: what somebody saw who looked at it, Markdown.
    """
    clips = figures["clips"]
    judged = [
        f"| {name} | {_percent(clips['seen'][name])} | {_percent(clips['unseen'][name])} |"
        f" {_percent(figures[f'judge_{name}'])} |"
        for name in QUESTIONS
    ]
    other = [
        ("flicker, grey levels (renders of the same scenes)", _pair(clips, "flicker", "drawn_flicker")),
        ("seam between segments, 1 is none (renders)", _pair(clips, "seam", "drawn_seam")),
        ("the same between latents, four frames, inside a segment", _number(clips["inner_seam"])),
        (
            "Fréchet distance of the judge's features to renders of the same scenes (renders of other scenes)",
            _pair(clips, "distance", "drawn_distance"),
        ),
        ("VAE on held-out renders", f"{figures['psnr']:.2f} dB PSNR, {figures['ssim']:.3f} SSIM"),
        ("planner, exact storyboards of held-out stories, English", _percent(figures["planner_en"])),
        ("planner, Chinese", _percent(figures["planner_zh"])),
        (
            "planner, subject, action and place of stories written by hand (`train/framecast/train/everyday.py`)",
            _percent(figures["planner_everyday"]),
        ),
    ]
    return "\n".join(
        [
            "# The storybook, measured",
            "",
            "`framecast train evaluate` writes this page. Its seeds and stories are new, and the unseen combinations",
            "of subject, colour, place and action are in no clip or caption that UNet and text encoder learnt from.",
            "The judge is a small network trained on renders of all combinations; its own accuracy on new renders of",
            "unseen ones is in the last column.",
            "",
            f"{clips['clips']} clips, filmed through {figures.get('filmed_by', 'the pipeline')}:",
            "",
            "| the judge sees the right … | seen combinations | unseen combinations | on renders |",
            "|---|---|---|---|",
            *judged,
            "",
            *_mistaken(clips["mistaken"]),
            "| figure | value |",
            "|---|---|",
            *(f"| {name} | {value} |" for name, value in other),
            "",
            f"![Six frames of each of 24 fixed prompts]({sheet})",
            "",
            *([remarks.strip(), ""] if remarks else []),
            *_words(),
            "## What was trained",
            "",
            *_history(trained),
        ]
    )


def _words() -> list[str]:
    """What the world has, by the words for it."""
    rows = [
        *((subject.name, subject.english, subject.chinese) for subject in SUBJECTS.values()),
        *((colour.name, (), colour.chinese) for colour in COLOURS.values()),
        *((action.phrase, action.english, action.chinese) for action in ACTIONS.values()),
        *((place.phrase, place.english, place.chinese) for place in PLACES.values()),
        *((light.name, light.english, light.chinese) for light in LIGHTS.values()),
        *((weather.phrase or "(nothing)", weather.english, weather.chinese) for weather in WEATHERS.values()),
        *((name, english, chinese) for name, (english, chinese) in CAMERAS.items() if name != "static"),
    ]
    return [
        "## The words it knows",
        "",
        "A scene's prompt in full is `a white kitten with a red ball plays in the courtyard, night, snowing`; its",
        "camera is a field of its own. Stories may say what stands beside it. What else a prompt says is not drawn.",
        "",
        "<details><summary>Subjects, colours, actions, places, times, weathers and cameras</summary>",
        "",
        "| in a prompt | in stories | 故事里 |",
        "|---|---|---|",
        *(
            f"| {said} | {', '.join(word for word in english if word != said)} | {'、'.join(chinese)} |"
            for said, english, chinese in rows
        ),
        "",
        "</details>",
        "",
    ]


def _mistaken(pairs: Mapping[str, int]) -> list[str]:
    if not pairs:
        return []
    return [f"Subjects taken for another: {', '.join(f'{pair} {count}' for pair, count in pairs.items())}.", ""]


def _history(trained: Mapping[str, Any]) -> list[str]:
    """What the last run trained and, folded, the runs that it went on from."""
    runs = [trained]
    while earlier := runs[-1].get("began_with"):
        runs.append(earlier)
    if not runs[1:]:
        return _run(trained)
    folded = [line for run in runs[1:] for line in _run(run)]
    summary = f"<details><summary>What it went on from, the latest first ({len(runs) - 1})</summary>"
    return [*_run(trained), summary, "", *folded, "</details>", ""]


def _run(trained: Mapping[str, Any]) -> list[str]:
    lines = [
        f"Commit {trained.get('commit', 'unknown')[:12]}, {trained.get('date', 'unknown')}:",
        f"`{trained.get('command', 'unknown')}`.",
        "",
        "| part | steps | mean losses of the last 50 steps |",
        "|---|---|---|",
    ]
    for name, part in trained.get("parts", {}).items():
        losses = ", ".join(f"{k} {v:g}" for k, v in part["losses"].items())
        lines.append(f"| {name} | {part['steps']} | {losses} |")
    return [*lines, ""]


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _pair(clips: Mapping[str, float | None], name: str, drawn: str) -> str:
    return f"{_number(clips[name])} ({_number(clips[drawn])})"


def _number(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.2f}"
