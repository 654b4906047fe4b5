"""The embedded server alone: a repository that cannot load says why, and nothing stays behind."""

import os
import socket
import stat
import subprocess
import tempfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import psutil
import pytest

import framecast.stages
from framecast.errors import StageUnavailable
from framecast.triton import embedded, leftovers, prerequisites
from framecast.triton.embedded import EmbeddedConfig, EmbeddedTriton
from framecast.triton.supervisor import Supervisor


async def test_a_repository_that_cannot_load_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Other servers may run beside this one: only what it made itself is looked for.
    files = Path(tempfile.mkdtemp())  # a socket's path is short
    monkeypatch.setattr(tempfile, "tempdir", str(files))

    def leftovers() -> set[Path]:
        return {*Path("/dev/shm").glob(f"framecast_{os.getpid()}_*"), *files.iterdir()}

    before = leftovers()
    (tmp_path / "broken" / "1").mkdir(parents=True)
    (tmp_path / "broken" / "config.pbtxt").write_text('backend: "python"\nmax_batch_size: 0\n', encoding="utf-8")
    (tmp_path / "broken" / "1" / "model.py").write_text("raise ValueError('no such luck')\n", encoding="utf-8")
    triton = EmbeddedTriton(EmbeddedConfig(tmp_path))
    changes: list[bool] = []
    supervisor = Supervisor(triton.address, changes.append, embedded=triton)
    try:
        with pytest.raises(StageUnavailable, match="no such luck"):
            await supervisor.start()
    finally:
        await supervisor.stop()
    assert changes == []
    assert triton.pid is None
    assert leftovers() == before
    files.rmdir()


async def test_a_container_with_little_shared_memory_is_told_before_anything_starts(
    tiny_repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Docker gives 64 MB. The figure is injected: the machine's own memory is not to be filled."""
    monkeypatch.setattr(prerequisites.shutil, "disk_usage", lambda path: SimpleNamespace(free=64 << 20))
    triton = EmbeddedTriton(EmbeddedConfig(tiny_repository))
    try:
        with pytest.raises(StageUnavailable, match=r"64 MB free, Triton.s 5 stages begin with 80"):
            await triton.start()
        assert triton.pid is None
    finally:
        await triton.stop()


async def test_nobody_else_reaches_it(tiny_repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who does may load a model, which is code: no port takes calls, and others may not enter the socket's folder.

    Nor does Triton's shell read the repository's name.
    """
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my $(touch pwned) files").mkdir()
    repository = tmp_path / "my $(touch pwned) files" / "served"
    repository.symlink_to(tiny_repository)
    triton = EmbeddedTriton(EmbeddedConfig(repository))
    supervisor = Supervisor(triton.address, lambda serving: None, embedded=triton)
    try:
        await supervisor.start()
        listening = {
            c.laddr[1] for c in psutil.Process(triton.pid).net_connections("tcp") if c.status == psutil.CONN_LISTEN
        }
        assert listening == {triton.metrics_port}
        assert not (tmp_path / "pwned").exists()
        socket = Path(triton.address.removeprefix("unix:"))
        assert socket.is_socket()
        assert stat.S_IMODE(socket.parent.stat().st_mode) == 0o700
    finally:
        await supervisor.stop()
    assert not socket.parent.exists()


async def test_stubs_find_what_we_find(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are isolated, and hear neither of PYTHONPATH nor of the user's own packages."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "only_here.py").touch()
    monkeypatch.syspath_prepend(tmp_path / "mine")
    programs = embedded._interpreter(tmp_path / "scratch")
    program = "import only_here, numpy, framecast.stages as s; print(numpy.__file__, *s.__path__)"
    found = subprocess.run(
        ["python3", "-I", "-c", program], env={"PATH": str(programs)}, check=True, capture_output=True, text=True
    )
    assert found.stdout.split() == [np.__file__, *framecast.stages.__path__]


def test_a_port_that_somebody_has_taken_is_another() -> None:
    wanted = embedded._free_port()
    assert embedded._free_port(wanted) == wanted
    with socket.create_server((embedded.HOST, wanted)):
        assert embedded._free_port(wanted) not in (0, wanted)


async def test_a_folder_too_long_for_a_socket_is_named(
    tiny_repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / ("x" * 90)))
    with pytest.raises(StageUnavailable, match=r"^TMPDIR: .* is too long for a socket"):
        await EmbeddedTriton(EmbeddedConfig(tiny_repository)).start()


@pytest.mark.parametrize("name", ["two words", "$(touch pwned)", "tür"])
async def test_a_folder_that_a_shell_would_misread_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", f"/tmp/{name}")
    with pytest.raises(StageUnavailable, match=r"^TMPDIR: .* has other characters than plain letters, digits"):
        await EmbeddedTriton(EmbeddedConfig(tmp_path)).start()


async def test_what_others_have_left_is_not_touched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither another user's memory, which cannot be removed, nor a living gateway's; our own dead ones' goes."""
    monkeypatch.setattr(leftovers, "SHARED_MEMORY", tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    dead = 2**22 + 1  # no process has such a number
    ours, theirs, living = (tmp_path / f"framecast_{pid}_x" for pid in (dead, dead + 1, os.getpid()))
    for path in (ours, theirs, living):
        path.touch()
    real = Path.lstat
    monkeypatch.setattr(Path, "lstat", lambda path: _owned_by_another(real(path)) if path == theirs else real(path))
    leftovers.sweep()
    assert sorted(tmp_path.iterdir()) == sorted([theirs, living])


def _owned_by_another(found: os.stat_result) -> os.stat_result:
    return os.stat_result((*found[:4], found.st_uid + 1, *found[5:10]))
