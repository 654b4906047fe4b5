"""The tritonserver of the `nvidia-pytriton` wheel, run as a child process that nobody else reaches.

Whoever reaches its gRPC may load a model, which is code: it listens on a socket in a folder of its user's, and on no
port. HTTP inference is off; metrics are on 127.0.0.1. Production uses a Triton container and `--triton-address`.
"""

import asyncio
import os
import re
import secrets
import shutil
import signal
import socket
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from framecast.errors import StageUnavailable
from framecast.triton.leftovers import Scratch, sweep
from framecast.triton.prerequisites import REGION, TritonFiles, check_shared_memory, find_triton
from framecast.within import within

HOST = "127.0.0.1"
_PORT = 1
_LONGEST_SOCKET = 107  # bytes of a path in sockaddr_un
_PLAIN = re.compile(r"[\w./+,:@%=~-]+", re.ASCII)  # of a path that a shell takes as it is


@dataclass(frozen=True)
class EmbeddedConfig:
    """How the embedded server is run.

    Attributes:
        repository: the served repository.
        stop_timeout: seconds that a clean shutdown may take before it is killed.
        log: file for Triton's own log; None keeps it with the server's temporary files.
        traces: OTLP/HTTP URL for Triton's spans; only requests that carry trace context have any. None makes none.
        mark: image that every picture shows.
    """

    repository: Path
    stop_timeout: float = 10.0
    log: Path | None = None
    traces: str | None = None
    mark: Path | None = None


class EmbeddedTriton:
    """One tritonserver process. `start` may be called again after `stop`.

    Raises:
        InvalidRepository: something that it needs is not installed.
        StageUnavailable: it cannot run in this TMPDIR.
    """

    def __init__(self, config: EmbeddedConfig) -> None:
        self._config = config
        self._files = find_triton()
        self._process: asyncio.subprocess.Process | None = None
        self._scratch = Scratch(secrets.token_hex(4))
        self._folder = self._scratch.folder
        self._log_start = 0  # where this run's part of the log begins
        self._socket = f"unix:{self._folder}/grpc"  # Triton adds the port, a number, to it
        _check_temporary(self.address)
        self.metrics_port = _free_port()

    @property
    def address(self) -> str:
        """Of Triton's gRPC, for a gRPC client; the same after a restart."""
        return f"{self._socket}:{_PORT}"

    @property
    def metrics_url(self) -> str:
        """Triton's Prometheus page."""
        return f"http://{HOST}:{self.metrics_port}/metrics"

    @property
    def pid(self) -> int | None:
        """Of the running server."""
        return self._process.pid if self._process and self._process.returncode is None else None

    @property
    def _log(self) -> Path:
        return self._config.log or self._folder / "triton.log"

    async def start(self) -> None:
        """Starts the process; it is not ready yet (see `framecast.triton.readiness`).

        Raises:
            StageUnavailable: this machine has no room for it; the sentence says of what.
        """
        sweep()
        self.metrics_port = _free_port(self.metrics_port)
        stages = _models(self._config.repository, 'backend: "python"')
        check_shared_memory(len(stages))
        ensembles = _models(self._config.repository, 'platform: "ensemble"')
        self._scratch.make()
        backends = backend_folder(self._files, self._folder)
        repository = self._folder / "repository"  # Triton starts stubs by a shell that reads their paths: spaces, $
        repository.symlink_to(self._config.repository.absolute())
        log = self._log.open("ab")
        self._log_start = log.tell()
        with log:
            self._process = await asyncio.create_subprocess_exec(
                *(str(self._files.setpriv), "--pdeathsig", "KILL", "--"),  # dies with the gateway, however that dies
                *(str(self._files.server), f"--model-repository={repository}"),
                *(f"--backend-directory={backends}", "--model-control-mode=explicit"),
                *(f"--load-model={name}" for name in (*stages, *ensembles)),
                "--disable-auto-complete-config",  # the configs are complete; it would start every stub twice
                *("--allow-http=false", f"--grpc-address={self._socket}", f"--grpc-port={_PORT}"),
                *(f"--metrics-address={HOST}", f"--metrics-port={self.metrics_port}"),
                *(f"--backend-config=python,shm-region-prefix-name={self._scratch.prefix}",),
                *(f"--backend-config=python,shm-default-byte-size={REGION}",),
                "--exit-timeout-secs=5",
                *_tracing(self._config.traces),
                env=environment(self._files, self._folder, self._config.mark),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C reaches the gateway alone, which then stops Triton in order
            )

    async def stop(self) -> None:
        """Stops it and its stubs, and removes temporary files and shared memory."""
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                await within(self._config.stop_timeout, self._process.wait())
            except asyncio.TimeoutError:
                self.kill()
                await self._process.wait()
        self.kill()  # stubs that outlived the server
        self._process = None
        self._scratch.remove()

    def kill(self) -> None:
        """SIGKILL to the whole process group."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def check_alive(self) -> None:
        """Raises StageUnavailable, with the end of the log, when the process has ended."""
        if self._process is None or self._process.returncode is not None:
            code = self._process.returncode if self._process else None
            raise StageUnavailable(f"tritonserver ended (exit code {code}): {self.log_tail()}")

    @property
    def gave_up(self) -> bool:
        """Whether the process has ended by its own decision, and not by a signal, SIGABRT say."""
        code = None if self._process is None else self._process.returncode
        return code is not None and code >= 0

    def log_tail(self) -> str:
        """The last errors in Triton's log, or its last lines when there are none."""
        if not self._log.is_file():
            return ""
        text = self._log.read_bytes()[self._log_start :].decode("utf-8", "replace")
        text = text.replace(str(self._folder / "repository"), str(self._config.repository))  # as it is known outside
        log = [line for line in text.splitlines() if line.strip()]
        errors = [line for line in log if line.startswith(("E", "error")) or (".cc:" not in line and "Error" in line)]
        return "\n".join((errors or log)[-5:])

    def stubs(self) -> dict[str, int]:
        """Model name → pid of its python stub."""
        found: dict[str, int] = {}
        if self.pid is None:
            return found
        with suppress(OSError):
            children: list[str] = []
            for thread in Path(f"/proc/{self.pid}/task").iterdir():  # a child belongs to the thread that forked it
                with suppress(OSError):
                    children += (thread / "children").read_text(encoding="ascii").split()
            for child in set(children):
                with suppress(OSError):
                    words = Path(f"/proc/{child}/cmdline").read_bytes().decode("utf-8", "replace").split("\0")
                    if words[0].endswith("triton_python_backend_stub"):
                        found[Path(words[1]).parent.parent.name] = int(child)
        return found


def _tracing(url: str | None) -> list[str]:
    """Rate 0 leaves out what the gateway does not trace; a request with trace context is traced at any rate."""
    settings = ("mode=opentelemetry", "level=TIMESTAMPS", "rate=0", "count=-1")
    own = (f"opentelemetry,url={url}", "opentelemetry,resource=service.name=framecast-triton")
    return [f"--trace-config={setting}" for setting in (*settings, *own)] if url else []


def _check_temporary(address: str) -> None:
    """Raises StageUnavailable where no socket can be, or where a shell would misread the path of a stub."""
    folder = tempfile.gettempdir()
    if len(os.fsencode(address.removeprefix("unix:"))) > _LONGEST_SOCKET:
        raise StageUnavailable(f"TMPDIR: {folder} is too long for a socket; name a folder of 60 characters at most.")
    if not _PLAIN.fullmatch(folder):
        raise StageUnavailable(
            f"TMPDIR: {folder!a} has other characters than plain letters, digits and ./_-; name another folder."
        )


def _free_port(wanted: int = 0) -> int:
    """`wanted`, or another port when somebody has taken it."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, wanted))
        except OSError:
            return _free_port()
        return int(probe.getsockname()[1])


def _models(repository: Path, kind: str) -> list[str]:
    """Those of a kind that the wheel has a backend for: those of the container's flavours stay out."""
    configs = sorted(repository.glob("*/config.pbtxt"))
    return [path.parent.name for path in configs if kind in path.read_text(encoding="utf-8")]


def backend_folder(files: TritonFiles, folder: Path) -> Path:
    """The wheel keeps the stub apart from the backend; Triton wants them in one folder."""
    backend = folder / "backends" / "python"
    shutil.copytree(files.backend, backend)
    shutil.copy2(files.stub, backend / files.stub.name)
    return backend.parent


def _interpreter(folder: Path) -> Path:
    """A virtual environment without packages but with a path to ours; returns its folder of programs.

    A stub is an isolated Python: it reads neither PYTHONPATH nor the user's own packages, and finds what belongs to the
    ``python3`` that comes first in PATH.
    """
    home, version = folder / "python", f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = home / "lib" / version / "site-packages"
    packages.mkdir(parents=True)
    search = [str(Path(entry).absolute()) for entry in sys.path if entry and not entry.endswith(".zip")]
    (packages / "framecast.pth").write_text("\n".join(search) + "\n", encoding="utf-8")
    base = Path(getattr(sys, "_base_executable", sys.executable))
    (home / "pyvenv.cfg").write_text(f"home = {base.parent}\n", encoding="utf-8")
    (home / "bin").mkdir()
    (home / "bin" / "python3").symlink_to(base)
    return home / "bin"


def environment(files: TritonFiles, folder: Path, mark: Path | None = None) -> dict[str, str]:
    """Triton and its stubs use this interpreter's packages, by way of `folder`, and none of our Python variables."""
    return {
        **os.environ,
        **({"FRAMECAST_MARK": str(mark.resolve())} if mark else {}),
        "LD_LIBRARY_PATH": ":".join(str(folder) for folder in files.libraries),
        "PATH": f"{_interpreter(folder)}:{os.environ.get('PATH', '')}",
        "PYTHONHOME": "",
        "OMP_NUM_THREADS": "1",
        "ORT_DISABLE_TELEMETRY": os.environ.get("ORT_DISABLE_TELEMETRY", "1"),  # its makers are not told of our users
    }
