"""Clips prepared once: drawn, folded, encoded and kept as half-precision memory maps with their scenes beside them."""

from __future__ import annotations

import errno
import json
import os
import random
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from numpy.lib import format as npy

from framecast.train.captions import canonical, training_caption
from framecast.train.folding import FOLD
from framecast.train.lines import finished
from framecast.train.own import Clip, OwnData
from framecast.train.parallel import Crew
from framecast.train.principal import Principal
from framecast.train.progress import Journal
from framecast.train.world.render import Film, render
from framecast.train.world.scene import Scene, held_out, sample_scene


@dataclass(frozen=True)
class CacheConfig:
    """What is drawn.

    Attributes:
        samples: how many clips.
        latents: latents of one clip; twelve are two seconds.
        continued: share of clips that begin in the middle of a scene; they are trained with clean context only.
        moving_camera: share of samples with a moving camera. When it is served a view moves, and the weights never
            told one direction from the other (docs/log.md), so there are none.
        practised: words whose scenes are drawn three times as often as the others.
        data: folder of somebody's own clips and what they are, `OwnData.identity`; empty: the world's.
    """

    samples: int = 6000
    latents: int = 12
    continued: float = 0.3
    moving_camera: float = 0.0
    practised: frozenset[str] = frozenset()
    seed: int = 31
    data: str = ""


@dataclass(frozen=True)
class Sample:
    """One entry of a cache: a scene of the world, or a clip of somebody's own with its `caption`."""

    scene: Scene | None
    seed: int
    start: float
    caption: str = ""
    file: str = ""

    @property
    def continued(self) -> bool:
        """Begins in the middle of its scene."""
        return self.start > 0

    def to_line(self) -> str:
        """JSON, with its newline."""
        return json.dumps(asdict(self)) + "\n"

    @classmethod
    def from_line(cls, line: str) -> Sample:
        """What `to_line` wrote."""
        entry = json.loads(line)
        return cls(**{**entry, "scene": Scene(**entry["scene"]) if entry["scene"] else None})

    def words(self, rng: random.Random) -> str:
        """A caption to train with: the world's are worded anew each time."""
        return training_caption(self.scene, rng) if self.scene else self.caption

    @property
    def spoken(self) -> str:
        """The caption as a planner writes it."""
        return canonical(self.scene) if self.scene else self.caption

    def frames(self, start: float, count: int) -> npt.NDArray[np.uint8]:
        """`count` frames from `start` seconds into the sample, uint8 [count, 256, 256, 3]."""
        if self.scene:
            return render(self.scene, self.seed, count, start=self.start + start)
        return Clip(Path(self.file), self.caption, 0.0).frames(self.start + start, count)


def draw_sample(config: CacheConfig, index: int, excluded: frozenset[tuple[str, str, str, str]]) -> Sample:
    """The `index`-th sample."""
    rng = random.Random(f"cache {config.seed} {index}")
    scene = sample_scene(rng, excluded=excluded, moving_camera=config.moving_camera, practised=config.practised)
    # Scenes go on at whole latents when they are served.
    start = rng.randrange(3, 37) * FOLD.frames / Film().fps if rng.random() < config.continued else 0.0
    return Sample(scene, rng.randrange(2**31), start)


def own_sample(config: CacheConfig, index: int, data: OwnData) -> Sample:
    """The `index`-th sample of somebody's own: each clip in turn, from anywhere in it."""
    rng = random.Random(f"cache {config.seed} {index}")
    clip = data.clips[index % len(data.clips)]
    start = rng.uniform(0, max(0.0, clip.seconds - config.latents * FOLD.frames / Film().fps))
    return Sample(None, 0, start if rng.random() < config.continued else 0.0, clip.caption, str(clip.file))


def cover(frames: npt.NDArray[np.uint8], empty: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Where the subjects are: share of each latent's pixels that differ from the empty scene.

    Args:
        frames: uint8 [T, H, W, 3].
        empty: the same scene without its subjects.

    Returns:
        uint8 [T/4, H/16, W/16], 255 is all.
    """
    differs = (np.maximum(frames, empty) - np.minimum(frames, empty) > 12).any(axis=-1)
    count, height, width = differs.shape
    cells = differs.reshape(
        count // FOLD.frames, FOLD.frames, height // FOLD.rows, FOLD.rows, width // FOLD.columns, FOLD.columns
    )
    shares: npt.NDArray[np.uint8] = np.round(cells.mean(axis=(1, 3, 5)) * 255).astype(np.uint8)
    return shares


def encode(frames: npt.NDArray[np.uint8], code: Principal) -> npt.NDArray[np.float16]:
    """What `code.encode` gives of folded frames, with one matrix product in place of the folding.

    Args:
        frames: uint8 [T, H, W, 3].
        code: the linear code.

    Returns:
        fp16 [T/4, C, H/16, W/16].
    """
    count, height, width, _ = frames.shape
    rows, columns = height // FOLD.rows, width // FOLD.columns
    cells = frames.reshape(count // FOLD.frames, FOLD.frames, rows, FOLD.rows, columns, FOLD.columns, 3)
    patches = np.ascontiguousarray(cells.transpose(0, 2, 4, 1, 6, 3, 5)).reshape(-1, FOLD.channels)
    gains = code.components * (code.levels / code.deviations)
    # Pixels are p / 127.5 - 1: the shift moves into the constant.
    values = torch.from_numpy(patches).float() @ (gains / 127.5) - (code.mean + 1) @ gains
    maps = values.view(-1, rows, columns, values.shape[1]).movedim(-1, 1)
    return maps.numpy().astype(np.float16)


def build(config: CacheConfig, code: Principal, directory: Path, *, crew: Crew, data: OwnData | None = None) -> int:
    """Fills this worker's part of the cache, going on where an earlier run stopped; returns its number of samples.

    Worker r of n draws samples r, r + n, … and writes `latents-r.npy` fp16 [samples, latents, C, h, w], `cover-r.npy`
    uint8 [samples, latents, h, w] and `samples-r.jsonl`, one line for each finished sample. With `data` its clips are
    taken in the place of drawn ones; where their subjects are is not known, so that every place counts alike.

    Raises:
        ValueError: what is there was drawn otherwise: with another seed, other words practised, or as many workers.
    """
    directory.mkdir(parents=True, exist_ok=True)
    excluded = held_out()
    mine = range(crew.rank, config.samples, crew.size)
    lines = directory / f"samples-{crew.rank}.jsonl"
    done = len(finished(lines, mend=True))
    if done:
        _require_the_same(config, directory, crew)
    elif crew.leads:
        told = {**_told(config), "workers": crew.size}
        _description(directory).write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    shape = (max(done, len(mine)), config.latents, len(code.deviations), 16, 16)
    latents = rows(directory / f"latents-{crew.rank}.npy", np.float16, shape, done)
    covers = rows(directory / f"cover-{crew.rank}.npy", np.uint8, (*shape[:2], 16, 16), done)
    journal = Journal(directory, "cache", len(mine), begin=done) if crew.leads else crew.silence()
    with lines.open("a", encoding="utf-8") as out, journal as log:
        for row in range(done, len(mine)):
            count = config.latents * FOLD.frames
            sample = own_sample(config, mine[row], data) if data else draw_sample(config, mine[row], excluded)
            frames = sample.frames(0.0, count)
            latents[row] = encode(frames, code)
            if sample.scene:
                empty = render(sample.scene, sample.seed, count, start=sample.start, empty=True)
                covers[row] = cover(frames, empty)
            out.write(sample.to_line())
            if row % 50 == 49 or row + 1 == len(mine):
                latents.flush()
                covers.flush()
                out.flush()
            log.log(row + 1, std=float(latents[row].astype(np.float32).std()))
    return len(mine)


def _description(directory: Path) -> Path:
    return directory / "cache.json"


def _told(config: CacheConfig) -> dict[str, Any]:
    """What decides on each sample, whatever their number."""
    told = asdict(config) | {"practised": sorted(config.practised)}
    del told["samples"]
    return told


def _require_the_same(config: CacheConfig, directory: Path, crew: Crew) -> None:
    path, told = _description(directory), {**_told(config), "workers": crew.size}
    before = json.loads(path.read_text(encoding="utf-8")) if path.exists() else told
    before = {**told, **_told(CacheConfig()), **before}  # a cache from before there was some field has its default
    other = [f"{name} {before.get(name)}" for name, value in told.items() if before.get(name) != value]
    if other:
        raise ValueError(f"{directory} was drawn with {', '.join(other)}: give the same, or move it away")


def rows(path: Path, dtype: Any, shape: tuple[int, ...], done: int) -> Any:
    """An array in a file, with room for all rows; those that are done are kept."""
    open_memmap: Any = npy.open_memmap
    if not done:
        return _reserved(path, dtype, shape)
    found = open_memmap(path, mode="r+")
    if len(found) >= shape[0]:
        return found
    larger = _reserved(path.with_suffix(".larger"), dtype, shape)
    larger[: len(found)] = found
    larger.flush()
    os.replace(path.with_suffix(".larger"), path)
    return larger


def _reserved(path: Path, dtype: Any, shape: tuple[int, ...]) -> Any:
    """A new array in a file that has its place on the disk: one that is full later on would end the process."""
    open_memmap: Any = npy.open_memmap
    array = open_memmap(path, mode="w+", dtype=dtype, shape=shape)
    if hasattr(os, "posix_fallocate"):
        with path.open("r+b") as file:
            try:
                os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
            except OSError as error:
                if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):  # of a file system that cannot
                    raise
    return array


def _opened(part: Path, name: str) -> Any:
    return np.load(part.with_name(f"{part.stem.replace('samples', name)}.npy"), mmap_mode="r")


class LatentCache:
    """Reads a cache that may still be growing, every worker's part of it.

    Raises:
        FileNotFoundError: nothing has been cached in `directory`.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._parts: list[Path] = []
        self._latents: list[Any] = []
        self._covers: list[Any] = []
        self._rows: list[int] = []
        self._places: list[tuple[int, int]] = []
        self.samples: list[Sample] = []
        self.refresh()
        if not self.samples:
            raise FileNotFoundError(f"no finished clips in {directory}: run `framecast train cache`, or wait for it")

    def refresh(self) -> None:
        """Takes in what has been finished since, by workers that have begun since as well."""
        for part in sorted(set(self._directory.glob("samples-*.jsonl")) - set(self._parts)):
            if finished(part):  # its arrays are there before its first line
                self._parts.append(part)
                self._rows.append(0)
                for name, arrays in (("latents", self._latents), ("cover", self._covers)):
                    arrays.append(_opened(part, name))
        for index, part in enumerate(self._parts):
            rows = finished(part)
            if len(rows) > len(self._latents[index]):  # the file has been replaced by one with more room
                for name, arrays in (("latents", self._latents), ("cover", self._covers)):
                    arrays[index] = _opened(part, name)
            for row in range(self._rows[index], len(rows)):
                self._places.append((index, row))  # first: another thread may be drawing of what is in `samples`
                self.samples.append(Sample.from_line(rows[row]))
            self._rows[index] = len(rows)

    def __len__(self) -> int:
        return len(self.samples)

    def clip(self, index: int, moments: slice = slice(None)) -> tuple[torch.Tensor, torch.Tensor]:
        """Latents float32 [moments, C, h, w] and the subjects' cover float32 [moments, h, w] in 0..1."""
        latents, cover = self.stored(index, moments)
        return latents.float(), cover

    def stored(self, index: int, moments: slice = slice(None)) -> tuple[torch.Tensor, torch.Tensor]:
        """As `clip`, with the latents in half precision, as they are kept."""
        part, row = self._places[index]
        latents = torch.from_numpy(np.array(self._latents[part][row, moments]))
        return latents, torch.from_numpy(self._covers[part][row, moments].astype(np.float32) / 255)
