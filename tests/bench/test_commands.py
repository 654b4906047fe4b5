"""The commands against a real gateway, as a user runs them."""

import errno
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.bench.conftest import MODEL, serving
from typer.testing import CliRunner

from framecast.bench.cli import app
from framecast.bench.record import Record
from framecast.gateway.config import GatewayConfig

TLS = Path(__file__).parents[1] / "support" / "tls"
RESULTS = Path(__file__).parents[2] / "bench" / "results"
SCENE = ["--scene", "a kitten", "--seconds", "2", "--warmup-requests", "0"]


def _run(*arguments: str, code: int = 0) -> dict[str, Any]:
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == code, result.output
    found: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return found


def _refused(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == 2
    return " ".join(result.stderr.replace("│", " ").split())


def test_latency_writes_a_record_and_a_table(gateway: str, tmp_path: Path) -> None:
    path = tmp_path / "deep" / "latency.json"
    found = _run("latency", *SCENE, "--address", gateway, "--num-prompts", "8", "--output-file", str(path))
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
    _run("latency", "--story", "Once.", "--address", gateway, "--num-prompts", "1")
    (found,) = tmp_path.glob("out/bench/*-latency.json")
    assert Record.load(found).settings["kinds"][0]["planned"] is True


def test_an_open_loop(gateway: str, tmp_path: Path) -> None:
    load = ["load", *SCENE, "--address", gateway, "--request-rate", "40", "--num-prompts", "100"]
    found = _run(*load, "--slo", "latency=30", "--output-file", str(tmp_path / "load.json"))
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
        assert _run(*asked)["results"]["completed_requests"] == 2


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
    assert _run(*closed, "--output-file", str(path))["results"]["in_flight_max"] == 3
    trace = tmp_path / "trace.jsonl"
    trace.write_text('{"at": 0, "scenes": [{"prompt": "a"}]}\n{"at": 0.01, "story": "b"}\n')
    found = _run("load", "--trace", str(trace), "--address", gateway, "--output-file", str(path))
    assert found["results"]["completed_requests"] == 2
    assert found["settings"]["arrivals"] == "trace"


def test_a_sweep(gateway: str, tmp_path: Path) -> None:
    sweep = ["load", *SCENE, "--address", gateway, "--request-rate", "100", "--num-prompts", "20", "--sweep"]
    bounds = ["--slo", "latency=0.000001", "--sweep-bisections", "0"]  # never attained: no knee
    found = _run(*sweep, *bounds, "--output-file", str(tmp_path / "sweep.json"))
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
    assert message in _refused(*arguments)


@pytest.mark.parametrize("line", ['{"at": NaN, "story": "a"}', '{"at": Infinity, "story": "a"}'])
def test_times_that_are_none_are_told(line: str, tmp_path: Path) -> None:
    trace = tmp_path / "trace.jsonl"
    trace.write_text(line, encoding="utf-8")
    assert "a number is not finite" in _refused("load", "--trace", str(trace))


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


def test_from_calibration_to_plan_and_report(gateway: str, tmp_path: Path) -> None:
    """Every command on the output of the one before."""
    served = tmp_path / "served" / "denoiser"
    served.mkdir(parents=True)
    text = json.dumps(MODEL.to_json())[1:-1]
    (served / "config.pbtxt").write_text(f'parameters {{ key: "framecast" value {{ string_value: "{text}" }} }}\n')
    files = {
        name: str(tmp_path / f"{name}.json") for name in ("fit", "again", "curve", "plan", "play", "load", "check")
    }

    calibration = [
        "capacity",
        "calibrate",
        "--repository",
        str(served.parent),
        "--address",
        gateway,
        "--story",
        "Once.",
    ]
    fitted = _run(*calibration, "--num-prompts", "2", "--output-file", files["fit"])
    assert fitted["results"]["served"]["bundle"] == "scripted"
    assert len(fitted["samples"]) == 7
    again = _run("capacity", "fit", files["fit"], "--output-file", files["again"])
    assert again["results"] == fitted["results"]
    twice = _run("capacity", "fit", files["fit"], files["fit"], "--output-file", files["again"])
    once, both = ({**each["results"]["service"], "step": 0.0} for each in (fitted, twice))
    assert both == pytest.approx(once)
    assert [len(run["samples"]) for run in twice["samples"]] == [2 * len(run["samples"]) for run in fitted["samples"]]

    curve = _run("capacity", "predict", files["fit"], "--slo", "latency=9", "--output-file", files["curve"])["results"]
    assert len(curve["points"]) == 19
    assert curve["points"][0]["slo_attainment_rate"] == pytest.approx(1.0)
    priced = ["--latency-p95", "60", "--dollars-per-hour", "3", "--busy-watts", "700"]
    plan = _run("capacity", "plan", files["fit"], "--videos-per-hour", "100", *priced, "--output-file", files["plan"])
    assert plan["results"]["replicas"] == 1
    assert plan["results"]["dollars_per_video"] == pytest.approx(0.03, rel=0.02)
    fleet = ["--request-rate", "20", "--replicas", "10", "--num-prompts", "500", "--failures-per-hour", "60"]
    limits = ["--limit", "max_live_videos=2", "--routing", "two-choices", "--arrivals", "bursty"]
    played = _run("capacity", "simulate", files["fit"], *fleet, *limits, "--output-file", files["play"])
    assert played["results"]["simulated_videos_per_second"] > 0
    assert played["settings"]["limits"]["max_live_videos"] == 2
    assert "none of max_live_videos" in _refused("capacity", "predict", files["fit"], "--limit", "gpus=2")

    load = ["load", *SCENE, "--address", gateway, "--request-rate", "50", "--num-prompts", "10"]
    _run(*load, "--output-file", files["load"])
    checked = _run("capacity", "validate", files["fit"], files["load"], "--output-file", files["check"])["results"]
    assert {row["figure"] for row in checked["rows"]} >= {"throughput_qps", "latency_median", "ttff_median"}
    assert checked["formula_error_worst"] is not None
    table = Path(files["check"]).with_suffix(".md").read_text()
    assert "| request_rate | figure | measured | formula | simulated | formula_error | simulated_error |" in table
    assert sum(line.startswith("| 50 |") for line in table.splitlines()) == len(checked["rows"])
    assert "only open loops" in _refused("capacity", "validate", files["fit"], files["plan"])

    mix = tmp_path / "mix.jsonl"
    mix.write_text(
        '{"scenes": [{"prompt": "a", "seconds": 1}], "weight": 3}\n'
        '{"scenes": [{"prompt": "b", "seconds": 1}, {"prompt": "c", "seconds": 2}], "steps": 10}\n'
    )
    load = ["load", "--mix", str(mix), "--address", gateway, "--request-rate", "50", "--num-prompts", "20"]
    mixed = _run(*load, "--output-file", files["load"])
    assert [kind["scene_seconds"] for kind in mixed["settings"]["kinds"]] == [[1.0], [1.0, 2.0]]
    assert sorted(set(mixed["settings"]["order"])) == [0, 1]
    checked = _run("capacity", "validate", files["fit"], files["load"], "--output-file", files["check"])["results"]
    assert len({row["request_rate"] for row in checked["rows"]}) == 1
    small, both = (
        _run("capacity", "predict", files["fit"], *which, "--output-file", files["curve"])["results"]["capacity_qps"]
        for which in (["--scene-seconds", "1"], ["--mix", str(mix)])
    )
    assert both < small
    assert "leave out" in _refused("capacity", "predict", files["fit"], "--fps", "8", "--mix", str(mix))
    mix.write_text('{"story": "Once."}\n')
    assert "scene_seconds" in _refused("capacity", "predict", files["fit"], "--mix", str(mix))
    mix.write_text("")
    assert "a mix needs lines" in _refused("load", "--mix", str(mix), "--address", gateway, "--max-concurrency", "1")

    page = tmp_path / "page.html"
    assert _run("report", *files.values(), "--output", str(page))["records"] == len(files)
    assert page.read_text().count("<section") == len(files)
    assert "is not JSON" in _refused("report", str(page), "--output", str(tmp_path / "other.html"))
    assert "is one of the records" in _refused("report", files["fit"], "--output", files["fit"])
    Record.load(Path(files["fit"]))


def test_four_times_the_pixels_are_a_quarter_of_the_capacity(tmp_path: Path) -> None:
    fit = next(RESULTS.glob("*capacity-fit.json"))
    asked = ["capacity", "predict", str(fit), "--request-rate", "0.1", "--output-file", str(tmp_path / "curve.json")]
    own = _run(*asked)["results"]["capacity_qps"]
    large = _run(*asked, "--width", "512", "--height", "512")["results"]["capacity_qps"]
    assert large == pytest.approx(own / 4, rel=0.1)


def test_a_plan_for_what_is_refused_says_so(tmp_path: Path) -> None:
    fit = next(RESULTS.glob("*capacity-fit.json"))
    output = ["--output-file", str(tmp_path / "plan.json")]
    asked = ["capacity", "plan", str(fit), "--videos-per-hour", "10", "--num-prompts", "1000", *output]
    assert "refuses" not in CliRunner().invoke(app, [*asked, "--scene-seconds", "2"]).stderr
    told = CliRunner().invoke(app, [*asked, "--scene-seconds", "60", "--num-inference-steps", "2000"])
    assert told.exit_code == 0
    assert "refuses such videos: 2000 steps, for which" in told.stderr
    assert "; a scene of 60 s, where 30 are the most" in told.stderr


def test_a_plan_that_cannot_be_says_so(tmp_path: Path) -> None:
    model = tmp_path / "model.json"
    service = {"step": {"points": [[1.0, 0.1]]}, "pixels": 4096}
    Record("fit", {"service": service, "served": json.loads(MODEL.to_json()), "residuals": {}}, []).save(model)
    output = ["--output-file", str(tmp_path / "plan.json")]
    for demand, why in (
        (["10", "--latency-p95", "0.1"], "with 1,000,000, the most that are tried, a video takes 0.5 s to its end"),
        (["1e12"], "with 1,000,000, the most that are tried, a video finds every place taken in 9"),
        (["10", "--refused", "0"], "some caller may always find every place taken"),
    ):
        told = CliRunner().invoke(app, ["capacity", "plan", str(model), "--videos-per-hour", *demand, *output])
        assert told.exit_code == 1
        assert json.loads(told.stdout.splitlines()[-1])["results"]["replicas"] is None
        assert f"no number of replicas keeps the bound: {why}" in told.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["predict", "--request-rate", "nan"], "Invalid value for '--request-rate'"),
        (["predict", "--scene-seconds", "-1"], "Invalid value for '--scene-seconds'"),
        (["plan", "--videos-per-hour", "10", "--refused", "nan"], "Invalid value for '--refused'"),
        (["plan", "--videos-per-hour", "10", "--latency-p95", "inf"], "inf is not a finite number"),
        (["simulate", "--request-rate", "0.1", "--limit", "max_live_videos"], "is not max_live_videos=NUMBER"),
        (["simulate", "--request-rate", "0.1", "--limit", "max_live_videos=0"], "NUMBER, a whole one of at least 1"),
        (["simulate", "--request-rate", "0.1", "--limit", "decode_instances=1.5"], "NUMBER, a whole one of at least 1"),
        (["simulate", "--request-rate", "0.1", "--failures-per-hour", "inf"], "inf is not a finite number"),
        (["plan", "--videos-per-hour", "10", "--idle-watts", "100"], "--busy-watts: 0 is less than at rest, 100"),
        (["predict", "--slo", "latency=nan"], "is not NAME=NUMBER with a number above 0"),
        (["predict", "--slo", "latency=-1"], "is not NAME=NUMBER with a number above 0"),
        (["simulate", "--request-rate", "0.1", "--limit", "patience=soon"], "is not patience=NUMBER"),
    ],
)
def test_numbers_that_are_none_are_told(arguments: list[str], said: str, tmp_path: Path) -> None:
    command, *rest = arguments
    model = Path(__file__).parents[2] / "bench" / "results" / "2026-11-25-epyc-2-cores-capacity-fit.json"
    told = CliRunner().invoke(app, ["capacity", command, str(model), *rest, "--output-file", str(tmp_path / "x.json")])
    assert told.exit_code == 2
    assert said in " ".join(told.stderr.replace("│", " ").split())
    assert not (tmp_path / "x.json").exists()


def test_the_formula_says_where_it_is_off(tmp_path: Path) -> None:
    model = Path(__file__).parents[2] / "bench" / "results" / "2026-11-25-epyc-2-cores-capacity-fit.json"
    output = ["--output-file", str(tmp_path / "x.json")]
    asked = ["capacity", "predict", str(model), *output, "--request-rate"]
    assert "the formula is off" in CliRunner().invoke(app, [*asked, "0.28"]).stderr
    assert "the formula is off" not in CliRunner().invoke(app, [*asked, "0.2"]).stderr


def test_a_load_that_is_told_to_end_is_recorded(gateway: str, tmp_path: Path) -> None:
    """As a process of its own, told by the signal: at the time of the second video, long before the third."""
    file, trace = tmp_path / "load.json", tmp_path / "trace.jsonl"
    trace.write_text("".join(f'{{"at": {at}, "scenes": [{{"prompt": "a"}}]}}\n' for at in (0, 0.1, 600)))
    command = ["bench", "load", "--trace", str(trace), "--address", gateway, "--warmup-requests", "0"]
    process = subprocess.Popen(
        [sys.executable, "-c", _TELLS_WHEN_ENDED, *command, "--output-file", str(file)],
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
    assert (results["state"], results["completed_requests"], results["unsent_requests"]) == ("interrupted", 2, 1)


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


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"scenes": [{"prompt": "a"}], "wieght": 3}', "'wieght' means nothing here; known are weight, width"),
        ('{"scenes": [{"prompt": "a"}], "steps": 0.5}', "steps is 0.5, which is no whole number from 0 on"),
        ('{"scenes": [{"prompt": "a"}], "width": -256}', "width is -256, which is no whole number"),
        ('{"scenes": [{"prompt": "a", "seconds": -1}]}', "a scene is shorter than nothing"),
        ('{"scenes": [{"seconds": 1}]}', "a video's line has no 'prompt'"),
        ('{"story": "a", "scene_seconds": 2}', "a story's line needs scene_seconds"),
        ('["x"]', "['x'] is no video: a line is one JSON object"),
    ],
)
def test_a_line_of_a_mix_that_means_something_else_is_told(line: str, said: str, tmp_path: Path) -> None:
    mix = tmp_path / "mix.jsonl"
    mix.write_text(line, encoding="utf-8")
    fit = next(RESULTS.glob("*capacity-fit.json"))
    output = ["--output-file", str(tmp_path / "x.json")]
    told = CliRunner().invoke(app, ["capacity", "predict", str(fit), "--mix", str(mix), *output])
    assert told.exit_code == 2
    assert f"{mix}" in told.stderr
    assert said in " ".join(told.stderr.split())


def test_a_simulation_says_what_it_cannot_show(tmp_path: Path) -> None:
    fit = next(RESULTS.glob("*capacity-fit.json"))
    asked = ["capacity", "simulate", str(fit), "--output-file", str(tmp_path / "x.json"), "--request-rate"]
    told = CliRunner().invoke(app, [*asked, "3.5", "--replicas", "10", "--num-prompts", "1000"])
    assert "0.35 videos/s a replica are more than the 0.29" in " ".join(told.stderr.split())
    assert "100 videos a replica are too few for its queue to settle" in " ".join(told.stderr.split())
    told = CliRunner().invoke(app, [*asked, "0.2", "--num-prompts", "300"])
    assert told.stderr.count("framecast:") == 0


def test_a_simulation_in_which_nobody_is_served_says_so(tmp_path: Path) -> None:
    model = tmp_path / "model.json"
    service = {"step": {"points": [[1.0, 100.0]]}, "pixels": 4096}
    Record("fit", {"service": service, "served": json.loads(MODEL.to_json()), "residuals": {}}, []).save(model)
    asked = ["--request-rate", "100", "--num-prompts", "300", "--limit", "max_queued_videos=0"]
    found = _run("capacity", "simulate", str(model), *asked, "--output-file", str(tmp_path / "x.json"))["results"]
    assert (found["refused_rate"], found["failed_rate"], found["throughput_qps"]) == (1.0, 0.0, 0.0)
    assert found["latency_median"] is None


def test_stories_are_not_free_where_none_was_calibrated(tmp_path: Path) -> None:
    fit = next(RESULTS.glob("*capacity-fit.json"))
    record = Record.load(fit)
    service = {**record.results["service"], "plan_scene": 0.0, "plan_fixed": 0.0}
    Record("fit", {**record.results, "service": service}, []).save(tmp_path / "fit.json")
    said = _refused("capacity", "predict", str(tmp_path / "fit.json"), "--planned")
    assert "was calibrated without a story, so planning would cost nothing: calibrate with --story" in said


def test_pictures_of_two_sizes_are_two_models(tmp_path: Path) -> None:
    fit = next(RESULTS.glob("*capacity-fit.json"))
    record = Record.load(fit)
    small = [{**run, "pixels": run["pixels"] // 4} for run in record.samples]
    Record("capacity calibrate", record.results, small).save(tmp_path / "small.json")
    said = _refused("capacity", "fit", str(fit), str(tmp_path / "small.json"))
    assert "of pictures of 16,384 and 65,536 pixels: fit one model of each size" in said
