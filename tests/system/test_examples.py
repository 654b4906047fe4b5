"""The examples run as their first lines say, against the trained bundle."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.ffprobe import probe_video
from tests.system.system import System

EXAMPLES = Path(__file__).parents[2] / "examples"


def run(system: System, name: str, output: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """One example with few steps; its pages go to `output`."""
    command = [sys.executable, str(EXAMPLES / f"{name}.py"), "--output", str(output), "--steps", "2", *arguments]
    env = {**os.environ, "FRAMECAST_ADDRESS": system.address}
    return subprocess.run(command, capture_output=True, text=True, timeout=240, check=False, env=env)


def page_of(output: Path, name: str) -> str:
    """The example's page, which shows what is inside it and asks nobody for more."""
    text = (output / f"{name}.html").read_text(encoding="utf-8")
    assert "http://" not in text
    assert "https://" not in text
    return text


def test_news_are_captioned_scene_by_scene(storybook_system: System, tmp_path: Path) -> None:
    headlines = tmp_path / "headlines.txt"
    headlines.write_text("一艘白色的小船在大海里漂浮\nA red car moves left on the street at night\n", encoding="utf-8")
    done = run(storybook_system, "news", tmp_path, "--headlines", str(headlines))
    assert done.returncode == 0, done.stderr
    assert "a white boat floats in the sea" in done.stdout
    frames = int(probe_video(tmp_path / "news.mp4")["nb_read_frames"])
    assert frames == 96
    captions = (tmp_path / "news.vtt").read_text(encoding="utf-8")
    assert "00:00:00.000 --> 00:00:02.000\n一艘白色的小船在大海里漂浮" in captions
    assert "00:00:02.000 --> 00:00:04.000\nA red car moves left" in captions
    assert page_of(tmp_path, "news").count("<video") == 1


def test_a_script_becomes_a_storyboard(storybook_system: System, tmp_path: Path) -> None:
    script = tmp_path / "script.txt"
    script.write_text("A red ball jumps in the meadow. Then it falls on the beach.", encoding="utf-8")
    done = run(storybook_system, "storyboard", tmp_path, "--script", str(script))
    assert done.returncode == 0, done.stderr
    assert all((tmp_path / f"shot-{number}.png").read_bytes().startswith(b"\x89PNG") for number in (1, 2))
    assert page_of(tmp_path, "storyboard").count("<img") == 2


def test_a_lesson_has_a_card_for_every_word(storybook_system: System, tmp_path: Path) -> None:
    words = tmp_path / "words.txt"
    words.write_text("一条蓝色的小鱼在大海里游动 = A blue fish swims in the sea.\n", encoding="utf-8")
    done = run(storybook_system, "lesson", tmp_path, "--words", str(words))
    assert done.returncode == 0, done.stderr
    assert int(probe_video(tmp_path / "card-1.mp4")["nb_read_frames"]) == 48
    page = page_of(tmp_path, "lesson")
    assert "一条蓝色的小鱼在大海里游动" in page
    assert "A blue fish swims in the sea." in page


def test_a_greeting_is_for_somebody(storybook_system: System, tmp_path: Path) -> None:
    done = run(storybook_system, "greeting", tmp_path, "<Ada>", "--likes", "green car", "--where", "beach")
    assert done.returncode == 0, done.stderr
    assert int(probe_video(tmp_path / "greeting.mp4")["nb_read_frames"]) == 144
    assert "&lt;Ada&gt;，生日快乐！" in page_of(tmp_path, "greeting")


def test_of_many_lines_the_one_that_fails_is_named(storybook_system: System, tmp_path: Path) -> None:
    """Of a story that shows nothing this bundle can draw, say."""
    lines = tmp_path / "lines.txt"
    lines.write_text("A red car = 红色的汽车\nShares fell on Monday = 周一股市下跌\n", encoding="utf-8")
    for name, option in (("news", "--headlines"), ("lesson", "--words")):
        done = run(storybook_system, name, tmp_path / name, option, str(lines))
        assert done.returncode == 1
        assert done.stderr.startswith(f"{name}: 'Shares fell on Monday")


@pytest.mark.parametrize("likes", ["dragon", ""])
def test_a_greeting_has_somebody_that_can_be_drawn(storybook_system: System, tmp_path: Path, likes: str) -> None:
    done = run(storybook_system, "greeting", tmp_path, "Anna", "--likes", likes)
    assert done.returncode == 1
    assert done.stderr.startswith(f"greeting: {likes!r}: ")


def test_a_lesson_has_words(storybook_system: System, tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("\n", encoding="utf-8")
    done = run(storybook_system, "lesson", tmp_path, "--words", str(tmp_path / "words.txt"))
    assert (done.returncode, "has no line" in done.stderr) == (1, True)


@pytest.mark.parametrize("name", ["news", "storyboard", "lesson", "greeting"])
def test_without_a_server_an_example_says_so(name: str, tmp_path: Path) -> None:
    command = [sys.executable, str(EXAMPLES / f"{name}.py"), "--output", str(tmp_path), "--address", "127.0.0.1:1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(f"{name}: ")
    assert "Traceback" not in done.stderr
