"""The command: output, JSON lines, exit codes, lazily mounted parts, purity of the base install."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import types
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path

import grpc
import pytest
import typer
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from typer.testing import CliRunner

from framecast.client import cli, report
from framecast.client.v1 import video_pb2 as pb


@pytest.fixture
def run(fake, tmp_path, monkeypatch):
    """Runs the command against the scripted server, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FRAMECAST_ADDRESS", fake.address)
    runner = CliRunner()
    return lambda *args, **settings: runner.invoke(cli.app, list(args), **settings)


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


def test_a_full_disk_behind_stdout_is_one_sentence():
    with Path("/dev/full").open("wb") as full:
        program = "from framecast.client.cli import main; main()"
        done = subprocess.run(
            [sys.executable, "-c", program, "--version"], stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert (done.returncode, done.stderr) == (1, "framecast: No space left on device\n")


def test_a_terminal_of_latin_letters_costs_no_video(fake, tmp_path):
    def told(*args):
        done = subprocess.run(
            [sys.executable, "-c", "from framecast.client.cli import main; main()", "generate", *args],
            cwd=tmp_path,
            env={**_environment(), "FRAMECAST_ADDRESS": fake.address, "PYTHONIOENCODING": "latin-1"},
            capture_output=True,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert told("--scene", "小猫", "-o", "拉丁.mp4").startswith(rb"\u62c9\u4e01.mp4: 8 frames")
    assert (tmp_path / "拉丁.mp4").is_file()
    *_, saved = told("--scene", "小猫", "--json", "-o", b"\xff.mp4").splitlines()
    assert json.loads(saved)["path"] == "\udcff.mp4"


def test_a_closed_standard_input_is_one_sentence(tmp_path):
    for command in ("plan --story-file -", "review -"):
        program = "from framecast.client.cli import main; main()"
        done = subprocess.run(
            ["bash", "-c", f'exec "$0" -c "$1" {command} <&-', sys.executable, program],
            env=_environment(),
            capture_output=True,
            text=True,
        )
        assert done.returncode == 2
        assert "standard input is closed" in done.stderr
        assert len(done.stderr.splitlines()) == 1


def test_no_proxy_stands_before_this_machine(run, monkeypatch):
    for name in ("http_proxy", "https_proxy", "grpc_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert run("info").exit_code == 0
    assert run("info", "--address", "127.0.0.1:1").stderr.endswith("server at 127.0.0.1:1\n")
    told = run("info", "--address", "nowhere.invalid:1")
    assert "at nowhere.invalid:1 through the proxy of grpc_proxy; no_proxy takes hosts out" in told.stderr


def test_an_output_that_cannot_be_is_told_before_anything_is_asked(run, fake, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    assert "is a file, and no folder that x.mp4 could be in" in run("generate", "a", "-o", "file/x.mp4").stderr
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # whoever is root may write anywhere
    assert "cannot be written to; name another folder" in run("generate", "a", "-o", "new/x.mp4").stderr
    assert fake.calls == []


def test_text_that_is_none_names_the_remedy(run, fake):
    told = run("generate", b"\xe4\xb8".decode("utf-8", "surrogateescape"))
    assert (told.exit_code, told.stderr) == (
        2,
        "framecast: story.text: is not UTF-8 text; set LANG=C.UTF-8, or use a file\n",
    )


def test_what_failed_and_where(tmp_path):
    copy = OSError(28, "No space left on device", "source", None, "target")
    assert report.os_sentence(copy) == "target: No space left on device"
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a").touch()
    (tmp_path / "there" / "a").mkdir(parents=True)
    with pytest.raises(shutil.Error) as failed:
        shutil.copytree(tmp_path / "folder", tmp_path / "there", dirs_exist_ok=True, copy_function=shutil.copyfile)
    assert report.os_sentence(failed.value) == f"{tmp_path}/there/a: Is a directory"


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


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_ctrl_c_sigterm_and_a_closed_terminal_are_exit_code_130(fake, tmp_path, number):
    fake.script = [type(fake).hang]
    # Started in the background the tests ignore the signal, and so would the command, as it should.
    hears = "import signal as s; s.signal(s.SIGINT, s.default_int_handler); s.signal(s.SIGHUP, s.SIG_DFL)"
    command = [sys.executable, "-W", "error", "-c", f"{hears}; from framecast.client.cli import main; main()"]
    process = subprocess.Popen(
        [*command, "generate", "a", "--json", "--address", fake.address],
        cwd=tmp_path,
        env=_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert "chunk" in process.stdout.readline()
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (130, "", "framecast: interrupted\n")
    assert fake.calls[0].cancelled.wait(2)
    assert list(tmp_path.iterdir()) == []


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
        env=_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, "")
    if args == ("--help",):
        for name, mount in cli.MOUNTS.items():
            assert name in result.stdout
            assert mount.help in result.stdout


def _environment():
    return {**os.environ, "COLUMNS": "120", "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


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
