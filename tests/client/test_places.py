"""The command in odd places: closed streams, other alphabets, proxies, full disks, folders that cannot be, signals."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.client.conftest import environment

from framecast.client import report


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
            env={**environment(), "FRAMECAST_ADDRESS": fake.address, "PYTHONIOENCODING": "latin-1"},
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
            env=environment(),
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


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_ctrl_c_sigterm_and_a_closed_terminal_are_exit_code_130(fake, tmp_path, number):
    fake.script = [type(fake).hang]
    # Started in the background the tests ignore the signal, and so would the command, as it should.
    hears = "import signal as s; s.signal(s.SIGINT, s.default_int_handler); s.signal(s.SIGHUP, s.SIG_DFL)"
    command = [sys.executable, "-W", "error", "-c", f"{hears}; from framecast.client.cli import main; main()"]
    process = subprocess.Popen(
        [*command, "generate", "a", "--json", "--address", fake.address],
        cwd=tmp_path,
        env=environment(),
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
