"""Somebody's own clips and stories, which take the place of the world's.

A folder with

    clips.jsonl     {"file": "clips/cat.mp4", "caption": "a cat sleeps on a sofa"}, one a line
    stories.jsonl   {"story": "…", "scenes": [{"prompt": "…", "seconds": 2, "camera": "static"}]}, one a line
    corpus.txt      plain text that the planner reads before its stories; may be missing

`framecast train data FOLDER` checks it and notes it in the runs folder, where every recipe finds it.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from framecast.planner.storyboard import CAMERAS, MAX_PROMPT_CHARACTERS, MAX_SCENE_SECONDS, MIN_SCENE_SECONDS, lengths
from framecast.train.stories import MAX_SCENES
from framecast.train.telling import number
from framecast.train.world.render import Film

SIZE, FPS = Film().size, Film().fps
HELD = 10
"""Every so many stories one is kept for the score."""
_NOTE = "data.json"
_MICROSECONDS = 1_000_000
_MISSING = 0.5
"""Seconds of a film's end that may be missing: containers round."""
_PIECE = 2000
"""Characters of a long line that the planner reads at once."""
_SCENE = ("prompt", "seconds", "camera")

Pictures = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Clip:
    """A film, or a picture, and what it shows."""

    file: Path
    caption: str
    seconds: float

    def frames(self, start: float, count: int) -> Pictures:
        """`count` frames of 24 a second from `start` seconds on, uint8 [count, 256, 256, 3]: the middle square.

        The last picture is held where the film ends before, or cannot be read on; ValueError where there is none.
        """
        found: list[Pictures] = []
        shown: Any = None
        for time, frame in _decoded(self.file, start):
            # Some containers round times to milliseconds.
            while shown and len(found) < count and time > start + (len(found) + 0.05) / FPS:
                found.append(_square(shown))
            shown = frame
            if len(found) == count:
                break
        if shown is None:
            raise ValueError(f"{self.file} has no picture that can be read")
        return np.stack(found + [_square(shown)] * (count - len(found)))


def _decoded(file: Path, start: float) -> Iterator[tuple[float, Any]]:
    """(seconds into the film, frame) from a key frame before `start` on, up to where it cannot be read.

    From the beginning where a container knows no key frame before: to seek in some ends behind `start`, or nowhere.
    """
    import av

    for seeking in (True, False) if start > 0 else (False,):
        came = False
        with av.open(str(file)) as film, suppress(av.error.FFmpegError):
            first = (film.start_time or 0) / _MICROSECONDS
            if seeking:
                film.seek(round((first + start) * _MICROSECONDS))
            for frame in film.decode(video=0):
                time = (frame.time or 0.0) - first
                if seeking and not came and time > start + 1 / FPS:
                    break
                came = True
                yield time, frame
        if came:
            return


def _end(shown: tuple[float, Any]) -> float:
    """Seconds into the film at which a frame ends."""
    time, frame = shown
    return time + float((frame.duration or 0) * frame.time_base)


def _square(frame: Any) -> Pictures:
    """The middle of a frame of PyAV's, uint8 [256, 256, 3]."""
    from PIL import ImageOps

    image = frame.to_image()
    if frame.rotation:  # counterclockwise, as a telephone was held
        image = image.rotate(frame.rotation, expand=True)
    return np.asarray(ImageOps.fit(image, (SIZE, SIZE)).convert("RGB"), np.uint8)


def _seconds(film: Any) -> float:
    """Of the pictures; sound may be longer."""
    stream = film.streams.video[0]
    if stream.duration:
        return float(stream.duration * stream.time_base)
    times = [packet.pts + (packet.duration or 0) for packet in film.demux(stream) if packet.pts is not None]
    return float((max(times) - (stream.start_time or 0)) * stream.time_base) if times else 0.0


@dataclass(frozen=True)
class Told:
    """A story, and the storyboard that the planner is to answer, minified JSON; `place` is its line in a file."""

    text: str
    board: str
    place: str = ""


class OwnData:
    """What a folder holds.

    Args:
        folder: see above.
        whole: whether every film is looked at up to its end, which takes a while of many long ones.

    Raises:
        ValueError: a line is not what it should be, or a film cannot be read; says where.
        FileNotFoundError: a file is missing.
    """

    def __init__(self, folder: Path, *, whole: bool = False) -> None:
        self.folder = folder.resolve()
        self._whole = whole
        self.clips = [self._clip(place, line) for place, line in _lines(self.folder / "clips.jsonl")]
        self.stories = [_told(place, line) for place, line in _lines(self.folder / "stories.jsonl")]
        corpus = self.folder / "corpus.txt"
        lines = [line for line in _text(corpus).splitlines() if line.strip()] if corpus.exists() else []
        self.corpus = [line[at : at + _PIECE] for line in lines for at in range(0, len(line), _PIECE)]

    def _clip(self, place: str, line: Mapping[str, Any]) -> Clip:
        import av

        name, caption = line.get("file"), line.get("caption")
        if not isinstance(name, str) or not isinstance(caption, str) or not caption.strip():
            raise ValueError(f'{place}: expected {{"file": "…", "caption": "…"}}')
        file = self.folder / name
        try:
            with av.open(str(file)) as film:
                next(film.decode(video=0))
            with av.open(str(file)) as film:
                seconds = _seconds(film)
            near = _decoded(file, max(0.0, seconds - 1.0)) if self._whole else ()
            readable = max(map(_end, near), default=0.0 if self._whole else seconds)
        except (OSError, StopIteration, LookupError, ValueError, EOFError, av.error.FFmpegError) as error:
            raise ValueError(f"{place}: {file} is no film and no picture: {error}") from error
        if readable < seconds - _MISSING:
            raise ValueError(f"{place}: {file} is cut short: of {seconds:.1f} s {readable:.1f} can be read")
        return Clip(file, caption.strip(), seconds)

    @property
    def identity(self) -> str:
        """The folder, and a digest of its clips: of their lines, and the sizes of their files."""
        told = hashlib.sha256((self.folder / "clips.jsonl").read_bytes())
        told.update(repr([clip.file.stat().st_size for clip in self.clips]).encode())
        return f"{self.folder} as {told.hexdigest()[:12]}"

    def draw(self, rng: random.Random, count: int) -> Pictures:
        """`count` frames in a row of any clip."""
        clip = rng.choice(self.clips)
        return clip.frames(rng.uniform(0, max(0.0, clip.seconds - count / FPS)), count)

    @property
    def learnt(self) -> list[Told]:
        """Stories that the planner is fine-tuned on."""
        return [told for index, told in enumerate(self.stories) if index % HELD != HELD - 1]

    @property
    def held(self) -> list[Told]:
        """The others."""
        return self.stories[HELD - 1 :: HELD]

    def note(self, runs: Path) -> None:
        """Has the recipes in `runs` learn from this."""
        runs.mkdir(parents=True, exist_ok=True)
        (runs / _NOTE).write_text(json.dumps({"folder": str(self.folder)}) + "\n", encoding="utf-8")


def noted(runs: Path) -> Path | None:
    """The folder that the recipes in `runs` learn from; None: the world."""
    note = runs / _NOTE
    try:
        return Path(json.loads(note.read_text(encoding="utf-8"))["folder"]) if note.exists() else None
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{note} is damaged: run `framecast train data` again") from error


def of(runs: Path) -> OwnData | None:
    """The data noted in `runs`. Raises as `OwnData`."""
    folder = noted(runs)
    return OwnData(folder) if folder else None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8 text") from error


def _lines(path: Path) -> list[tuple[str, Mapping[str, Any]]]:
    """The objects of a file with their places."""
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing; `framecast train data --help` says what a folder holds")
    found: list[tuple[str, Mapping[str, Any]]] = []
    for count, text in enumerate(_text(path).split("\n"), 1):
        if not text.strip():
            continue
        try:
            line = json.loads(text)
            json.dumps(line, ensure_ascii=False).encode()  # half a character is none
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{path}:{count}: {error}") from error
        if not isinstance(line, dict):
            raise ValueError(f"{path}:{count}: expected an object")
        found.append((f"{path}:{count}", line))
    if not found:
        raise ValueError(f"{path} has no line")
    return found


def _told(place: str, line: Mapping[str, Any]) -> Told:
    story, scenes = line.get("story"), line.get("scenes")
    if not isinstance(story, str) or not story.strip() or not isinstance(scenes, list):
        raise ValueError(f'{place}: expected {{"story": "…", "scenes": […]}}')
    if not 1 <= len(scenes) <= MAX_SCENES:
        raise ValueError(f"{place}: a story has 1 to {MAX_SCENES} scenes, not {len(scenes)}")
    board = json.dumps({"scenes": [_scene(f"{place}: scene {n}", s) for n, s in enumerate(scenes, 1)]}, **_MINIFIED)
    return Told(story.strip(), board, place)


_MINIFIED: Any = {"separators": (",", ":"), "ensure_ascii": False}


def _scene(place: str, scene: Any) -> dict[str, Any]:
    if not isinstance(scene, dict):
        raise ValueError(f'{place} is no object like {{"prompt": "…", "seconds": 2, "camera": "static"}}')
    fields: dict[str, Any] = scene
    if unknown := sorted(set(fields) - set(_SCENE)):
        raise ValueError(f"{place} has {unknown[0]!r}, which means nothing here; known are {', '.join(_SCENE)}")
    prompt, seconds, camera = fields.get("prompt"), fields.get("seconds", 2), fields.get("camera", "static")
    if not isinstance(prompt, str) or not prompt.strip() or len(prompt) > MAX_PROMPT_CHARACTERS:
        raise ValueError(f"{place}: its prompt has 1 to {MAX_PROMPT_CHARACTERS} characters")
    if isinstance(seconds, bool) or seconds not in lengths():
        raise ValueError(f"{place}: seconds are {MIN_SCENE_SECONDS} to {MAX_SCENE_SECONDS} in tenths, not {seconds!r}")
    if camera not in CAMERAS:
        raise ValueError(f"{place}: camera is {camera!r}; it is one of {', '.join(CAMERAS)}")
    return {"prompt": prompt, "seconds": number(seconds), "camera": camera}
