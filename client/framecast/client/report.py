"""What a command tells a person (on stderr) or a program (JSON lines on stdout)."""

import errno
import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any, NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from framecast.client.errors import FramecastClientError, InvalidArgument
from framecast.client.types import Accepted, Chunk, Event, Scene, SceneStarted


def fail(sentence: str, code: int) -> NoReturn:
    """Ends the command with one sentence on stderr."""
    typer.echo(f"framecast: {sentence}", err=True)
    raise typer.Exit(code)


@contextmanager
def one_sentence_errors() -> Iterator[None]:
    """Expected errors become one sentence and an exit code: 2 bad input, 130 interrupted, 1 anything else."""
    try:
        yield
    except KeyboardInterrupt as error:
        fail(str(error) or "interrupted", 130)
    except InvalidArgument as error:
        fail(str(error), 2)
    except FramecastClientError as error:
        fail(str(error), 1)
    except OSError as error:
        if error.errno == errno.EPIPE:
            raise  # whoever read our output has gone; Typer ends quietly
        fail(os_sentence(error), 1)


def os_sentence(error: OSError) -> str:
    """What has failed, and where if that is known."""
    if isinstance(error, shutil.Error) and error.args and isinstance(error.args[0], list) and error.args[0]:
        _, target, reason = error.args[0][0]  # the first file of a folder that could not be copied
        return f"{target}: {reason.rpartition('] ')[2].partition(':')[0]}"
    reason = error.strerror or str(error) or type(error).__name__
    where = error.filename2 or error.filename  # a copy fails where it is written
    return f"{where}: {reason}" if where else reason


def print_json(kind: str, **fields: Any) -> None:
    """One JSON line on stdout, in ASCII: any program reads it, in any locale."""
    typer.echo(json.dumps({"event": kind, **fields}))


def print_event(event: Event) -> None:
    """`event` as a JSON line; a chunk's data is given by its length."""
    fields = asdict(event)
    if isinstance(event, Chunk):
        fields["bytes"] = len(fields.pop("data"))
    name = type(event).__name__
    print_json("".join("_" + c.lower() if c.isupper() else c for c in name).lstrip("_"), **fields)


class VideoProgress:
    """A live line on stderr: scenes planned, frames received, time to first frame. Silent when not a terminal.

    Args:
        seconds: length of the video where it is known beforehand, else 0.
        tells_scenes: every scene has a line that stays, terminal or not: what a planner made of a story.
    """

    def __init__(self, seconds: float, *, tells_scenes: bool = False) -> None:
        self._tells_scenes = tells_scenes
        self.scenes = 0
        self.seed: int | None = None
        self.frames = 0
        self.fps = 0
        self.first_frame_seconds: float | None = None
        self._seconds = seconds
        self._began = time.monotonic()
        console = Console(stderr=True)
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),  # a prompt is somebody else's text
            BarColumn(bar_width=24),
            TextColumn("{task.fields[counts]}"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task("connecting", total=None, counts="")

    def __enter__(self) -> "VideoProgress":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    @property
    def elapsed(self) -> float:
        """Seconds since the call began."""
        return time.monotonic() - self._began

    def see(self, event: Event) -> None:
        """Shows what `event` changed."""
        if isinstance(event, Accepted):
            self.scenes = self.frames = 0
            self.fps, self.seed = event.options.fps, event.options.seed
            total = round(self._seconds * self.fps) or None
            self._progress.update(self._task, description="waiting for the first scene", total=total)
        elif isinstance(event, SceneStarted):
            self.scenes = event.index + 1
            if self._tells_scenes:
                told = f"{self.scenes}. {event.scene.prompt}"
                self._progress.console.print(told, markup=False, highlight=False, soft_wrap=True)
            self._progress.update(self._task, description=f"scene {self.scenes}: {_short(event.scene)}")
        elif isinstance(event, Chunk):
            if self.first_frame_seconds is None:
                self.first_frame_seconds = self.elapsed
            self.frames += event.frames
        self._progress.update(self._task, completed=self.frames, counts=self._counts())

    def _counts(self) -> str:
        first = "" if self.first_frame_seconds is None else f" · first frame {self.first_frame_seconds:.1f} s"
        return f"{counted(self.scenes, 'scene')} · {counted(self.frames, 'frame')}{first}"


def counted(number: int, noun: str) -> str:
    """``1 frame``, ``2 frames``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _short(scene: Scene) -> str:
    return scene.prompt if len(scene.prompt) <= 40 else scene.prompt[:39] + "…"
