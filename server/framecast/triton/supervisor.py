"""Keeps Triton serving: notices when it does not, says so, and repairs what is ours.

Triton 2.51 neither restarts a python stub that died nor stops calling itself ready, so the stubs' processes are
watched. A dead stub's model is unloaded and loaded again while the others go on; when that fails, or tritonserver
itself is gone or does not answer, the server is started again. A stub that lives, whose answers say for a while that it
does not, and that has done nothing meanwhile, is frozen and ended; one that has had processor time may only be kept
waiting by its neighbours, and is given longer. One that a call waits for and that has had no processor time at all is
frozen too, though no answer says so: there is none while every place is taken by those who wait. A Triton that is not
ours is only asked whether it is ready; what its answers say of dead models counts too.
"""

import asyncio
import logging
import os
import signal
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass

from tritonclient.grpc.aio import InferenceServerClient
from tritonclient.utils import InferenceServerException

from framecast.errors import StageUnavailable
from framecast.stages.contracts import MODELS
from framecast.stages.triton import triton_client
from framecast.triton.embedded import EmbeddedTriton
from framecast.triton.processes import work_done
from framecast.triton.readiness import all_ready, answers, wait_ready
from framecast.within import within

_log = logging.getLogger(__name__)
_LONGEST_LOOK = 1.0  # seconds that a stage is blamed for between two looks


@dataclass(frozen=True)
class SupervisorConfig:
    """Seconds.

    Attributes:
        start_timeout: for the server to become ready.
        answer_timeout: for Triton to say that it is ready.
        reload_timeout: for one model to be loaded again before the whole server is restarted.
        frozen: that a stage with a living process may be called dead by its answers, and do nothing, before that
            process is ended.
        stuck: the same for one that does something.
        silent: that a stage may be waited for, with a living process that has no processor time at all.
        poll: between looks.
        longest_pause: before another repair, when one after the other fails; each time it is twice as long.
        starts: how often, not seconds, a server of ours is started that is not ready in time or ended by a signal.
    """

    start_timeout: float = 120.0
    answer_timeout: float = 10.0
    reload_timeout: float = 15.0
    frozen: float = 5.0
    stuck: float = 60.0
    silent: float = 10.0
    poll: float = 0.25
    longest_pause: float = 30.0
    starts: int = 3


@dataclass(frozen=True)
class _Suspect:
    """A stage that is called dead or waited for: its work so far, for how long it is so, and does nothing, seconds."""

    worked: tuple[int, ...]
    lasted: float
    idle: float
    looked: float


class Supervisor:
    """Watches one Triton.

    Args:
        address: of its gRPC, host:port or unix:path.
        on_change: takes True when it begins to serve and False when it stops.
        on_death: takes the names of the models whose process has died.
        broken: names of the models whose answers say that they have died.
        awaited: names of the models that a call is waiting for.
        embedded: the process to keep alive; None for a server that is not ours.
    """

    def __init__(
        self,
        address: str,
        on_change: Callable[[bool], None],
        on_death: Callable[[Collection[str]], None] = lambda models: None,
        broken: Callable[[], Collection[str]] = tuple,
        awaited: Callable[[], Collection[str]] = tuple,
        embedded: EmbeddedTriton | None = None,
        config: SupervisorConfig | None = None,
    ) -> None:
        self._client = triton_client(address)
        self._on_change = on_change
        self._on_death = on_death
        self._broken = broken
        self._awaited = awaited
        self._embedded = embedded
        self._config = config or SupervisorConfig()
        self._serving = False
        self._suspected: dict[str, _Suspect] = {}  # stages with a living process that are called dead, or waited for

    @property
    def client(self) -> InferenceServerClient:
        """The client that control and health calls use."""
        return self._client

    async def start(self) -> None:
        """Starts Triton if it is ours, and waits until it serves. Raises StageUnavailable."""
        await self._boot()
        self._announce(True)

    async def watch(self) -> None:
        """Looks after Triton until cancelled."""
        pause = self._config.poll
        while True:
            await asyncio.sleep(pause)
            pause, failing = self._config.poll, pause
            try:
                if self._embedded is None:
                    self._announce(await all_ready(self._client) and not self._broken())
                elif problem := await self._problem():
                    _log.warning("%s; repairing", problem)
                    self._announce(False)
                    dead = self._dead()
                    self._on_death(dead)
                    await self._repair(dead)
                    self._on_death(dead)  # calls that were sent while it was being repaired
                    _log.info("Triton serves again")
                    self._announce(True)
                else:
                    self._announce(True)  # it serves after all, though a repair had given it up
            except Exception:  # noqa: BLE001 - whatever it was (a full disk, a server that will not start): try again
                pause = min(2 * failing, self._config.longest_pause)
                _log.exception("Triton could not be repaired; trying again in %.1f s", pause)

    async def stop(self) -> None:
        """Stops Triton if it is ours."""
        self._announce(False)
        await self._client.close()
        if self._embedded is not None:
            await self._embedded.stop()

    async def _boot(self) -> None:
        """Starts the server, if it is ours, and waits until it serves.

        Once in hundreds of starts Triton's python backend aborts the server over a lock of its own
        (`boost::interprocess::lock_exception`, triton-inference-server/server#8882), and once in thirty on a busy
        machine it never hears that a model has been loaded (#5211, by its look): a start that a signal ends, or nobody,
        is tried again. One that Triton itself ends, for a model that cannot load, is not.
        """
        if self._embedded is None:
            await wait_ready(self._client, self._config.start_timeout)
            return
        for left in reversed(range(self._config.starts)):
            await self._embedded.start()
            try:
                await wait_ready(self._client, self._config.start_timeout, self._embedded.check_alive)
                return
            except StageUnavailable as error:
                if not left or self._embedded.gave_up:
                    raise
                _log.warning("%s; starting it again", error)
                await self._embedded.stop()

    def _dead(self) -> list[str]:
        stubs = self._embedded.stubs() if self._embedded else {}
        return [model.name for model in MODELS if model.name not in stubs]

    async def _problem(self) -> str:
        if self._embedded is None or self._embedded.pid is None:
            return "tritonserver has ended"
        if dead := self._dead():
            return f"the stage {', '.join(dead)} has died"
        self._end_frozen(self._broken(), self._awaited())
        return "" if await answers(self._client, self._config.answer_timeout) else "tritonserver does not answer"

    def _end_frozen(self, broken: Collection[str], awaited: Collection[str]) -> None:
        """Ends the processes of stages that are called dead, or waited for, too long; the next look finds them dead."""
        names = {*broken, *awaited}
        now, stubs = time.monotonic(), self._embedded.stubs() if self._embedded and names else {}
        before, self._suspected = self._suspected, {}
        for name in names & stubs.keys():
            worked, known = work_done(stubs[name]), before.get(name)
            suspect = _Suspect(worked, 0.0, 0.0, now)
            if known is not None:
                # Where looks are far apart we have had no time either: after a pause of the whole machine, say.
                passed = min(now - known.looked, _LONGEST_LOOK)
                idle = known.idle + passed if known.worked == worked else 0.0
                suspect = _Suspect(worked, known.lasted + passed, idle, now)
            self._suspected[name] = suspect
            config, called_dead = self._config, name in broken
            dead = called_dead and (suspect.idle >= config.frozen or suspect.lasted >= config.stuck)
            told = any(worked[2:])  # some systems do not tell a thread's nanoseconds, and ticks are too coarse
            if dead or (told and suspect.idle >= config.silent):
                _log.warning("the stage %s lives and does not answer; ending its process", name)
                with suppress(ProcessLookupError):
                    os.kill(stubs[name], signal.SIGKILL)

    async def _repair(self, dead: list[str]) -> None:
        if self._embedded is None:
            return
        if self._embedded.pid is not None and dead:
            try:
                await within(self._config.reload_timeout, self._reload(dead))
                return
            except (asyncio.TimeoutError, InferenceServerException) as error:
                _log.warning("the stage could not be loaded again (%r); restarting tritonserver", error)
        await self._embedded.stop()
        await self._boot()

    async def _reload(self, models: list[str]) -> None:
        for name in models:
            await self._client.unload_model(name)
            await self._client.load_model(name)
        while not await all_ready(self._client) or self._dead():
            await asyncio.sleep(self._config.poll)

    def _announce(self, serving: bool) -> None:
        if serving != self._serving:
            self._serving = serving
            self._on_change(serving)
