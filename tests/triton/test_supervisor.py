"""What keeps Triton serving: starts that fail, stages that die or freeze, repairs."""

import asyncio
import errno
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from framecast.errors import InvalidRepository, StageUnavailable
from framecast.stages.triton import TritonStages
from framecast.triton import embedded
from framecast.triton import supervisor as supervisor_module
from framecast.triton.embedded import EmbeddedConfig, EmbeddedTriton
from framecast.triton.prerequisites import find_triton
from framecast.triton.served_model import read_served_model
from framecast.triton.supervisor import Supervisor, SupervisorConfig


async def test_a_server_that_is_not_there_is_not_waited_for_for_ever() -> None:
    supervisor = Supervisor("127.0.0.1:9", lambda serving: None, config=SupervisorConfig(start_timeout=0.5))
    with pytest.raises(StageUnavailable, match="not ready within"):
        await supervisor.start()
    await supervisor.stop()


async def test_a_repository_of_somebody_elses_is_refused(tiny_repository: Path, tmp_path: Path) -> None:
    import shutil

    def somebody_elses(root: Path) -> None:
        config = root / "denoiser" / "config.pbtxt"
        text = config.read_text(encoding="utf-8")
        config.write_text(text[: text.index("parameters")], encoding="utf-8")

    def older(root: Path) -> None:
        """Of before there were safety checkers."""
        for model in ("decode_frames", "text_to_video"):
            config = root / model / "config.pbtxt"
            lines = config.read_text(encoding="utf-8").splitlines()
            config.write_text("\n".join(line for line in lines if "LOOKED_AT" not in line), encoding="utf-8")

    for spoil, said in ((somebody_elses, "no framecast parameter"), (older, "decode_frames gives no LOOKED_AT")):
        copy = tmp_path / spoil.__name__
        shutil.copytree(tiny_repository, copy)
        spoil(copy)
        triton = EmbeddedTriton(EmbeddedConfig(copy))
        supervisor = Supervisor(triton.address, lambda serving: None, embedded=triton)
        try:
            await supervisor.start()
            with pytest.raises(InvalidRepository, match=said):
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
            assert not triton.gave_up
        else:
            with pytest.raises(StageUnavailable, match=r"exit code -6\): error: lock_exception"):
                await supervisor.start()
    finally:
        await supervisor.stop()
    assert tried.read_text(encoding="utf-8").count("try") == 3


async def test_a_start_that_hangs_is_tried_again(tiny_repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Triton misses now and then that a stage is loaded; the first wait is cut short in its place."""
    triton, waits = EmbeddedTriton(EmbeddedConfig(tiny_repository)), []
    real = supervisor_module.wait_ready

    async def wait(*arguments: Any) -> None:
        waits.append(triton.pid)
        if len(waits) == 1:
            raise StageUnavailable("Triton was not ready within 120 s.")
        await real(*arguments)

    monkeypatch.setattr(supervisor_module, "wait_ready", wait)
    supervisor = Supervisor(triton.address, lambda serving: None, embedded=triton)
    try:
        await supervisor.start()
        assert len({*waits}) == 2
        assert not psutil.pid_exists(waits[0])
    finally:
        await supervisor.stop()


async def test_a_server_of_others_whose_model_has_died_is_not_called_serving(
    storybook_repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Triton calls such a model ready for good; its answers say otherwise."""
    triton = EmbeddedTriton(EmbeddedConfig(storybook_repository))
    stages = TritonStages(triton.address)
    said: list[bool] = []
    theirs = Supervisor(triton.address, said.append, broken=stages.broken, config=SupervisorConfig(poll=0.05))
    watch = asyncio.create_task(theirs.watch())
    try:
        await triton.start()
        while not said:
            triton.check_alive()
            await asyncio.sleep(0.05)
        assert said == [True]
        await stages.encode_text("a kitten", "", scene=0)
        assert not stages.broken()
        os.kill(triton.stubs()["text_encoder"], signal.SIGKILL)
        with pytest.raises(StageUnavailable):
            await stages.encode_text("a kitten", "", scene=0)
        assert stages.broken() == {"text_encoder"}
        await _until(lambda: said == [True, False])
        monkeypatch.setattr("framecast.stages.triton.BROKEN_SECONDS", 0.0)  # given another chance
        await _until(lambda: said == [True, False, True])
    finally:
        watch.cancel()
        await asyncio.wait({watch})
        await theirs.stop()
        await stages.close()
        await triton.stop()


async def test_a_stage_that_is_frozen_is_ended_and_loaded_again(
    storybook_repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its process lives, so that nothing but its silence says so."""
    triton = EmbeddedTriton(EmbeddedConfig(storybook_repository))
    stages = TritonStages(triton.address)
    said: list[bool] = []
    config = SupervisorConfig(poll=0.05, frozen=0.2)
    supervisor = Supervisor(
        triton.address, said.append, stages.interrupt, stages.broken, embedded=triton, config=config
    )
    try:
        await supervisor.start()
        watch = asyncio.create_task(supervisor.watch())
        await stages.encode_text("a kitten", "", scene=0)
        frozen = triton.stubs()["text_encoder"]
        os.kill(frozen, signal.SIGSTOP)
        monkeypatch.setattr("framecast.stages.triton.TIMEOUT", 0.5)
        with pytest.raises(StageUnavailable):
            await stages.encode_text("a kitten", "", scene=0)
        monkeypatch.undo()
        await _until(lambda: said == [True, False, True])
        assert triton.stubs()["text_encoder"] != frozen
        assert not stages.broken()
        await stages.encode_text("a kitten", "", scene=0)
        assert said == [True, False, True]
    finally:
        watch.cancel()
        await asyncio.wait({watch})
        await supervisor.stop()
        await stages.close()


async def test_a_stage_that_freezes_under_its_only_caller_is_ended(storybook_repository: Path) -> None:
    """Nobody asks it afterwards, so that no answer calls it dead."""
    triton = EmbeddedTriton(EmbeddedConfig(storybook_repository))
    stages = TritonStages(triton.address)
    config = SupervisorConfig(poll=0.05, silent=1.5)
    supervisor = Supervisor(
        triton.address, lambda serving: None, stages.interrupt, stages.broken, stages.awaited, triton, config
    )
    try:
        await supervisor.start()
        watch = asyncio.create_task(supervisor.watch())
        before = triton.stubs()
        subjects = ("kitten", "dog", "rabbit", "bird", "fish", "ball")
        story = " ".join(f"A red {subject} plays in the courtyard at night." for subject in subjects)

        async def frozen_half_way() -> None:
            for _ in range(20):  # on a busy machine all six may be written before it is stopped
                scenes = stages.plan(story, 6)
                await anext(scenes)
                os.kill(before["scene_planner"], signal.SIGSTOP)
                async for _scene in scenes:
                    pass
                os.kill(before["scene_planner"], signal.SIGCONT)

        with pytest.raises(StageUnavailable, match="scene_planner died"):
            await asyncio.wait_for(frozen_half_way(), 60)
        await _until(lambda: triton.stubs().keys() == before.keys())
        assert {name for name, pid in triton.stubs().items() if pid != before[name]} == {"scene_planner"}
    finally:
        watch.cancel()
        await asyncio.wait({watch})
        await supervisor.stop()
        await stages.close()


async def test_after_a_pause_of_the_machine_nobody_is_blamed_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten minutes between two looks count as one second; a stage that stays idle is ended by the looks after it."""
    idle = await asyncio.create_subprocess_exec("sleep", "600")
    embedded: Any = SimpleNamespace(stubs=lambda: {"denoiser": idle.pid})
    supervisor = Supervisor("127.0.0.1:1", lambda serving: None, embedded=embedded, config=SupervisorConfig(silent=3.0))
    await _until(lambda: psutil.Process(idle.pid).name() == "sleep" and psutil.Process(idle.pid).status() == "sleeping")
    now = 1000.0
    monkeypatch.setattr("framecast.triton.supervisor.time.monotonic", lambda: now)
    try:
        for looks in range(4):
            assert idle.returncode is None, f"ended after {looks} looks"
            supervisor._end_frozen([], ["denoiser"])
            now += 600.0
        monkeypatch.undo()
        assert await asyncio.wait_for(idle.wait(), 10) == -signal.SIGKILL
    finally:
        with suppress(ProcessLookupError):
            idle.kill()
        await idle.wait()
        await supervisor.client.close()


async def test_a_stage_that_does_something_is_given_longer() -> None:
    """Its neighbours may keep it waiting: what ends a frozen one would end it too."""
    busy = await asyncio.create_subprocess_exec(sys.executable, "-c", "while True: pass")
    idle = await asyncio.create_subprocess_exec("sleep", "600")
    embedded: Any = SimpleNamespace(stubs=lambda: {"denoiser": busy.pid, "text_encoder": idle.pid})
    config = SupervisorConfig(frozen=1.0, stuck=5.0)
    supervisor = Supervisor("127.0.0.1:1", lambda serving: None, embedded=embedded, config=config)
    ended, began = dict[str, float](), time.monotonic()
    try:
        while len(ended) < 2 and time.monotonic() - began < 60:
            supervisor._end_frozen(["denoiser", "text_encoder"], [])
            for name, process in (("denoiser", busy), ("text_encoder", idle)):
                if process.returncode is not None:
                    ended.setdefault(name, time.monotonic() - began)
            await asyncio.sleep(0.02)
        assert list(ended) == ["text_encoder", "denoiser"]
        assert ended["denoiser"] >= 5.0
        assert {busy.returncode, idle.returncode} == {-signal.SIGKILL}
    finally:
        for process in (busy, idle):
            if process.returncode is None:
                process.kill()
                await process.wait()
        await supervisor.client.close()


async def test_a_server_that_serves_after_its_repair_was_given_up_is_announced(
    tiny_repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    triton = EmbeddedTriton(EmbeddedConfig(tiny_repository))
    said: list[bool] = []
    supervisor = Supervisor(triton.address, said.append, embedded=triton, config=SupervisorConfig(poll=0.05))
    await supervisor.start()

    async def given_up(dead: object) -> None:
        monkeypatch.undo()  # from now on it answers
        raise StageUnavailable("not ready in time")

    async def no_answer(*_: object) -> bool:
        return False

    monkeypatch.setattr(supervisor, "_repair", given_up)
    monkeypatch.setattr("framecast.triton.supervisor.answers", no_answer)
    watch = asyncio.create_task(supervisor.watch())
    try:
        await _until(lambda: said == [True, False, True])
    finally:
        watch.cancel()
        await asyncio.wait({watch})
        await supervisor.stop()


async def _until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true"
        await asyncio.sleep(0.02)


async def test_a_repair_that_fails_is_tried_less_and_less_often() -> None:
    embedded: Any = SimpleNamespace(pid=None, stubs=dict)
    config = SupervisorConfig(poll=0.01, longest_pause=0.16)
    supervisor = Supervisor("127.0.0.1:1", lambda serving: None, embedded=embedded, config=config)
    asked: list[float] = []

    async def full(dead: object) -> None:
        asked.append(time.monotonic())
        raise OSError(errno.ENOSPC, "No space left on device")

    supervisor._repair = full  # type: ignore[method-assign]
    watch = asyncio.create_task(supervisor.watch())
    while len(asked) < 6:
        await asyncio.sleep(0.01)
    watch.cancel()
    await supervisor.client.close()
    pauses = [after - before for before, after in pairwise(asked)]
    assert all(pause >= least for pause, least in zip(pauses, (0.02, 0.04, 0.08, 0.16, 0.16), strict=True))
