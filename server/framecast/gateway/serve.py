"""`framecast serve`: Triton, supervisor, director and gateway in one process tree."""

import asyncio
import errno
import logging
import os
import resource
import shlex
import shutil
import signal
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer

from framecast.client.channel import sendable
from framecast.client.proxy import is_loopback
from framecast.client.report import fail, one_sentence_errors
from framecast.client.tracing import traces_endpoint
from framecast.director.director import Director
from framecast.engines.manifest import Manifest
from framecast.errors import FramecastError
from framecast.gateway.address import gateway_address, require_free, require_pair
from framecast.gateway.config import GatewayConfig
from framecast.gateway.logs import LogFormat, LogLevel, write_log
from framecast.gateway.observers import Observers
from framecast.gateway.page import parsed_address
from framecast.gateway.server import Gateway, start_gateway
from framecast.media.mark import Mark
from framecast.review.policy import Policy
from framecast.stages.observed import ObservedStages
from framecast.stages.triton import TritonStages
from framecast.triton.embedded import EmbeddedConfig, EmbeddedTriton
from framecast.triton.served_model import read_served_model
from framecast.triton.supervisor import Supervisor
from framecast.within import cancelled

_log = logging.getLogger(__name__)
_DEFAULTS = GatewayConfig  # the class: an instance would read the policy as this module is imported
_REPOSITORY = Path("build/served")


@dataclass(frozen=True)
class ServeConfig:
    """What is served, and how.

    Attributes:
        repository: the served repository of the embedded server.
        triton_address: of a Triton that runs already; None starts the embedded one.
        triton_log: file for the embedded server's log.
        gateway: see `GatewayConfig`.
        command: run once the gateway serves, with its address in FRAMECAST_ADDRESS and the words that serve it, for
            its records, in FRAMECAST_SERVING; its end stops everything.
        mark: image that every picture shows, of the embedded server.
    """

    repository: Path
    triton_address: str | None = None
    triton_log: Path | None = None
    gateway: GatewayConfig = field(default_factory=GatewayConfig)
    command: tuple[str, ...] = ()
    mark: Path | None = None


def allow_connections() -> None:
    """As many open files as the process may have, up to 65,536: many shells begin with 1,024.

    So many idle connections would shut all callers out, and keep a stage from being repaired.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2**16 if hard == resource.RLIM_INFINITY else min(hard, 2**16)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


async def serve(config: ServeConfig) -> int:
    """Serves until SIGTERM, SIGINT or SIGHUP, or until `config.command` has ended; returns the exit code.

    The first signal drains: health flips, accepted videos finish within the grace. The second one aborts.

    Raises:
        FramecastError, OSError: it cannot start.
    """
    require_free(config.gateway.address)  # before Triton takes its seconds
    if config.command and shutil.which(config.command[0]) is None:
        raise FileNotFoundError(errno.ENOENT, "no such command", config.command[0])
    allow_connections()
    async with AsyncExitStack() as stack:
        signals = _signals(stack)
        observers = stack.enter_context(Observers.opened(config.gateway.metrics_address))
        gateway: Gateway | None = None

        def on_change(serving: bool) -> None:
            if gateway is not None:
                gateway.set_serving(serving)

        # 1. Triton, ours or somebody else's.
        embedded = None
        if config.triton_address is None:
            manifest = Manifest.load(config.repository)
            manifest.require_machine()
            await asyncio.to_thread(manifest.verify, config.repository)  # reads every file: signals are heard meanwhile
            embedded = EmbeddedTriton(
                EmbeddedConfig(
                    config.repository.resolve(), log=config.triton_log, traces=traces_endpoint(), mark=config.mark
                )
            )
        address = embedded.address if embedded else str(config.triton_address)
        if embedded is None:
            typer.echo(f"waiting for Triton at {address}", err=True)
        stages = TritonStages(address, observers.headers)
        stack.push_async_callback(stages.close)
        supervisor = Supervisor(address, on_change, stages.interrupt, stages.broken, stages.awaited, embedded)
        stack.push_async_callback(supervisor.stop)
        await _unless(signals, supervisor.start())
        # 2. Director and gateway.
        model = await read_served_model(supervisor.client)
        director = Director(ObservedStages(stages, observers.stages), model)
        gateway = await start_gateway(config.gateway, director, model, observers.metrics, observers.spans)
        stack.push_async_callback(gateway.stop)
        watch = asyncio.create_task(supervisor.watch())
        stack.push_async_callback(cancelled, watch)
        host = config.gateway.address.rpartition(":")[0]
        typer.echo(f"serving {model.bundle} on {host}:{gateway.port}", err=True)
        if not (config.gateway.tokens or is_loopback(host)):
            typer.echo(f"no tokens: everybody who reaches {host} is let in", err=True)
        if model.safety_checker and config.gateway.review:
            typer.echo("its safety checker looks at two pictures of every second", err=True)
        if observers.url:
            typer.echo(f"metrics on {observers.url}", err=True)
        if embedded and not config.command:
            typer.echo(f"Triton on {address}, its metrics on {embedded.metrics_url}", err=True)
        # 3. Until told to stop.
        code = await _until_done(config.command, f"{host}:{gateway.port}", signals)
        abort = asyncio.create_task(signals.get())
        drain = asyncio.create_task(gateway.drain(0 if config.command else None))
        await asyncio.wait({abort, drain}, return_when=asyncio.FIRST_COMPLETED)
        if not drain.done():
            _log.warning("second signal: aborting")
            await gateway.stop()
        abort.cancel()
        await drain
    return code


def _signals(stack: AsyncExitStack) -> asyncio.Queue[int]:
    """A queue of the signals to stop that arrive from now on; a closed terminal's is one."""
    loop, queue = asyncio.get_running_loop(), asyncio.Queue[int]()
    wanted = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
    for number in (each for each in wanted if signal.getsignal(each) is not signal.SIG_IGN):  # nohup's stay ignored
        loop.add_signal_handler(number, queue.put_nowait, number)
        stack.callback(loop.remove_signal_handler, number)
    return queue


async def _unless(signals: asyncio.Queue[int], work: object) -> None:
    """Awaits `work`, given up at the first signal."""
    task, stop = asyncio.ensure_future(work), asyncio.create_task(signals.get())  # type: ignore[call-overload]
    await asyncio.wait({task, stop}, return_when=asyncio.FIRST_COMPLETED)
    stop.cancel()
    if not task.done():
        await cancelled(task)
        raise KeyboardInterrupt
    task.result()


async def _until_done(command: Sequence[str], address: str, signals: asyncio.Queue[int]) -> int:
    """Waits for the command's end, or for a signal when there is none."""
    if not command:
        await signals.get()
        return 0
    told = {"FRAMECAST_ADDRESS": address}
    if "--" in sys.argv:
        own = sys.argv[1 : sys.argv.index("--") + 1]
        told["FRAMECAST_SERVING"] = shlex.join(["framecast", *own])
    process = await asyncio.create_subprocess_exec(*command, env={**os.environ, **told})
    ended = asyncio.create_task(process.wait())
    for end in (process.terminate, process.kill):  # the first signal asks it to stop, the second makes it
        stop = asyncio.create_task(signals.get())
        await asyncio.wait({ended, stop}, return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        if ended.done():
            break
        with suppress(ProcessLookupError):
            end()
    code = await ended
    return code if code >= 0 else 128 - code  # as a shell says that a signal ended it


def command(
    arguments: Annotated[
        list[str] | None, typer.Argument(help="A command to run once serving; its end stops the server.")
    ] = None,
    repository: Annotated[Path, typer.Option(help="Served repository, from `framecast export`.")] = _REPOSITORY,
    address: Annotated[
        str, typer.Option(help="host:port of the gateway; port 0 takes a free one.")
    ] = _DEFAULTS.address,
    triton_address: Annotated[
        str | None, typer.Option(help="host:port of a running Triton; the embedded one otherwise.")
    ] = None,
    triton_log: Annotated[Path | None, typer.Option(help="File for the embedded Triton's log.")] = None,
    token: Annotated[
        list[str] | None, typer.Option(envvar="FRAMECAST_TOKENS", help="Accepted bearer token; repeatable.")
    ] = None,
    tls_certificate: Annotated[Path | None, typer.Option(help="PEM file.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="PEM file.")] = None,
    metrics_address: Annotated[
        str | None, typer.Option(help="host:port of the Prometheus page, or a port of loopback; without it, none.")
    ] = _DEFAULTS.metrics_address,
    max_live_videos: Annotated[int, typer.Option(min=1, help="Videos made at once.")] = _DEFAULTS.max_live_videos,
    max_queued_videos: Annotated[int, typer.Option(min=0, help="Videos that may wait.")] = _DEFAULTS.max_queued_videos,
    review: Annotated[bool, typer.Option(help="Review what is asked for before it is filmed.")] = True,
    review_policy: Annotated[
        Path | None, typer.Option(help="JSON file of what is not filmed; the built-in policy otherwise.")
    ] = None,
    mark: Annotated[
        Path | None,
        typer.Option(help="Image, as a PNG, that every picture of the embedded Triton's shows at its lower right."),
    ] = None,
    grace: Annotated[
        float, typer.Option(min=0, help="Seconds that accepted videos get to finish on SIGTERM.")
    ] = _DEFAULTS.grace_seconds,
    idle: Annotated[
        float, typer.Option(min=0.1, help="Seconds that a caller's next scene is waited for once there is room for it.")
    ] = _DEFAULTS.idle_seconds,
    log_format: Annotated[
        LogFormat, typer.Option(envvar="FRAMECAST_LOG_FORMAT", help="Entries for people, or JSON; a line each.")
    ] = LogFormat.TEXT,
    log_level: Annotated[
        LogLevel, typer.Option(envvar="FRAMECAST_LOG_LEVEL", help="The least that is written.")
    ] = LogLevel.INFO,
) -> None:
    """Serve a repository over gRPC; starts the embedded Triton unless --triton-address names another."""
    write_log(log_format, log_level)
    if (tls_certificate is None) != (tls_key is None):
        raise typer.BadParameter("--tls-certificate and --tls-key go together")
    try:
        gateway_address(address)
        if metrics_address is not None:
            parsed_address(metrics_address)
        if tls_certificate is not None and tls_key is not None:
            require_pair(tls_certificate, tls_key)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    if not all(token or ()):
        raise typer.BadParameter("--token is empty, and would let everybody in; leave it out to do that")
    if not all(map(sendable, token or ())):
        raise typer.BadParameter("--token has characters that no caller can send, as a line's end")
    try:
        policy = Policy.load(review_policy) if review else None
        if mark is not None:
            if triton_address is not None:
                raise typer.BadParameter("--mark is drawn in Triton: set FRAMECAST_MARK in the environment of that one")
            Mark(mark)
            if repository.is_dir() and not (repository / "frame_encoder" / "1" / "settings.json").exists():
                raise typer.BadParameter(f"--mark: {repository} is from before there were marks; export it again")
    except FramecastError as error:
        fail(str(error), 2)
    gateway = GatewayConfig(
        address=address,
        tokens=frozenset(token or ()),
        tls_certificate=tls_certificate,
        tls_key=tls_key,
        metrics_address=metrics_address,
        max_live_videos=max_live_videos,
        max_queued_videos=max_queued_videos,
        review=policy,
        grace_seconds=grace,
        idle_seconds=idle,
    )
    config = ServeConfig(repository, triton_address, triton_log, gateway, tuple(arguments or ()), mark)
    with one_sentence_errors():
        try:
            code = asyncio.run(serve(config))
        except FramecastError as error:
            fail(str(error), 1)
    sys.exit(code)
