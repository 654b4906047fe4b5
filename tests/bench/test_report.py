"""The report: one page that needs nothing else."""

import re
from typing import Any
from xml.etree import ElementTree

import pytest

from framecast.bench.latency import waterfall
from framecast.bench.record import Record
from framecast.bench.report.gpu import fastest, workloads
from framecast.bench.report.page import page

NASTY = '<script>alert("x")</script> & more'


def _point(rate: float, good: bool) -> dict[str, Any]:
    return {
        "request_rate": rate,
        "keeps_up": good,
        "latency_median": 1.0 + rate,
        "latency_p95": None if rate < 1 else 2.0,
        "ttff_ms": 500.0,
        "state": "steady" if good else "diverging",
        "reason": NASTY,
    }


LATENCIES = ("latency_p50", "latency_p95", "latency_p99", "ttff_p50", "ttff_p95")
RECORDS = [
    Record("sweep", {"knee_qps": 1.0, "beyond_qps": 2.0, "points": [_point(1.0, True), _point(2.0, False)]}, {}),
    Record("latency", {"stage_durations_mean": {"text": 0.1, "denoise": 1.0}, "latency_mean": 1.2, "note": NASTY}, []),
    Record("load", {"batch_sizes": {"1": 3.0, "2": 5.0, "+Inf": 0.0}}, {"in_flight": [[0.0, 1], [1.5, 2]]}),
    Record(
        "capacity predict",
        {
            "capacity_qps": 2.0,
            "points": [{"request_rate": rate, **dict.fromkeys(LATENCIES, 1.0)} for rate in (0.5, 1.0)],
            "batch_efficiency": [[1, 1.0], [2, 1.7]],
        },
        [],
        command=NASTY,
    ),
]


def test_what_no_stage_took_was_waiting() -> None:
    parts = {"queue": 0.1, "denoise": 1.0, "wire": 0.05}
    assert waterfall({"stage_durations_mean": parts, "latency_mean": 1.16}) == list(parts.items())
    busy = dict(waterfall({"stage_durations_mean": parts, "latency_mean": 2.0}))
    assert list(busy) == ["queue", "denoise", "waiting", "wire"]
    assert busy["waiting"] == pytest.approx(0.85)
    overlapping = {"stage_durations_mean": parts, "latency_mean": 0.9}
    assert "waiting" not in dict(waterfall(overlapping))
    assert waterfall({}) == []


@pytest.fixture(scope="module")
def html() -> str:
    return page(RECORDS)


def test_nothing_is_fetched_and_nothing_runs(html: str) -> None:
    assert "<script" not in html
    assert not re.search(r"""(?:src|href)=["'](?!#)""", html)
    assert not re.search(r"url\((?!#)", html)
    links = set(re.findall(r"https?://[^\s\"'<]+", html))
    assert links <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}  # names, not addresses
    assert "@import" not in html


def test_every_chart_is_drawn_once_and_well_formed(html: str) -> None:
    charts = re.findall(r"<svg.*?</svg>", html, re.DOTALL)
    assert len(charts) == 6
    for chart in charts:
        root = ElementTree.fromstring(chart)  # noqa: S314 - our own text
        assert root.attrib["role"] == "img"
    labels = re.findall(r'aria-label="([^"]+)"', html)
    assert len(set(labels)) == 6


def test_ids_are_unique_and_references_lead_somewhere(html: str) -> None:
    ids = re.findall(r'\bid="([^"]+)"', html)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'(?:href="#|url\(#)([^")]+)', html)) <= set(ids)


def test_text_is_escaped(html: str) -> None:
    assert html.count("&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt; &amp; more") == 4


def test_figures_of_every_record_are_in_its_tables(html: str) -> None:
    for text in ("knee_qps", "diverging", "capacity_qps", "denoise 1"):
        assert text in html


def test_a_gpus_rungs_are_figures_and_charts() -> None:
    step = {"section": "models", "what": "unet step", "dtype": "bfloat16"}
    kernel = {"section": "kernels", "op": "geglu", "family": NASTY, "ours_us": 2.0, "of_copy": 0.8}
    rows = [
        {**step, "rung": "ours", "call_us": 87_900.0, "of_floor": 2.0},
        {**step, "rung": "eager", "call_us": 155_000.0, "of_floor": 3.5},
        {**step, "rung": "ours", "call_us": 99_000.0},  # again: the first time counts
        {**step, "rung": "ours, fp8", "failed": "no words"},
        {"what": "clip of 4 steps", "rung": "ours", "guidance": False, "seconds": 0.262},
        {"what": "planner", "rung": "compile", "tokens_a_second": 252.8},
        {"what": "planner", "rung": "eager", "tokens_a_second": 25.8},
        {**kernel, "speedup": 3.0},
        {**kernel, "ours_us": None},
    ]
    assert [rung.name for rung in workloads(rows)["UNet step"]] == ["eager", "ours"]
    assert fastest(rows) == [
        ("UNet step", "87.9 ms", "ours"),
        ("clip of 4 steps", "262 ms", "ours, no guidance"),
        ("planner", "253 tokens/s", "compile"),
    ]
    shown = page([Record("gpu suite", {}, rows), Record("gpu suite", {}, rows, time="2026-11-27T01:25:33+00:00")])
    assert re.findall(r"<figure><h3>([^<]+)", shown)[:3] == [
        "UNet step",
        "Kernels against torch",
        "Kernels against the memory",
    ]
    assert "gpu suite, 2026-11-27 01:25</a>" in shown, "two links of one name say when"
    assert NASTY not in shown
    ids = re.findall(r'\bid="([^"]+)"', shown)
    assert len(ids) == len(set(ids))


def test_a_ladder_keeps_its_order() -> None:
    rungs = [{"what": "step", "ladder": "one more on", "rung": r, "call_us": t} for r, t in (("eager", 2), ("+ a", 3))]
    assert [rung.seconds for rung in workloads(rungs)["step, one more on"]] == [2e-6, 3e-6]


def test_the_same_records_give_the_same_page(html: str) -> None:
    assert page(RECORDS) == html
