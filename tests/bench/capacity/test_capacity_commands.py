"""`framecast bench capacity`, from calibration to plan, as a user runs it."""

import json
from pathlib import Path

import pytest
from tests.bench.conftest import MODEL
from tests.support.bench import SCENE, refused, run
from typer.testing import CliRunner

from framecast.bench.cli import app
from framecast.bench.record import Record

RESULTS = Path(__file__).parents[3] / "bench" / "results"


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
    fitted = run(*calibration, "--num-prompts", "2", "--output-file", files["fit"])
    assert fitted["results"]["served"]["bundle"] == "scripted"
    assert len(fitted["samples"]) == 7
    again = run("capacity", "fit", files["fit"], "--output-file", files["again"])
    assert again["results"] == fitted["results"]
    twice = run("capacity", "fit", files["fit"], files["fit"], "--output-file", files["again"])
    once, both = ({**each["results"]["service"], "step": 0.0} for each in (fitted, twice))
    assert both == pytest.approx(once)
    assert [len(run["samples"]) for run in twice["samples"]] == [2 * len(run["samples"]) for run in fitted["samples"]]

    curve = run("capacity", "predict", files["fit"], "--slo", "latency=9", "--output-file", files["curve"])["results"]
    assert len(curve["points"]) == 19
    assert curve["points"][0]["slo_attainment_rate"] == pytest.approx(1.0)
    priced = ["--latency-p95", "60", "--dollars-per-hour", "3", "--busy-watts", "700"]
    plan = run("capacity", "plan", files["fit"], "--videos-per-hour", "100", *priced, "--output-file", files["plan"])
    assert plan["results"]["replicas"] == 1
    assert plan["results"]["dollars_per_video"] == pytest.approx(0.03, rel=0.02)
    fleet = ["--request-rate", "20", "--replicas", "10", "--num-prompts", "500", "--failures-per-hour", "60"]
    limits = ["--limit", "max_live_videos=2", "--routing", "two-choices", "--arrivals", "bursty"]
    played = run("capacity", "simulate", files["fit"], *fleet, *limits, "--output-file", files["play"])
    assert played["results"]["simulated_videos_per_second"] > 0
    assert played["settings"]["limits"]["max_live_videos"] == 2
    assert "none of max_live_videos" in refused("capacity", "predict", files["fit"], "--limit", "gpus=2")

    load = ["load", *SCENE, "--address", gateway, "--request-rate", "50", "--num-prompts", "10"]
    run(*load, "--output-file", files["load"])
    checked = run("capacity", "validate", files["fit"], files["load"], "--output-file", files["check"])["results"]
    assert {row["figure"] for row in checked["rows"]} >= {"throughput_qps", "latency_median", "ttff_median"}
    assert checked["formula_error_worst"] is not None
    table = Path(files["check"]).with_suffix(".md").read_text()
    assert "| request_rate | figure | measured | formula | simulated | formula_error | simulated_error |" in table
    assert sum(line.startswith("| 50 |") for line in table.splitlines()) == len(checked["rows"])
    assert "only open loops" in refused("capacity", "validate", files["fit"], files["plan"])

    mix = tmp_path / "mix.jsonl"
    mix.write_text(
        '{"scenes": [{"prompt": "a", "seconds": 1}], "weight": 3}\n'
        '{"scenes": [{"prompt": "b", "seconds": 1}, {"prompt": "c", "seconds": 2}], "steps": 10}\n'
    )
    load = ["load", "--mix", str(mix), "--address", gateway, "--request-rate", "50", "--num-prompts", "20"]
    mixed = run(*load, "--output-file", files["load"])
    assert [kind["scene_seconds"] for kind in mixed["settings"]["kinds"]] == [[1.0], [1.0, 2.0]]
    assert sorted(set(mixed["settings"]["order"])) == [0, 1]
    checked = run("capacity", "validate", files["fit"], files["load"], "--output-file", files["check"])["results"]
    assert len({row["request_rate"] for row in checked["rows"]}) == 1
    small, both = (
        run("capacity", "predict", files["fit"], *which, "--output-file", files["curve"])["results"]["capacity_qps"]
        for which in (["--scene-seconds", "1"], ["--mix", str(mix)])
    )
    assert both < small
    assert "leave out" in refused("capacity", "predict", files["fit"], "--fps", "8", "--mix", str(mix))
    mix.write_text('{"story": "Once."}\n')
    assert "scene_seconds" in refused("capacity", "predict", files["fit"], "--mix", str(mix))
    mix.write_text("")
    assert "a mix needs lines" in refused("load", "--mix", str(mix), "--address", gateway, "--max-concurrency", "1")

    page = tmp_path / "page.html"
    assert run("report", *files.values(), "--output", str(page))["records"] == len(files)
    assert page.read_text().count("<section") == len(files)
    assert "is not JSON" in refused("report", str(page), "--output", str(tmp_path / "other.html"))
    assert "is one of the records" in refused("report", files["fit"], "--output", files["fit"])
    Record.load(Path(files["fit"]))


def test_four_times_the_pixels_are_a_quarter_of_the_capacity(tmp_path: Path) -> None:
    fit = next(RESULTS.glob("*capacity-fit.json"))
    asked = ["capacity", "predict", str(fit), "--request-rate", "0.1", "--output-file", str(tmp_path / "curve.json")]
    own = run(*asked)["results"]["capacity_qps"]
    large = run(*asked, "--width", "512", "--height", "512")["results"]["capacity_qps"]
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
    model = RESULTS / "2026-11-25-epyc-2-cores-capacity-fit.json"
    told = CliRunner().invoke(app, ["capacity", command, str(model), *rest, "--output-file", str(tmp_path / "x.json")])
    assert told.exit_code == 2
    assert said in " ".join(told.stderr.replace("│", " ").split())
    assert not (tmp_path / "x.json").exists()


def test_the_formula_says_where_it_is_off(tmp_path: Path) -> None:
    model = RESULTS / "2026-11-25-epyc-2-cores-capacity-fit.json"
    output = ["--output-file", str(tmp_path / "x.json")]
    asked = ["capacity", "predict", str(model), *output, "--request-rate"]
    assert "the formula is off" in CliRunner().invoke(app, [*asked, "0.28"]).stderr
    assert "the formula is off" not in CliRunner().invoke(app, [*asked, "0.2"]).stderr


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"scenes": [{"prompt": "a"}], "wieght": 3}', "'wieght' means nothing here; known are weight, width"),
        ('{"scenes": [{"prompt": "a"}], "steps": 0.5}', "steps is 0.5, which is no whole number from 0 on"),
        ('{"scenes": [{"prompt": "a"}], "width": -256}', "width is -256, which is no whole number"),
        ('{"scenes": [{"prompt": "a", "seconds": -1}]}', "a scene is shorter than nothing"),
        ('{"scenes": [{"seconds": 1}]}', "a video's line has no 'prompt'"),
        ('{"story": "a"}', "a story's line needs scene_seconds"),
        ('{"story": "a", "scene_seconds": 2}', "scene_seconds is 2, and not a list"),
        ('{"story": "a", "scene_seconds": []}', "scene_seconds is [], and not a list"),
        ('{"story": "a", "scene_seconds": ["x"]}', "scene_seconds is ['x'], and not a list"),
        ('{"story": "a", "scene_seconds": [1e400]}', "a number is not finite"),
        ('{"story": "a", "scene_seconds": [-3]}', "a scene is shorter than nothing"),
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
    found = run("capacity", "simulate", str(model), *asked, "--output-file", str(tmp_path / "x.json"))["results"]
    assert (found["refused_rate"], found["failed_rate"], found["throughput_qps"]) == (1.0, 0.0, 0.0)
    assert found["latency_median"] is None


def test_stories_are_not_free_where_none_was_calibrated(tmp_path: Path) -> None:
    fit = next(RESULTS.glob("*capacity-fit.json"))
    record = Record.load(fit)
    service = {**record.results["service"], "plan_scene": 0.0, "plan_fixed": 0.0}
    Record("fit", {**record.results, "service": service}, []).save(tmp_path / "fit.json")
    said = refused("capacity", "predict", str(tmp_path / "fit.json"), "--planned")
    assert "was calibrated without a story, so planning would cost nothing: calibrate with --story" in said


def test_pictures_of_two_sizes_are_two_models(tmp_path: Path) -> None:
    fit = next(RESULTS.glob("*capacity-fit.json"))
    record = Record.load(fit)
    small = [{**run, "pixels": run["pixels"] // 4} for run in record.samples]
    Record("capacity calibrate", record.results, small).save(tmp_path / "small.json")
    said = refused("capacity", "fit", str(fit), str(tmp_path / "small.json"))
    assert "of pictures of 16,384 and 65,536 pixels: fit one model of each size" in said
