"""The GPU suite, run for real at tiny sizes on the CPU: every section, every row, every table."""

import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from typer.testing import CliRunner

from framecast.bench.cli import app
from framecast.bench.gpu import ablation
from framecast.bench.gpu.command import main
from framecast.bench.gpu.denoise import ModelJob
from framecast.bench.gpu.job import Job
from framecast.bench.gpu.jobs import COMPILED_LADDERS, DIAGNOSES, JOBS, LADDERS, job_named, rounds_of
from framecast.bench.gpu.planner import PlannerJob
from framecast.bench.gpu.pool import side_by_side
from framecast.bench.gpu.rows import Deadline, Emit
from framecast.bench.gpu.scale import TINY, Scale
from framecast.bench.gpu.sections import SECTIONS, Section
from framecast.bench.gpu.suite import SuiteOptions, run_suite, watched
from framecast.bench.gpu.switches import FP8, climbing, leaving_out
from framecast.bench.record import Record
from framecast.kernels.shapes import shapes
from framecast.kernels.switches import OPS

MODELS = [job for job in JOBS if isinstance(job, ModelJob)]


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Record:
    """Of one dry run."""
    path = tmp_path_factory.mktemp("suite") / "suite.json"
    assert main(["suite", "--dry-run", "--output-file", str(path), "--commit", "abc"]) == 0
    text = path.with_suffix(".md").read_text(encoding="utf-8")
    assert "## kernels · kernels" in text
    assert "| ours without compile |" in text
    return Record.load(path)


def rows(record: Record, section: str, **wanted: Any) -> list[dict[str, Any]]:
    found = [row for row in record.samples if row["section"] == section]
    return [row for row in found if all(row.get(key) == value for key, value in wanted.items())]


def test_every_section_is_done(record: Record) -> None:
    assert [name for name in record.results if name.startswith("section_")] == [f"section_{s.name}" for s in SECTIONS]
    assert all(state.startswith("done") for state in record.results.values()), record.results
    assert record.commit == "abc"
    failed = [row for row in record.samples if "failed" in row or isinstance(row.get("refused"), str)]
    assert failed == []


def test_every_op_of_every_family_is_right_and_timed(record: Record) -> None:
    found = [row for row in rows(record, "kernels") if "op" in row]
    assert {(row["op"], row["family"]) for row in found} == {(op, s.family) for op in OPS for s in shapes()}
    for row in found:
        assert min(row["ours_us"], row["eager_us"], row["compile_us"]) > 0
        assert row["speedup"] == pytest.approx(min(row["eager_us"], row["compile_us"]) / row["ours_us"])
        assert row["of_copy"] == pytest.approx(row["tb_s"] / 4.3)
        assert row["of_same_copy"] == pytest.approx(row["same_copy_us"] / row["ours_us"])
    assert any("channels last" in row["shape"] for row in found)


@pytest.mark.parametrize(
    ("workload", "what"), [("step", "unet step"), ("distilled", "distilled step"), ("decode", "vae decode")]
)
def test_every_job_is_timed(record: Record, workload: str, what: str) -> None:
    found = rows(record, "models", what=what)
    assert [row["rung"] for row in found] == [job.rung.name for job in MODELS if workload in job.workloads]
    for row in found:
        assert row["call_us"] > 0
        eight_bits = row["rung"] == FP8.name and workload != "decode"  # the tiny decoder has no layer wide enough
        assert (25 < row["snr_db"] < 100) if eight_bits else row["snr_db"] > 100


def test_clips_tokens_and_other_runtimes_are_there(record: Record) -> None:
    clips = [(row["rung"], row["guidance"]) for row in rows(record, "models", what="clip of 2 steps")]
    assert clips == [(job.rung.name, "step" in job.workloads) for job in MODELS if len(job.workloads) == 2]
    planned = rows(record, "models", what="planner")
    assert len(planned) == 3
    assert all(row["tokens"] == TINY.tokens and row["tokens_as_eager"] == 1 for row in planned)
    runtimes = [*rows(record, "models", what="aoti"), *rows(record, "models", what="aoti as served")]
    runtimes += rows(record, "runtimes")
    assert [row["what"] for row in runtimes] == ["aoti", "aoti as served", "onnxruntime", "tensorrt_rtx"]
    assert all(row["skipped"] for row in runtimes)


def test_a_section_that_fails_is_recorded_and_the_rest_goes_on(tmp_path: Path) -> None:
    broken = Section("broken", "framecast.bench.gpu.rows:no_such_function", 1)
    chosen = [broken, next(s for s in SECTIONS if s.name == "environment")]
    found = run_suite(SuiteOptions(TINY, 20, chosen, isolate=False), tmp_path / "suite.json", "test")
    assert found.results["section_broken"].startswith("failed")
    assert "no_such_function" in found.results["section_broken"]
    assert found.results["section_environment"].startswith("done")
    assert Record.load(tmp_path / "suite.json").samples == found.samples


def test_sections_in_processes_of_their_own_end_in_time(tmp_path: Path) -> None:
    """A child of the section that would outlive it is ended too."""
    alive = tmp_path / "alive"
    child = f"import time, pathlib\nwhile True: pathlib.Path({str(alive)!r}).touch(); time.sleep(0.05)"
    parent = f"import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {child!r}]); time.sleep(600)"
    outcome = watched("slow", [sys.executable, "-c", parent], 3.0, tmp_path / "slow.log")
    assert outcome.state == "out of time"
    before = alive.stat().st_mtime_ns
    deadline = Deadline(0.3)
    while deadline.left > 0:
        time.sleep(0.05)
    assert alive.stat().st_mtime_ns == before
    failed = watched("bad", [sys.executable, "-c", "raise SystemExit('no such card')"], 30.0, tmp_path / "bad.log")
    assert (failed.state, failed.words) == ("failed", "exit 1: no such card")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_no_section_outlives_the_suite(number: signal.Signals, tmp_path: Path) -> None:
    """Not when a scheduler ends it, or when the connection that it was started over is lost."""
    section = "import sys, time; print('begun', flush=True); time.sleep(600)"
    here = f"""
import signal, sys
from pathlib import Path
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # these tests may be run under nohup, whose is ignored
from framecast.bench.gpu.suite import watched
watched("slow", [sys.executable, "-c", {section!r}], 600.0, Path({str(tmp_path / "slow.log")!r}))
"""
    suite = psutil.Popen([sys.executable, "-c", here], stderr=subprocess.DEVNULL)
    patience = Deadline(60)
    while not (children := suite.children()):
        assert patience.left > 0
        time.sleep(0.02)
    suite.send_signal(number)
    assert suite.wait(60) != 0
    _, alive = psutil.wait_procs(children, 60)
    assert not alive


def test_jobs_side_by_side_measure_in_turn_and_none_is_left(borrowed: None) -> None:
    """Real processes with as little as a borrowed machine has: some that are measured, one that dies."""
    found: list[dict[str, Any]] = []
    jobs = (job_named("eager: step, decode"), PlannerJob("lost"), job_named("planner"), job_named("aoti"))
    side_by_side(jobs, TINY, lambda **row: found.append(row), Deadline(300))
    assert [(row["what"], row["rung"]) for row in found if "call_us" in row] == [
        ("unet step", "eager"),
        ("vae decode", "eager"),
    ]
    assert [row["rung"] for row in found if row["what"] == "planner"] == [
        "eager",
        "static cache",
        "static cache, compile",
    ]
    ready = [row["job"] for row in found if row.get("ready_after_s", 0) > 0]
    assert sorted(ready) == ["aoti", "eager: step, decode", "planner"]
    (lost,) = [row for row in found if "failed" in row]
    assert lost["job"] == "lost"
    assert lost["failed"].startswith("framecast bench: --job lost is no job; choose of ours: step, decode; ")
    assert psutil.Process().children(recursive=True) == []


def test_rungs_that_are_compiled_are_jobs_and_a_ladder_takes_few_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, ...]] = []

    def measure(jobs: Sequence[Job], scale: Scale, emit: Emit, deadline: Deadline) -> None:
        asked.append(tuple(job.name for job in jobs))
        emit(what="unet step", rung="eager", call_us=4.0)
        emit(what="unet step", rung="all but geglu, compiled", call_us=2.0 * len(asked))
        emit(what="jobs", job=jobs[-1].name, skipped="not compiled in time")

    monkeypatch.setattr(ablation, "measure_all", measure)
    found: list[dict[str, Any]] = []
    ablation.run(TINY, lambda **row: found.append(row), Deadline(60), compiled=True)
    names = [name for jobs in asked for name in jobs]
    assert len(set(names)) == len(names) == 2 + 2 * 4 + 2 * 14
    assert max(map(len, asked)) <= 10
    assert names[:3] == ["ladder: step", "ladder: decode", "+ compile: step"]
    assert all(job_named(name, (*LADDERS, *COMPILED_LADDERS)).name == name for name in names)
    first, compiled, skipped = found[:3]
    assert (first["ladder"], first["of_first"]) == ("one more on", 1.0)
    assert (compiled["ladder"], compiled["of_first"]) == ("all but one, compiled", 1.0)
    assert found[4]["of_first"] == 2.0
    assert skipped == {"what": "jobs", "job": "+ fp8: decode", "skipped": "not compiled in time"}


def test_jobs_begin_when_the_gpu_has_room_for_them() -> None:
    """9/10 of an H200 takes all at once, of an H100 two rounds, of a small card a job at a time."""
    for jobs in (JOBS, LADDERS):
        assert rounds_of(jobs, 135.0) == [list(jobs)]
        for room in (75.0, 40.0, 10.0):
            rounds = rounds_of(jobs, room)
            assert [job for some in rounds for job in some] == list(jobs)
            assert all(len(some) == 1 or sum(job.gigabytes for job in some) <= room for some in rounds)
    assert len(rounds_of(JOBS, 75.0)) == 2
    assert rounds_of([], 75.0) == []


def test_a_job_that_is_not_ready_in_time_is_left_out() -> None:
    found: list[dict[str, Any]] = []
    side_by_side(JOBS[:1], TINY, lambda **row: found.append(row), Deadline(0.0))
    assert found == [{"what": "jobs", "job": JOBS[0].name, "skipped": "not compiled in time"}]
    assert psutil.Process().children(recursive=True) == []


@pytest.fixture
def children_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Has jobs run a shell's script in the place of Python."""

    def run(script: str) -> None:
        executable = tmp_path / "python"
        executable.write_text(f"#!/bin/sh\n{script}")
        executable.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(executable))

    return run


def test_a_compiler_that_hangs_ends_with_its_job(children_run: Callable[[str], None]) -> None:
    """It has its job's stdout, whose end is waited for."""
    children_run("sleep 600 &\nsleep 601\n")
    found: list[dict[str, Any]] = []
    began = Deadline(0)
    side_by_side([replace(JOBS[0], workloads=())], TINY, lambda **row: found.append(row), Deadline(0.5))
    assert [row["skipped"] for row in found] == ["not compiled in time"]
    assert began.left > -60
    assert psutil.Process().children(recursive=True) == []


def test_a_job_that_says_it_is_ready_and_dies_is_one_row(children_run: Callable[[str], None]) -> None:
    """And what a library prints among the rows is none of them."""
    children_run("echo '{not json}'\necho '{\"ready\": 1.0}'\necho gone >&2\nexit 3\n")
    found: list[dict[str, Any]] = []
    before = Deadline(0)
    side_by_side(JOBS[:1], TINY, lambda **row: found.append(row), Deadline(60))
    assert [row.get("failed") for row in found] == [None, "gone"]
    assert found[0]["ready_after_s"] == 1.0
    assert before.left > -30, "nobody waits for the dead"


def test_a_job_that_a_signal_ends_says_where_it_was(children_run: Callable[[str], None]) -> None:
    """A library that breaks the process leaves no message of its own."""
    program = "import faulthandler, threading; threading.Thread(target=threading.Event().wait, daemon=True).start()"
    children_run(f"exec {sys.executable} -c '{program}\nfaulthandler._sigsegv()'\n")
    found: list[dict[str, Any]] = []
    side_by_side(JOBS[:1], TINY, lambda **row: found.append(row), Deadline(60))
    assert [row["failed"] for row in found] == ['ended by SIGSEGV, File "<string>", line 2 in <module>']


MISSING = ("typer", "rich", "grpc", "psutil", "pynvml", "onnxruntime", "onnx", "matplotlib")
# Packages of ours that are on no such machine, even where it has what an export needs.
OURS_ALONE = ("av", "grpc_health", "grpc_reflection", "llguidance", "pytriton", "skia", "tritonclient", "pydantic")
NOT_THERE = """
import sys
from importlib.machinery import PathFinder

class Finder(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] in %s else super().find_spec(name, path, target)

sys.meta_path[:] = [Finder if finder is PathFinder else finder for finder in sys.meta_path]
"""


def hide(packages: tuple[str, ...], folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Children do not find them."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(NOT_THERE % (packages,), encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(folder))


@pytest.fixture
def borrowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Children find what a borrowed machine has: torch, triton, numpy and transformers, and diffusers."""
    hide(MISSING, tmp_path / "missing", monkeypatch)


def test_jobs_that_look_for_a_wrong_op_run_when_named(tmp_path: Path) -> None:
    assert not {job.name for job in DIAGNOSES} & {job.name for job in JOBS}
    arguments = [argument for job in DIAGNOSES for argument in ("--job", job.name)]
    path = tmp_path / "suite.json"
    assert main(["suite", "--dry-run", "--only", "models", *arguments, "--output-file", str(path)]) == 0
    record = Record.load(path)
    assert len(rows(record, "models", what="aoti")) == len(DIAGNOSES) - 1
    assert [row["rung"] for row in rows(record, "models", what="vae decode")] == ["ours in one piece"]


def test_packages_as_served_need_nothing_that_only_we_have(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are compiled where an export can be made; here up to torch's compiler, which `tests/export` runs."""
    hide(OURS_ALONE, tmp_path / "missing", monkeypatch)
    program = """
from dataclasses import replace
import torch
from framecast.bench.gpu.aoti import ServedAotiJob
from framecast.bench.gpu.scale import TINY

def compiler(program, **options):
    raise SystemExit(f"compiles {len(program.graph.nodes)} nodes")

torch._inductor.aoti_compile_and_package = compiler
ServedAotiJob().run(replace(TINY, compile=True), print, lambda: None)
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=400, check=False)
    assert re.fullmatch(r"compiles \d\d+ nodes", ran.stderr.splitlines()[-1]), ran.stderr


def test_sections_are_processes_that_need_little(tmp_path: Path, borrowed: None) -> None:
    environment = next(s for s in SECTIONS if s.name == "environment")
    found = run_suite(SuiteOptions(TINY, 300, [environment]), tmp_path / "suite.json", "test")
    assert found.results["section_environment"].startswith("done"), found.results
    assert rows(found, "environment", what="ceilings")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["suite", "--dry-run", "--only", "cooling"], "--only cooling is no section"),
        (["kernels", "--dry-run", "--seconds", "0"], "--seconds is 0"),
        (["kernels", "--dry-run", "--seconds", "nan"], "--seconds is nan"),
        (["suite", "--dry-run", "--only", "kernels", "--job", "planner"], "--job names a job of the section models"),
        (["suite", "--dry-run", "--job", "ours: sing"], "--job ours: sing is no job; choose of ours: step, decode;"),
    ],
)
def test_bad_options_are_named(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert message in capsys.readouterr().err


def test_a_count_below_zero_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["kernels", "--dry-run", "--heaviest", "-1"])
    assert ended.value.code == 2
    assert "-1 is not 0 or a positive number" in capsys.readouterr().err


def test_framecast_bench_passes_its_options_on() -> None:
    for command in ("kernels", "gpu-suite", "ablation"):
        assert CliRunner().invoke(app, [command, "--dry-run", "--seconds", "-1"]).exit_code == 2
        helped = CliRunner().invoke(app, [command, "--help"])
        assert helped.exit_code == 0
        assert "--dry-run" in helped.output


def test_ablation_replays_all_ladders_and_keeps_a_log(tmp_path: Path) -> None:
    log = tmp_path / "log.md"
    log.write_text("# Log\n", encoding="utf-8")
    output = tmp_path / "ablation.json"
    assert main(["ablation", "--dry-run", "--compiled", "--output-file", str(output), "--log", str(log)]) == 0
    record = Record.load(output)
    for what in ("unet step", "vae decode"):
        ladders = {
            name: [row for row in record.samples if row["what"] == what and row["ladder"] == name]
            for name in ("one more on", "all but one", "all but one, compiled")
        }
        assert [row["rung"] for row in ladders["one more on"]] == [rung.name for rung in climbing()]
        for name, compiled in (("all but one", False), ("all but one, compiled", True)):
            rungs = [rung for rung in leaving_out(compiled=compiled) if rung.switches.compile == compiled]
            assert [row["rung"] for row in ladders[name]] == [rung.name for rung in rungs]
        for found in ladders.values():
            assert all(row["of_first"] == pytest.approx(row["call_us"] / found[0]["call_us"]) for row in found)
        fastest = min(ladders["one more on"], key=lambda row: float(row["call_us"]))
        told = f"{fastest['rung']}: {fastest['of_first']:.3f} of the first"
        assert record.results[f"fastest {what}, one more on"] == told
    assert record.results["failed"] == 0
    text = log.read_text(encoding="utf-8")
    assert text.startswith("# Log\n\n## 20")
    assert "ladder of optimisations" in text
    assert text.count("| + geglu |") == 2
