"""The commands against a real gateway, as a user runs them."""

import errno
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.bench.conftest import serving
from tests.support.bench import SCENE, refused, run
from typer.testing import CliRunner

from framecast.bench.cli import app
from framecast.bench.record import Record
from framecast.gateway.config import GatewayConfig

TLS = Path(__file__).parents[1] / "support" / "tls"


def test_latency_writes_a_record_and_a_table(gateway: str, tmp_path: Path) -> None:
    path = tmp_path / "deep" / "latency.json"
    found = run("latency", *SCENE, "--address", gateway, "--num-prompts", "8", "--output-file", str(path))
    assert Record.load(path) == Record.from_json(json.dumps(found))
    results = found["results"]
    assert results["completed_requests"] == 8
    assert results["latency_p50"] > 0
    assert results["latency_p99"] is None
    assert list(results["stage_durations_mean"]) == ["queue", "text", "denoise", "decode", "encode", "mux", "wire"]
    assert results["stage_durations_mean"]["encode"] == pytest.approx(0.001)
    assert results["stage_durations_mean"]["mux"] == pytest.approx(0.0005)
    assert results["stages_not_reported"] == ["plan", "review"]
    assert len(found["samples"]["videos"]) == 8
    assert [kind["scene_seconds"] for kind in found["settings"]["kinds"]] == [[2.0]]
    assert found["settings"]["served"]["bundle"] == "scripted"
    assert "| latency_median |" in path.with_suffix(".md").read_text()
    for name in ("machine", "versions", "command", "time"):
        assert found[name], name


def test_a_record_is_written_wherever_nobody_says(
    gateway: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run("latency", "--story", "Once.", "--address", gateway, "--num-prompts", "1")
    (found,) = tmp_path.glob("out/bench/*-latency.json")
    assert Record.load(found).settings["kinds"][0]["planned"] is True


def test_an_open_loop(gateway: str, tmp_path: Path) -> None:
    load = ["load", *SCENE, "--address", gateway, "--request-rate", "40", "--num-prompts", "100"]
    found = run(*load, "--slo", "latency=30", "--output-file", str(tmp_path / "load.json"))
    results = found["results"]
    assert results["state"] == "steady"
    assert results["completed_requests"] == 100
    assert results["slo_attainment_rate"] == 1.0
    assert results["latency_p95"] is not None
    assert results["latency_p99"] is None
    assert found["settings"]["arrivals"] == "poisson"
    assert found["samples"]["telemetry"]


def test_a_server_with_tokens_and_a_certificate_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = {"tls_certificate": TLS / "a.pem", "tls_key": TLS / "a.key"}
    rest = ["--num-prompts", "2", "--output-file", str(tmp_path / "x.json")]
    with serving(GatewayConfig(address="127.0.0.1:0", tokens=frozenset({"abc"}), **own)) as address:
        port = address.rpartition(":")[2]
        asked = ["latency", *SCENE, "--address", f"localhost:{port}", "--ca-file", str(TLS / "a.pem"), *rest]
        refused = CliRunner().invoke(app, asked)
        assert refused.exit_code == 1
        assert "authorization: Bearer" in refused.stderr
        monkeypatch.setenv("FRAMECAST_TOKEN", "abc")
        assert run(*asked)["results"]["completed_requests"] == 2


def test_a_load_of_which_nothing_was_made_says_why(gateway: str, tmp_path: Path) -> None:
    path = str(tmp_path / "load.json")
    load = ["load", *SCENE, "--address", gateway, "--max-concurrency", "2", "--num-prompts", "4", "--width", "7"]
    failed = CliRunner().invoke(app, [*load, "--warmup-requests", "0", "--output-file", path])
    assert failed.exit_code == 1
    assert "4 of 4 videos: InvalidArgument: options.width: 7 is not" in " ".join(failed.stderr.split())
    why = json.loads(Path(path).read_text(encoding="utf-8"))["samples"]["videos"][0]["why"]
    assert why.startswith("options.width: 7 is not")


def test_a_closed_loop_and_a_trace(gateway: str, tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    closed = ["load", *SCENE, "--address", gateway, "--max-concurrency", "3", "--num-prompts", "9"]
    assert run(*closed, "--output-file", str(path))["results"]["in_flight_max"] == 3
    trace = tmp_path / "trace.jsonl"
    trace.write_text('{"at": 0, "scenes": [{"prompt": "a"}]}\n{"at": 0.01, "story": "b"}\n')
    found = run("load", "--trace", str(trace), "--address", gateway, "--output-file", str(path))
    assert found["results"]["completed_requests"] == 2
    assert found["settings"]["arrivals"] == "trace"


def test_a_sweep(gateway: str, tmp_path: Path) -> None:
    sweep = ["load", *SCENE, "--address", gateway, "--request-rate", "100", "--num-prompts", "20", "--sweep"]
    bounds = ["--slo", "latency=0.000001", "--sweep-bisections", "0"]  # never attained: no knee
    found = run(*sweep, *bounds, "--output-file", str(tmp_path / "sweep.json"))
    assert found["benchmark"] == "sweep"
    assert (found["results"]["knee_qps"], found["results"]["beyond_qps"]) == (None, 100.0)
    assert list(found["samples"]) == ["100.0"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["latency"], "give either --story or --scene"),
        (["latency", "--scene", "a", "--num-frames", "8"], "needs --fps"),
        (["latency", "--scene", "a", "--slo", "joy=1"], "'joy' is none of"),
        (["load", "--scene", "a"], "give --request-rate, --trace, or --max-concurrency"),
        (["load", "--scene", "a", "--max-concurrency", "1", "--sweep"], "--sweep begins at --request-rate"),
        (["load", "--request-rate", "1"], "nothing is asked for: give --story, --scene, --mix or --trace"),
        (["load", "--trace", "t.jsonl", "--request-rate", "7"], "--trace says when callers come"),
        (["load", "--mix", "m.jsonl", "--seconds", "3", "--request-rate", "1"], "--mix says how long its scenes are"),
        (["load", "--scene", "a", "--request-rate", "1", "--sweep", "--sweep-factor", "inf"], "inf is not a finite"),
        (["load", "--scene", "a", "--request-rate", "inf"], "inf is not a finite number"),
        (["load", "--scene", "a", "--seconds", "nan"], "Invalid value for '--seconds'"),
        (["load", "--scene", "a", "--mix", "m.jsonl", "--request-rate", "1"], "--mix and --story or --scene both say"),
        (["loadgen", "--scene", "a", "--ttff", "inf"], "inf is not a finite number"),
        (["loadgen", "--scene", "a", "--frame", "nan"], "Invalid value for '--frame'"),
        (["loadgen", "--scene", "a", "--min-seconds", "-5"], "Invalid value for '--min-seconds'"),
        (["loadgen", "--scene", "a", "--request-rate", "0"], "Invalid value for '--request-rate'"),
        (["latency", "--scene", "a", "--seed", "-1"], "Invalid value for '--seed'"),
        (["latency", "--scene", "a", "--server-pid", "-5"], "there is no process -5"),
        (["latency", "--scene", "a", "--metrics-url", "garbage"], "'garbage' is no http address"),
        (["latency", "--scene", "a", "--output-file", "/tmp"], "/tmp is a folder; name a file in it"),
        (["latency", "--scene", "a", "--output-file", "/proc/x.json"], "/proc/x.json cannot be written"),
        (["latency", "--scene", "a", "--output-file", "x.md"], "x.md is where the table beside a record goes"),
    ],
)
def test_wrong_options_are_named(arguments: list[str], message: str) -> None:
    assert message in refused(*arguments)


@pytest.mark.parametrize("line", ['{"at": NaN, "story": "a"}', '{"at": Infinity, "story": "a"}'])
def test_times_that_are_none_are_told(line: str, tmp_path: Path) -> None:
    trace = tmp_path / "trace.jsonl"
    trace.write_text(line, encoding="utf-8")
    assert "a number is not finite" in refused("load", "--trace", str(trace))


def test_a_record_that_cannot_be_saved_is_printed(
    gateway: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that fills up meanwhile: injected, for this machine's is not to be filled."""

    def full(record: Record, path: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(Record, "save", full)
    path = str(tmp_path / "x.json")
    told = CliRunner().invoke(app, ["latency", *SCENE, "--address", gateway, "--output-file", path])
    assert told.exit_code == 1
    assert f"{path}: No space left on device" in told.stderr
    assert json.loads(told.stdout)["results"]["completed_requests"] == 5


def test_nobody_there_is_one_sentence() -> None:
    result = CliRunner().invoke(app, ["latency", *SCENE, "--address", "127.0.0.1:1", "--num-prompts", "1"])
    assert result.exit_code == 1
    assert "127.0.0.1:1" in result.stderr
    assert not result.stdout


@pytest.mark.parametrize("command", ["load", "latency"])
def test_a_load_that_is_told_to_end_is_recorded(gateway: str, tmp_path: Path, command: str) -> None:
    """As a process of its own, told by the signal when the second video has ended, long before the last."""
    file, trace = tmp_path / "load.json", tmp_path / "trace.jsonl"
    trace.write_text("".join(f'{{"at": {at}, "scenes": [{{"prompt": "a"}}]}}\n' for at in (0, 0.1, 600)))
    asked = {"load": ["--trace", str(trace), "--warmup-requests", "0"], "latency": [*SCENE, "--num-prompts", "100000"]}
    arguments = ["bench", command, *asked[command], "--address", gateway, "--output-file", str(file)]
    process = subprocess.Popen(
        [sys.executable, "-c", _TELLS_WHEN_ENDED, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert [process.stdout.readline() for _ in range(2)] == ["ended\n"] * 2
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors.splitlines()[-1]) == (
        130,
        "framecast: interrupted; the record has what had ended by then",
    )
    results = json.loads(file.read_text())["results"]
    assert results["state"] == "interrupted"
    assert results["completed_requests"] >= 2
    assert results["unsent_requests"] > 0
    assert "Traceback" not in errors


_TELLS_WHEN_ENDED = """
from framecast.bench import divergence
from framecast.client.cli import main

known = divergence.DivergenceWatch.ended
def ended(*arguments, **named):
    print("ended", flush=True)
    return known(*arguments, **named)
divergence.DivergenceWatch.ended = ended
main()
"""


def test_a_sweep_of_what_cannot_be_made_says_why(gateway: str, tmp_path: Path) -> None:
    file = tmp_path / "sweep.json"
    asked = ["load", "--sweep", *SCENE, "--width", "33", "--request-rate", "50", "--num-prompts", "3"]
    told = CliRunner().invoke(app, [*asked, "--address", gateway, "--output-file", str(file)])
    assert told.exit_code == 1
    assert "3 of 3 videos: InvalidArgument: options.width: 33 is not a multiple of" in " ".join(told.stderr.split())
    assert json.loads(file.read_text())["results"]["beyond_qps"] is None
