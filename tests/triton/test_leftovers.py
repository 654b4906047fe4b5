"""Whose temporary files may be removed: whoever holds a lock lives, wherever its process is."""

import fcntl
import os
import secrets
import tempfile
from pathlib import Path

import pytest

from framecast.triton import leftovers
from framecast.triton.leftovers import Scratch, sweep

GONE = 2**22 + 5  # no process has such a number here; one in another container may


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    memory = tmp_path / "shm"  # not the real one: servers of other tests sweep it
    memory.mkdir()
    monkeypatch.setattr(leftovers, "SHARED_MEMORY", memory)
    return tmp_path


def _of(pid: int, name: str) -> tuple[Path, Path, Path]:
    """A folder, a region and the region's lock of such a server."""
    found = Path(tempfile.gettempdir()) / f"framecast-triton-{pid}-{name}"
    found.mkdir()
    (found / "lock").touch()
    region, lock = (leftovers.SHARED_MEMORY / f"framecast_{pid}_{name}_{what}" for what in ("region", "lock"))
    region.touch()
    lock.touch()
    return found, region, lock


def test_a_server_of_another_container_keeps_what_it_has(folder: Path) -> None:
    name = secrets.token_hex(4)
    made = _of(GONE, name)
    held = [os.open(path, os.O_RDWR) for path in (made[0] / "lock", made[2])]
    try:
        for file in held:
            fcntl.flock(file, fcntl.LOCK_EX)
        sweep()
        assert all(path.exists() for path in made)
    finally:
        for file in held:
            os.close(file)
    sweep()
    assert not any(path.exists() for path in made)


def test_a_number_that_is_another_process_by_now_saves_nothing(folder: Path) -> None:
    """In a container the gateway has the same one after every start."""
    for index in range(5):
        name = f"{index}{secrets.token_hex(3)}"
        _of(os.getpid(), name)
        for other in ("a", "z", "_", "0"):
            (leftovers.SHARED_MEMORY / f"framecast_{os.getpid()}_{name}_{other}").touch()
    sweep()
    assert list(leftovers.SHARED_MEMORY.iterdir()) == []
    assert list(folder.iterdir()) == [leftovers.SHARED_MEMORY]


def test_without_locks_the_process_says_it(folder: Path) -> None:
    """What servers before had."""
    name = secrets.token_hex(4)
    gone, mine = _of(GONE, name), _of(os.getpid(), name)
    for _, _, lock in (gone, mine):
        lock.unlink()
    (gone[0] / "lock").unlink()
    (mine[0] / "lock").unlink()
    sweep()
    assert not gone[0].exists()
    assert not gone[1].exists()
    assert mine[0].exists()
    assert mine[1].exists()


def test_a_living_server_holds_both_and_leaves_nothing(folder: Path) -> None:
    scratch = Scratch(secrets.token_hex(4))
    for _ in range(2):  # a server may be started again
        scratch.make()
        sweep()
        assert scratch.folder.exists()
        assert (leftovers.SHARED_MEMORY / f"{scratch.prefix}lock").exists()
        scratch.remove()
        scratch.remove()
        assert not scratch.folder.exists()
        assert not list(leftovers.SHARED_MEMORY.glob(f"{scratch.prefix}*"))
