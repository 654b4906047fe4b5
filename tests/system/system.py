"""`framecast serve` as a child process, seen from outside."""

import contextlib
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import psutil
import tritonclient.grpc as triton
from tritonclient.utils import triton_to_np_dtype

START_SECONDS = 90.0


class System:
    """A running `framecast serve`.

    Attributes:
        address: of the gateway.
        log: lines it has printed.
    """

    def __init__(
        self, repository: Path, triton_log: Path, *arguments: str, environment: Mapping[str, str] | None = None
    ) -> None:
        self.triton_log = triton_log
        self.log: list[str] = []
        self._addresses: queue.Queue[str | None] = queue.Queue()
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "framecast.client", "serve", "--repository", str(repository)),
                *("--address", "127.0.0.1:0", "--triton-log", str(triton_log), *arguments),
            ],
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "GRPC_VERBOSITY": "ERROR", **(environment or {})},
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        try:
            address = self._addresses.get(timeout=START_SECONDS)
        except queue.Empty:
            address = None
        if address is None:
            self.process.kill()
            raise AssertionError("framecast serve did not come up:\n" + "".join(self.log))
        self.address = address

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.log.append(line)
            if match := re.match(r"serving .+ on (\S+)$", line):
                self._addresses.put(match[1])
        self._addresses.put(None)  # it has ended

    @property
    def triton(self) -> psutil.Process:
        """The tritonserver process."""
        children = psutil.Process(self.process.pid).children()
        return next(child for child in children if child.name() == "tritonserver")

    def triton_option(self, name: str) -> str:
        """An option of tritonserver's command line."""
        return next(word.partition("=")[2] for word in self.triton.cmdline() if word.startswith(f"--{name}="))

    @property
    def triton_address(self) -> str:
        """Of Triton's gRPC, a socket."""
        return f"{self.triton_option('grpc-address')}:{self.triton_option('grpc-port')}"

    def stub(self, model: str) -> psutil.Process:
        """The stub process of a model."""
        alive = [p for p in self.triton.children() if p.status() != psutil.STATUS_ZOMBIE]
        return next(p for p in alive if f"/{model}/" in " ".join(p.cmdline()))

    @property
    def metrics_url(self) -> str:
        """The gateway's metrics page, where it was asked for."""
        return next(line.split()[-1] for line in self.log if line.startswith("metrics on "))

    @property
    def triton_metrics_url(self) -> str:
        """Triton's metrics page."""
        return f"http://127.0.0.1:{self.triton_option('metrics-port')}/metrics"

    def metrics(self) -> dict[str, float]:
        """Triton's metrics, name with labels → value."""
        with urllib.request.urlopen(self.triton_metrics_url, timeout=10) as page:
            lines = page.read().decode().splitlines()
        return {
            name: float(value) for name, _, value in (x.rpartition(" ") for x in lines if x and not x.startswith("#"))
        }

    def metric(self, name: str) -> float:
        """One metric, summed over its labels."""
        return sum(value for key, value in self.metrics().items() if key.partition("{")[0] == name)

    def stop(self, timeout: float = 60.0) -> int:
        """SIGTERM; returns the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout)

    def close(self) -> None:
        """Stops it if it still runs, and lets go of its pipe."""
        try:
            if self.process.poll() is None:
                self.stop()
        finally:
            self.process.kill()
            self.process.wait()
            self._reader.join(timeout=5)
            if self.process.stderr is not None:
                self.process.stderr.close()


@contextlib.contextmanager
def running(
    repository: Path, triton_log: Path, *arguments: str, environment: Mapping[str, str] | None = None
) -> Iterator[System]:
    """A system for the length of a `with` block."""
    system = System(repository, triton_log, *arguments, environment=environment)
    try:
        yield system
    finally:
        system.close()


def until(condition: Callable[[], bool], what: str, seconds: float = 30.0) -> None:
    """Polls until `condition()`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.02)


def ensemble_inputs(prompt: str, *, seed: int = 0, steps: int, codec: str = "png") -> list[triton.InferInput]:
    """What `text_to_video` takes for one second of the tiny bundle's pictures."""
    values: dict[str, tuple[str, list[object]]] = {
        "PROMPT": ("BYTES", [prompt.encode()]),
        "NEGATIVE_PROMPT": ("BYTES", [b""]),
        "SEED": ("INT64", [seed]),
        "STEPS": ("INT32", [steps]),
        "GUIDANCE": ("FP32", [3.0]),
        "SIZE": ("INT32", [32, 32]),
        "LATENT_COUNT": ("INT32", [4]),
        "FRAMES": ("INT32", [8]),
        "FPS": ("INT32", [8]),
        "CODEC": ("BYTES", [codec.encode()]),
    }
    inputs = []
    for name, (kind, value) in values.items():
        inputs.append(triton.InferInput(name, [len(value)], kind))
        inputs[-1].set_data_from_numpy(np.array(value, triton_to_np_dtype(kind)))
    return inputs
