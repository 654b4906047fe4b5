"""Contests on real servers: the same video by both before any speed is told, and every server gone afterwards."""

import json
from pathlib import Path

import psutil
import pytest
from typer.testing import CliRunner

from framecast.bench.cli import app

SCENES = {"diffusers": 1, "ensemble": 1, "fcfs": 2}


@pytest.mark.parametrize("versus", sorted(SCENES))
def test_peers_on_real_servers(versus: str, tiny_repository: Path, tiny_bundle: Path, tmp_path: Path) -> None:
    scenes = [word for number in range(SCENES[versus]) for word in ("--scene", f"scene {number}")]
    where = ["--repository", str(tiny_repository), "--bundle", str(tiny_bundle), "--rounds", "1"]
    record = tmp_path / "peers.json"
    load = ["--num-prompts", "2", "--max-concurrency", "2", "--output-file", str(record)]
    mine = psutil.Process()
    before = set(mine.children(recursive=True))
    ran = CliRunner().invoke(app, ["peers", "--versus", versus, *where, *scenes, *load])
    assert ran.exit_code == 0, ran.output
    results = json.loads(ran.stdout.splitlines()[-1])["results"]
    assert results["level_difference"] < 1.0
    videos = 2 if versus == "fcfs" else 1
    for side in ("ours", "theirs"):
        laps = json.loads(record.read_text())["samples"][side]
        assert [len(lap["totals"]) for lap in laps] == [videos]
        assert all(0 < total <= lap["seconds"] for lap in laps for total in lap["totals"])
    ratio = results["theirs_latency_median"] / results["ours_latency_median"]
    assert results["speedup"] == pytest.approx(ratio)
    assert set(mine.children(recursive=True)) <= before
