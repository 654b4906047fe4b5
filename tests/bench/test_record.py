"""Records: what every run leaves behind."""

import json
import shlex
import sys
from pathlib import Path

import pytest

from framecast.bench.commands.publish import side_by_side
from framecast.bench.record import SERVING, Record, cell, command

RESULTS = Path(__file__).parents[2] / "bench" / "results"
RESULTS_OF_ONE = {
    "latency_median": 1.23456,
    "latency_p50": 1.2,
    "latency_p50_interval": [1.0, None],
    "latency_p99": None,
    "latency_p99_interval": [None, None],
    "reason": "a|b",
    "refused_figures": {"latency_p99": "9 samples, 459 needed", "stage_durations_p99.text": "9 samples, 459 needed"},
}
RECORD = Record("latency", RESULTS_OF_ONE, [1.0], {"steps": 4})


def test_a_record_survives_its_file(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    RECORD.save(path)
    assert Record.load(path) == RECORD
    assert Record.from_json(RECORD.to_json()) == RECORD
    assert "\n" not in RECORD.to_json()


def test_a_record_tells_no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["framecast", "bench", "load", "--token", "S1", "--token=S2", "--scene", "a b"])
    monkeypatch.setenv(SERVING, "framecast serve --token 'S 3' --token=S4 --")
    found = command()
    assert found.startswith("framecast serve --token *** ")
    assert found.endswith(" --scene 'a b'")
    assert "S" not in found


def test_a_record_names_machine_versions_commit_and_command() -> None:
    assert RECORD.machine["cores"] >= 1
    assert {"python", "framecast", "numpy"} <= set(RECORD.versions)
    assert RECORD.command == shlex.join(["framecast", *sys.argv[1:]])
    assert RECORD.time.endswith("+00:00")


def test_a_record_names_what_served_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRAMECAST_SERVING", "framecast serve --repository 'a b' --")
    monkeypatch.setenv("FRAMECAST_ADDRESS", "127.0.0.1:1")
    monkeypatch.setenv("FRAMECAST_BATCHER", "max_live=1")
    monkeypatch.setenv("FRAMECAST_TOKEN", "secret")
    monkeypatch.setenv("FRAMECAST_TOKENS", "secret")
    found = Record("x", {"y": 1}, [], {"served": {"bundle": "storybook", "source": "abc"}})
    assert found.command == f"framecast serve --repository 'a b' -- {shlex.join(['framecast', *sys.argv[1:]])}"
    assert found.environment == {"FRAMECAST_BATCHER": "max_live=1"}
    assert "secret" not in found.to_json()
    lines = found.markdown().splitlines()
    assert f"    FRAMECAST_BATCHER=max_live=1 {found.command}" in lines
    assert "served: bundle storybook, source abc" in lines


@pytest.mark.parametrize("path", sorted(RESULTS.glob("*.json")), ids=lambda path: path.stem)
def test_the_results_that_are_kept_are_records(path: Path) -> None:
    assert Record.load(path).results


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"results": []}, "results is not a dict"),
        ({"time": 5}, "time is not a str"),
        ({"extra": 1}, r"\['extra'\] are missing or extra"),
    ],
)
def test_what_is_no_record_is_refused(change: dict[str, object], message: str) -> None:
    text = json.dumps({**json.loads(RECORD.to_json()), **change})
    with pytest.raises(ValueError, match=message):
        Record.from_json(text)
    for broken in ("[]", "{", '{"benchmark": "x"}'):
        with pytest.raises(ValueError, match=r"not a benchmark's record|is not JSON"):
            Record.from_json(broken)


def test_json_has_no_nan() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        Record("x", {"value": float("nan")}, []).to_json()


def test_the_table_is_markdown() -> None:
    lines = RECORD.markdown().splitlines()
    assert "| latency_median | 1.235 |" in lines
    assert "| reason | a\\|b |" in lines
    assert "| latency_p50 | 1.2 (1 to —) |" in lines
    assert "| too few samples for | latency_p99 |" in lines
    assert sum("latency_p99" in line for line in lines) == 1
    assert cell({str(number): number for number in range(50)}) == "50 values"
    assert [cell(value) for value in ({"a": 0.5, "b": None}, [1, 2.0], [{}], True)] == [
        "a 0.5",
        "1, 2",
        "",
        "True",
    ]


def test_a_wide_table_is_cut_between_its_columns_and_loses_nothing() -> None:
    rows = [("figure", *(f"load {n}" for n in range(9))), ("latency_p95", *(f"{n}.123" for n in range(9)))]
    parts = side_by_side(rows, 40)
    assert all(part[1][0] == "latency_p95" for part in parts)
    assert [text for part in parts for text in part[1][1:]] == list(rows[1][1:])
    assert all(sum(max(map(len, column)) + 3 for column in zip(*part, strict=True)) <= 40 for part in parts)
    assert side_by_side(rows, 400) == [rows]
    assert len(side_by_side(rows, 5)) == 9, "one column each where even that is too much"
