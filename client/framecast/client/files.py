"""Events to files: a video in one file, pictures in a folder, never a half-written file under the final name."""

import itertools
import os
import re
from collections.abc import AsyncIterable, Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from framecast.client.errors import InvalidArgument
from framecast.client.types import Accepted, Chunk, Codec, Event

fcntl: Any
try:
    import fcntl
except ImportError:  # of POSIX
    fcntl = None

_VIDEO_SUFFIXES = {".mp4", ".m4v", ".mov"}
# Names that say something else than what is written: nobody wants a movie called .png, or a folder.
_OTHER_SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".gif", ".webm", ".mkv", ".avi", ".wmv", ".flv", ".ogv", ".mpg"}
_PICTURE = re.compile(r"\d{6,}\.(?:jpg|png|webp)")
_IMAGE_SUFFIXES = {Codec.JPEG: ".jpg", Codec.PNG: ".png", Codec.WEBP: ".webp"}


@dataclass(frozen=True)
class Saved:
    """What was written: `path` is the file of a video or the folder of pictures; `bytes` and `frames` in all."""

    path: Path
    frames: int
    bytes: int


class VideoWriter:
    """Writes the events of one video; a context manager.

    A video grows in ``<output>.part``, or ``<output>.2.part`` where that is taken, and takes its name when the ``with``
    block ends well. When it ends with an exception the part file is removed, or kept with `keep_partial`: it plays up
    to its last whole chunk. A link stays one, and what it points to is written. Pictures are written to the folder
    `output` one by one as ``000000.jpg``…, numbered by frame, each complete or absent; those already written stay. A
    folder with pictures of another video is refused.

    Args:
        output: file, or folder for the image codecs; parents are made.
        keep_partial: keep the part file of a video that was not finished.
    """

    def __init__(self, output: str | os.PathLike[str], *, keep_partial: bool = False) -> None:
        self.path = Path(output)
        self._target = Path(os.path.realpath(output))
        self.part = self._target.with_name(f"{self._target.name}.part")
        self.frames = 0
        self.bytes = 0
        self._keep_partial = keep_partial
        self._codec = Codec.H264
        self._file: IO[bytes] | None = None

    def write(self, event: Event) -> None:
        """Takes the next event. Raises InvalidArgument when the output cannot hold the codec; OSError as it comes."""
        if isinstance(event, Accepted):
            self._codec = event.options.codec or Codec.H264
            if not self.frames:
                check_output(self.path, self._codec)
        elif isinstance(event, Chunk):
            if self._codec.is_image:
                self._write_picture(event)
            else:
                self._write_video(event)
            self.frames += event.frames
            self.bytes += len(event.data)

    @property
    def saved(self) -> Saved:
        """What has been written so far."""
        return Saved(self.path, self.frames, self.bytes)

    def __enter__(self) -> "VideoWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            _put_away(self._file, self.part, self._target if kind is None else None, keep=self._keep_partial)

    def _write_video(self, chunk: Chunk) -> None:
        if self._file is None:
            self._target.parent.mkdir(parents=True, exist_ok=True)
            self._file, self.part = _new_part(self._target)
        self._file.write(chunk.data)
        self._file.flush()  # whoever follows the part file sees each chunk at once

    def _write_picture(self, chunk: Chunk) -> None:
        self.path.mkdir(parents=True, exist_ok=True)
        target = self.path / f"{chunk.first_frame:06d}{_IMAGE_SUFFIXES[self._codec]}"
        file, part = _new_part(target)
        try:
            file.write(chunk.data)
            file.flush()
            _put_away(file, part, target)
        except BaseException:  # a full disk, or Ctrl-C: a picture is there whole or not at all
            _put_away(file, part, None)
            raise


def _new_part(target: Path) -> tuple[IO[bytes], Path]:
    """An empty file beside `target`, and its path: one that nobody else writes, left over or new."""
    for count in itertools.count(1):
        part = target.with_name(f"{target.name}.part" if count == 1 else f"{target.name}.{count}.part")
        while True:
            file = part.open("ab")
            if not _claimed(file):
                file.close()
                break
            if _still_named(file, part):
                file.truncate(0)
                return file, part
            file.close()  # its writer gave it another name, or removed it, before it could be claimed
    raise AssertionError("numbers do not end")


def _still_named(file: IO[bytes], part: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), part.stat())
    except FileNotFoundError:
        return False


def _put_away(file: IO[bytes], part: Path, target: Path | None, *, keep: bool = False) -> None:
    """Ends a part file: under the name `target`, or removed without one, unless it is kept.

    Where files are locked it is closed last: until then nobody else takes it for one that is left over.
    """
    try:
        if target is not None:
            file.flush()
        if fcntl is None:
            file.close()  # where an open file keeps its name
        if target is not None:
            part.replace(target)
        elif not keep:
            part.unlink(missing_ok=True)
    finally:
        file.close()


def _claimed(file: IO[bytes]) -> bool:
    """Whether nobody else has the file; from now on we have, until it is closed."""
    if fcntl is None:
        return True  # where files have no such locks
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks, as some over a network: to write there is worth more
        return True
    return True


def check_output(output: Path, codec: Codec) -> None:
    """Raises InvalidArgument when `output` cannot hold what `codec` makes."""
    suffix = output.suffix.lower()
    if str(output) == "-":
        raise InvalidArgument("output: - is no file, and a video is not written to stdout; name one, as video.mp4")
    if output.exists() and not output.is_file() and not output.is_dir():
        raise InvalidArgument(f"output: {output} is a device or a pipe, and no file; name one, as video.mp4")
    if codec.is_image and (suffix in _VIDEO_SUFFIXES | _OTHER_SUFFIXES or output.is_file()):
        raise InvalidArgument(f"output: {codec.value} makes a folder of pictures, and {output} names a file")
    if codec.is_image and output.is_dir() and any(map(_PICTURE.fullmatch, os.listdir(output))):
        raise InvalidArgument(f"output: {output} has pictures of another video; empty it or name another folder")
    if not codec.is_image and output.is_dir():
        raise InvalidArgument(f"output: {codec.value} makes one file, and {output} is a folder")
    if not codec.is_image and suffix in _OTHER_SUFFIXES:
        raise InvalidArgument(f"output: {codec.value} is written as MP4, and {output} names something else; use .mp4")
    there = in_the_way(output)
    if there is not None and not there.is_dir():
        raise InvalidArgument(f"output: {there} is a file, and no folder that {output.name} could be in")
    if there is not None:
        raise InvalidArgument(f"output: {there} cannot be written to; name another folder")


def in_the_way(path: Path) -> Path | None:
    """What keeps `path` from being made: a file in the place of a folder, or one that may not be written to."""
    there = path if path.is_dir() else next(folder for folder in path.absolute().parents if folder.exists())
    return None if there.is_dir() and os.access(there, os.W_OK | os.X_OK) else there


def save(events: Iterable[Event], output: str | os.PathLike[str], *, keep_partial: bool = False) -> Saved:
    """Writes a whole video; see `VideoWriter`."""
    with VideoWriter(output, keep_partial=keep_partial) as writer:
        for event in events:
            writer.write(event)
    return writer.saved


async def save_async(
    events: AsyncIterable[Event], output: str | os.PathLike[str], *, keep_partial: bool = False
) -> Saved:
    """The same for the asynchronous client."""
    with VideoWriter(output, keep_partial=keep_partial) as writer:
        async for event in events:
            writer.write(event)
    return writer.saved
