"""The embedded server alone: a repository that cannot load says why, and nothing stays behind."""

import os
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from framecast.errors import InvalidRepository, StageUnavailable
from framecast.triton import embedded
from framecast.triton.embedded import EmbeddedConfig, EmbeddedTriton
from framecast.triton.prerequisites import find_triton
from framecast.triton.served_model import read_served_model
from framecast.triton.supervisor import Supervisor, SupervisorConfig


async def test_a_repository_that_cannot_load_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Other servers may run beside this one: only what it made itself is looked for.
    files = tmp_path / "files"
    files.mkdir()
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


async def test_a_server_that_is_not_there_is_not_waited_for_for_ever() -> None:
    supervisor = Supervisor("127.0.0.1:9", lambda serving: None, config=SupervisorConfig(start_timeout=0.5))
    with pytest.raises(StageUnavailable, match="not ready within"):
        await supervisor.start()
    await supervisor.stop()


async def test_a_repository_of_somebody_elses_is_refused(tiny_repository: Path, tmp_path: Path) -> None:
    import shutil

    copy = tmp_path / "served"
    shutil.copytree(tiny_repository, copy)
    config = copy / "denoiser" / "config.pbtxt"
    text = config.read_text(encoding="utf-8")
    config.write_text(text[: text.index("parameters")], encoding="utf-8")
    triton = EmbeddedTriton(EmbeddedConfig(copy))
    supervisor = Supervisor(triton.address, lambda serving: None, embedded=triton)
    try:
        await supervisor.start()
        with pytest.raises(InvalidRepository, match="no framecast parameter"):
            await read_served_model(supervisor.client)
    finally:
        await supervisor.stop()


@pytest.mark.parametrize(("crashes", "starts"), [(2, 3), (9, 3)], ids=["at last", "never"])
async def test_a_server_that_crashes_as_it_starts_is_started_again(
    tiny_repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, crashes: int, starts: int
) -> None:
    """As the python backend makes it now and then; here a script aborts in the place of tritonserver."""
    tried = tmp_path / "tried"
    script = tmp_path / "tritonserver"
    real = find_triton()
    script.write_text(
        f'#!/bin/sh\necho try >> {tried}\necho "error: lock_exception"\n'
        f'[ "$(wc -l < {tried})" -gt {crashes} ] || kill -ABRT $$\nexec {real.server} "$@"\n',
        encoding="utf-8",
    )
    script.chmod(0o755)
    monkeypatch.setattr(embedded, "find_triton", lambda: replace(real, server=script))
    triton = EmbeddedTriton(EmbeddedConfig(tiny_repository))
    supervisor = Supervisor(triton.address, lambda serving: None, embedded=triton)
    try:
        if crashes < starts:
            await supervisor.start()
            assert triton.pid is not None
            assert not triton.crashed
        else:
            with pytest.raises(StageUnavailable, match=r"exit code -6\): error: lock_exception"):
                await supervisor.start()
    finally:
        await supervisor.stop()
    assert tried.read_text(encoding="utf-8").count("try") == 3
