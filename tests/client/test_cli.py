"""The command: output, JSON lines, exit codes, lazily mounted parts, purity of the base install."""

import json
import re
import subprocess
import sys
import types
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata

import grpc
import pytest
import typer
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from tests.client.conftest import environment

from framecast.client import cli
from framecast.client.v1 import video_pb2 as pb


def lines(result):
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_the_version_is_told_without_a_command(run):
    told = run("--version")
    assert (told.exit_code, told.stdout.strip()) == (0, metadata.version("framecast"))


def test_a_token_that_cannot_be_sent_is_named(run):
    refused = run("info", "--token", "secret\n")
    assert refused.exit_code == 2
    assert "token: has characters that cannot be sent, as a line's end" in refused.stderr


def test_generate_writes_the_video_and_says_how_long_it_took(run, tmp_path):
    result = run("generate", "a kitten", "--output", "new/a.mp4", "--seed", "7")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "new/a.mp4").read_bytes() == b"data" * 3
    said = r"new/a\.mp4: 24 frames, 1\.5 s, 3 scenes; first frame after \d+\.\d\d s, total \d+\.\d\d s"
    assert re.match(said, result.stdout)
    assert result.stdout.endswith("; seed 7\n"), "who likes it can make it again"
    assert [line.split()[0] for line in result.stderr.splitlines()] == ["1.", "2.", "3."]


def test_a_story_of_as_many_scenes_as_it_may_have_may_be_cut(run, fake):
    fake.max_story_scenes = 3  # as many as the script films
    assert "at most 3 scenes here, and this one has as many" in run("generate", "a kitten").stderr
    assert "at most" not in run("plan", "a kitten").stderr, "of two scenes"
    assert "at most" not in run("plan", "a kitten", "--max-scenes", "3").stderr, "who asked for three has three"
    assert "at most" not in run("generate", *("--scene", "a") * 3, "-o", "b.mp4").stderr
    fake.max_story_scenes = 2
    assert "at most 2 scenes here" in run("plan", "a kitten").stderr


def test_generate_json_is_one_line_an_event(run):
    result = run("generate", "--scene", "a", "--scene", "b", "--seconds", "2", "--seed", "3", "--json")
    assert result.exit_code == 0, result.output
    events = lines(result)
    assert [event["event"] for event in events] == [
        "accepted",
        *["scene_started", "chunk"] * 2,
        "done",
        "saved",
    ]
    assert events[0]["options"]["seed"] == 3
    assert events[0]["options"]["codec"] == "h264"
    assert events[1]["scene"] == {
        "prompt": "a",
        "seconds": 2.0,
        "camera": "static",
        "negative_prompt": "",
        "seed": None,
    }
    assert events[2]["bytes"] == 4
    assert "data" not in events[2]
    assert events[-1]["frames"] == 16
    assert events[-1]["path"] == "out.mp4"
    assert 0 < events[-1]["first_frame_seconds"] <= events[-1]["total_seconds"]


def test_every_option_reaches_the_server(run, fake):
    run(
        *("generate", "x", "--width", "64", "--height", "96", "--fps", "8", "--steps", "5", "--guidance", "2.5"),
        *("--codec", "vp9", "--seed", "0", "--max-scenes", "2", "--timeout", "9", "--token", "t"),
    )
    options, story = fake.calls[0].messages
    sent = options.options
    assert (sent.width, sent.height, sent.fps, sent.steps, sent.guidance_scale, sent.seed) == (64, 96, 8, 5, 2.5, 0)
    assert sent.codec == 2
    assert story.story.max_scenes == 2
    assert fake.calls[0].time_remaining < 9.5
    assert fake.calls[0].metadata["authorization"] == "Bearer t"


def test_pictures_go_to_a_folder(run, tmp_path):
    assert run("generate", "x", "--codec", "png", "-o", "frames").exit_code == 0
    assert sorted(path.name for path in (tmp_path / "frames").iterdir()) == ["000000.png", "000008.png", "000016.png"]
    again = run("generate", "x", "--codec", "webp", "-o", "frames")
    assert again.exit_code == 2
    assert "frames has pictures of another video; empty it or name another folder" in again.stderr


def test_a_scene_has_a_camera_and_what_is_not_to_be_seen(run, fake):
    asked = ("generate", "--scene", "a kitten", "--camera", "zoom in", "--negative-prompt", "rain")
    result = run(*asked)
    assert result.exit_code == 0
    assert result.stderr == "", "nobody planned it"
    scene = fake.calls[0].messages[1].scene
    assert (scene.prompt, scene.negative_prompt, pb.Camera.Name(scene.camera)) == ("a kitten", "rain", "ZOOM_IN")


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("localhost", "has no port"),
        ("http://localhost:1", "is a page's"),
        ("", "it has no port"),
        ("a\udcff:1", "has characters that no address has"),
    ],
)
def test_an_address_has_a_host_and_a_port(run, address, message):
    for command in (("plan", "x"), ("health",)):
        told = run(*command, "--address", address)
        assert told.exit_code == 2
        assert message in told.stderr


def test_the_story_may_come_from_a_file_or_stdin(run, tmp_path, fake):
    (tmp_path / "story.txt").write_text("小猫\n", encoding="utf-8-sig")  # as Windows writes it
    assert run("generate", "--story-file", "story.txt").exit_code == 0
    assert run("plan", "--story-file", "-", input="from stdin").stdout.startswith("1. from stdin 0 (2 s, zoom in)")
    assert fake.calls[0].messages[1].story.text == "小猫"


@pytest.mark.parametrize(
    "args",
    [
        ("generate",),
        ("plan",),
        ("generate", "a", "--scene", "b"),
        ("generate", "a", "--seconds", "2"),
        ("generate", "a", "--camera", "zoom in"),
        ("generate", "a", "--story-file", "b"),
        ("generate", "--story-file", "missing.txt"),
        ("generate", "a", "--codec", "gif"),
        ("generate", "a", "--codec", "png", "-o", "a.mp4"),
        ("generate", "a", "-o", "."),
        ("generate", "a", "--width", "many"),
        ("generate", "a", "--seed", "-1"),
        ("nonsense",),
    ],
)
def test_bad_input_is_exit_code_2(run, fake, args):
    result = run(*args)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr
    assert "Traceback" not in result.stderr
    assert fake.calls == []


@pytest.mark.parametrize(
    ("code", "exit_code"),
    [
        (grpc.StatusCode.INVALID_ARGUMENT, 2),
        (grpc.StatusCode.INTERNAL, 1),
        (grpc.StatusCode.UNAUTHENTICATED, 1),
        (grpc.StatusCode.DATA_LOSS, 1),
    ],
)
def test_a_failed_call_is_one_sentence(run, fake, tmp_path, code, exit_code):
    fake.script = [fake.fail(code, "the reason", after=1)]
    result = run("generate", "a")
    assert (result.exit_code, result.stdout, result.stderr) == (exit_code, "", "framecast: the reason\n")
    assert list(tmp_path.iterdir()) == []


def test_nobody_listens(run):
    result = run("info", "--address", "127.0.0.1:1")
    assert result.exit_code == 1
    assert result.stderr == "framecast: cannot reach a Framecast server at 127.0.0.1:1\n"


def test_plan_and_info_in_json(run):
    assert lines(run("plan", "x", "--json"))[0] == {
        "event": "scene",
        "index": 0,
        "prompt": "x 0",
        "seconds": 2.0,
        "camera": "zoom in",
        "negative_prompt": "",
        "seed": None,
    }
    (info,) = lines(run("info", "--json"))
    assert (info["event"], info["bundle"], info["codecs"]) == ("server_info", "fake", ["h264", "png"])
    assert "Framecast 1.2 serving fake" in run("info").stdout


@pytest.fixture
def part(monkeypatch):
    """Stands in for a part of Framecast that another extra brings."""

    def put(name, **attributes):
        target, _, attribute = cli.MOUNTS[name].target.partition(":")
        module = types.ModuleType(target)
        setattr(module, attribute, attributes["value"])
        monkeypatch.setitem(sys.modules, target, module)

    return put


def test_a_mounted_function_gets_its_own_arguments_and_help(run, part):
    def command(port: int = 1, name: str = typer.Argument("x")) -> None:
        """Serves."""
        typer.echo(f"{name} on {port}")
        raise typer.Exit(3)

    part("serve", value=command)
    result = run("serve", "--port", "7", "here")
    assert (result.exit_code, result.stdout) == (3, "here on 7\n")
    assert "--port" in run("serve", "--help").stdout
    assert run("serve", "--port", "x").exit_code == 2


def test_a_command_after_two_dashes_keeps_its_options(run, part):
    def command(words: list[str], port: int = 1) -> None:
        typer.echo(f"{words} on {port}")

    part("serve", value=command)
    assert run("serve", "--", "echo", "--port", "7").stdout == "['echo', '--port', '7'] on 1\n"
    assert run("serve", "--port", "2", "--", "echo", "--port", "7").stdout == "['echo', '--port', '7'] on 2\n"


def test_a_mounted_app_gets_its_own_commands(run, part):
    app = typer.Typer()
    app.command("a")(lambda: typer.echo("ran a"))
    app.command("b")(lambda: typer.echo("ran b"))
    part("bench", value=app)
    assert run("bench", "b").stdout == "ran b\n"


@pytest.mark.parametrize(("name", "extra"), [(name, mount.extra) for name, mount in cli.MOUNTS.items()])
def test_a_missing_package_names_the_extra(run, monkeypatch, name, extra):
    def missing(module):
        raise ModuleNotFoundError("No module named 'numpy.core'", name="numpy.core")

    monkeypatch.setattr(cli, "import_module", missing)
    result = run(name, "--whatever")
    assert result.exit_code == 1
    assert result.stderr == f"framecast: framecast {name} needs numpy: pip install 'framecast[{extra}]'\n"


BASE_INSTALL = """
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"numpy", "torch", "av", "onnx", "onnxruntime", "tritonclient", "grpc_health"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Refuse())
import framecast.client
from framecast.client.cli import main
main()
"""


@pytest.mark.parametrize("args", [("--help",), ("generate", "--help"), ("info", "--help")])
def test_the_base_install_is_enough_for_the_client_and_emits_no_warning(args):
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", BASE_INSTALL, *args],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, "")
    if args == ("--help",):
        for name, mount in cli.MOUNTS.items():
            assert name in result.stdout
            assert mount.help in result.stdout


@pytest.fixture
def probed():
    """A server with the standard health service."""
    server = grpc.server(ThreadPoolExecutor(2))
    servicer = health.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    servicer.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    yield servicer
    server.stop(None).wait()


def test_health_is_an_exit_code_and_one_line(run, probed):
    address = probed.address
    probed.set("", health_pb2.HealthCheckResponse.SERVING)
    probed.set("framecast.v1.Video", health_pb2.HealthCheckResponse.NOT_SERVING)
    well = run("health", "--address", address)
    assert (well.exit_code, well.stdout, well.stderr) == (0, f"{address} is SERVING\n", "")
    ill = run("health", "--address", address, "--service", "framecast.v1.Video")
    assert (ill.exit_code, ill.stdout, ill.stderr) == (1, "", f"framecast: {address} is NOT_SERVING\n")
    unknown = run("health", "--address", address, "--service", "no.such.Service", "--json")
    assert unknown.exit_code == 1
    assert lines(unknown)[0] == {
        "event": "health",
        "address": address,
        "service": "no.such.Service",
        "status": "SERVICE_UNKNOWN",
    }


def test_health_of_nobody_is_exit_code_1(run):
    result = run("health", "--address", "127.0.0.1:1")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "framecast: cannot reach a Framecast server at 127.0.0.1:1\n"


def test_a_file_that_holds_no_certificate_is_bad_input(run, tmp_path):
    (tmp_path / "junk.pem").write_text("junk")
    for name, said in (("junk.pem", "has no certificate in PEM"), ("none.pem", "No such file or directory")):
        result = run("info", "--ca-file", str(tmp_path / name))
        assert result.exit_code == 2
        assert result.stderr.startswith("framecast: ca_file: ")
        assert result.stderr.endswith(f"{said}\n")


def test_a_name_that_no_resolver_knows_is_said_as_such(run):
    result = run("info", "--address", "no-host.invalid:1")
    assert (result.exit_code, result.stderr) == (1, "framecast: cannot reach a Framecast server at no-host.invalid:1\n")
