"""The steps of the containers, run here: with recorders for what is not on this machine, and a real tritonserver."""

import os
import re
import shlex
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest
import tritonclient.grpc as triton
import typer
from tests.system.system import until
from tritonclient.utils import InferenceServerException
from typer.core import TyperCommand

from framecast.client.cli import MOUNTS
from framecast.client.errors import Unavailable
from framecast.client.health import health_of
from framecast.export.cli import command as export
from framecast.gateway.serve import command as serve
from framecast.triton.embedded import backend_folder, environment
from framecast.triton.prerequisites import find_triton

ROOT = Path(__file__).parents[2]
STEPS = ROOT / "docker" / "steps.sh"
Step = Callable[..., "Ran"]


class Ran:
    """What a step did: its exit code, its errors, and the commands it ran."""

    def __init__(self, code: int, errors: str, commands: list[list[str]]) -> None:
        self.code, self.errors, self.commands = code, errors, commands


@pytest.fixture
def step(tmp_path: Path) -> Step:
    """Runs a step with recorders in the place of python3, tritonserver and ldconfig.

    Python knows no numpy and no tensorrt unless `has` names them.
    """
    programs, log = tmp_path / "bin", tmp_path / "log"
    programs.mkdir()

    def program(name: str, body: str) -> None:
        path = programs / name
        path.write_text(f"#!/bin/bash\n{body}\n", encoding="utf-8")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    def run(*words: str, has: dict[str, str] | None = None, ldconfig: str = "", **settings: str) -> Ran:
        known = "\n".join(f'*"import {name}"*) echo "{version}"; exit 0 ;;' for name, version in (has or {}).items())
        program("python3", f'case "$*" in\n{known}\n"-c "*) exit 1 ;;\nesac\nprintf "%q " "$@" >> {log}; echo >> {log}')
        program("tritonserver", f'printf "%q " tritonserver "$@" >> {log}; echo >> {log}')
        program("ldconfig", f"cat <<'E'\n{ldconfig}\nE")
        done = subprocess.run(
            [str(STEPS), *words],
            env={"PATH": f"{programs}:/usr/bin:/bin", **settings},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
        log.unlink(missing_ok=True)
        return Ran(done.returncode, done.stderr, [shlex.split(line) for line in lines])

    return run


def parsed(function: Callable[..., None], arguments: list[str]) -> dict[str, object]:
    """The parameters as the real command reads them; nothing is run."""
    app = typer.Typer()
    app.command()(function)
    found = typer.main.get_command(app)
    assert isinstance(found, TyperCommand)
    return dict(found.make_context("framecast", list(arguments)).params)


def test_install_takes_known_extras_into_the_packages_folder(step: Step) -> None:
    (command,) = step("install", "export,gateway", has={"numpy": "1.26.4"}, FRAMECAST_PACKAGES="/packages").commands
    assert command[:4] == ["-m", "pip", "install", "--no-cache-dir"]
    assert command[4:7] == ["--target", "/packages", "--upgrade"]
    assert command[7:] == [f"{ROOT}[export,gateway]", "torch==2.13.0", "numpy==1.26.4"]
    extras = re.findall(r"^([\w-]+) = \[", (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)
    dockerfile = (ROOT / "docker" / "Dockerfile").read_text(encoding="utf-8")
    installed = {extra for words in re.findall(r"steps\.sh install (\S+)", dockerfile) for extra in words.split(",")}
    assert installed == {"export", "gateway", "otel", "tensorrt"}
    assert installed <= set(extras)
    (pinned,) = re.findall(r"torch==([\d.]+)", STEPS.read_text(encoding="utf-8"))
    assert f"torch=={pinned}" in (ROOT / "Makefile").read_text(encoding="utf-8")


def test_install_without_numpy_or_folder_leaves_both_to_pip(step: Step) -> None:
    ran = step("install", "gateway,otel")
    assert (ran.code, ran.commands) == (0, [["-m", "pip", "install", "--no-cache-dir", f"{ROOT}[gateway,otel]"]])
    assert step("install").code != 0


def test_bindings_are_those_of_the_tensorrt_in_the_image(step: Step, tmp_path: Path) -> None:
    library = tmp_path / "lib" / "libnvinfer.so.11.4.0"
    library.parent.mkdir()
    library.touch()
    (library.parent / "libnvinfer.so.11").symlink_to(library.name)
    listing = "\tlibnvinfer_plugin.so.11 (libc6,x86-64) => /no/libnvinfer_plugin.so.11\n"
    listing += f"\tlibnvinfer.so.11 (libc6,x86-64) => {library.parent}/libnvinfer.so.11"
    packages = tmp_path / "packages"
    packages.mkdir()
    (command,) = step("tensorrt", ldconfig=listing, CUDA_VERSION="13.4.0", FRAMECAST_PACKAGES=str(packages)).commands
    assert command[-1] == "tensorrt_cu13_bindings==11.4.0.*"
    assert "tensorrt_bindings" in (packages / "tensorrt.py").read_text(encoding="utf-8")
    assert step("tensorrt", has={"tensorrt": ""}).commands == []
    without = step("tensorrt")
    assert (without.code, without.commands) == (1, [])
    assert "no TensorRT (libnvinfer.so)" in without.errors


def test_export_is_a_command_that_framecast_has(step: Step) -> None:
    (command,) = step("export", FRAMECAST_ENGINE="tensorrt", FRAMECAST_PRECISION="fp16").commands
    assert command[:3] == ["-m", "framecast.client", "export"]
    assert "export" in MOUNTS
    options = parsed(export, command[3:])
    assert (options["engine"], options["precision"]) == ("tensorrt", "fp16")
    assert options["native"] is False
    assert "--native" in step("export", FRAMECAST_FLAVOUR="tensorrt").commands[0]
    assert (options["bundle"], options["output"]) == (ROOT / "bundles" / "storybook", Path("build/served"))


@pytest.mark.parametrize("word", ["gateway", "serve"])
def test_serving_is_a_command_that_framecast_has(step: Step, word: str) -> None:
    (command,) = step(word, TRITON_ADDRESS="triton:8001", FRAMECAST_LISTEN="0.0.0.0:50051").commands
    assert command[:3] == ["-m", "framecast.client", "serve"]
    options = parsed(serve, command[3:])
    assert options["address"] == "0.0.0.0:50051"
    assert options["metrics_address"] == "127.0.0.1:9464"  # loopback unless the container says otherwise
    assert options["triton_address"] == ("triton:8001" if word == "gateway" else None)


def test_triton_traces_and_takes_a_flavour_only_when_told(step: Step) -> None:
    (plain,) = step("triton").commands
    assert not [word for word in plain if word.startswith(("--trace-config", "--model-config-name"))]
    (told,) = step("triton", FRAMECAST_FLAVOUR="tensorrt", OTEL_EXPORTER_OTLP_ENDPOINT="http://jaeger:4318/").commands
    assert "--model-config-name=tensorrt" in told
    assert "--trace-config=opentelemetry,url=http://jaeger:4318/v1/traces" in told


def test_what_follows_a_word_goes_to_its_command(step: Step) -> None:
    (command,) = step("gateway", "--grace", "60", "--tls-certificate", "a.pem", "--tls-key", "b.pem").commands
    options = parsed(serve, command[3:])
    assert (options["grace"], options["tls_certificate"], options["tls_key"]) == (60, Path("a.pem"), Path("b.pem"))
    (told,) = step("triton", "--log-verbose=1").commands
    assert told[-1] == "--log-verbose=1"
    assert step("health", "--tls").commands[0][-1] == "--tls"


def test_an_unknown_word_shows_the_steps(step: Step) -> None:
    ran = step("dance")
    assert ran.code == 2
    assert "steps.sh gateway" in ran.errors


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def real_triton(folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], str, int]]:
    """`steps.sh triton` with the wheel's tritonserver on the models in `folder`, or none, once it serves.

    Yields its process, gRPC address and metrics port.
    """
    files = find_triton()
    told_by = environment(files, folder)
    wrapper = folder / "tritonserver"
    told = {name: value for name, value in told_by.items() if os.environ.get(name) != value}
    assignments = " ".join(f"{name}={shlex.quote(value)}" for name, value in told.items())
    backends = f"--backend-directory={backend_folder(files, folder)}"
    wrapper.write_text(f'#!/bin/bash\nexport {assignments}\nexec {files.server} {backends} "$@"\n', encoding="utf-8")
    wrapper.chmod(0o755)
    (folder / "models").mkdir(exist_ok=True)
    port, metrics = free_port(), free_port()
    settings = {
        "PATH": f"{folder}:/usr/bin:/bin",
        "FRAMECAST_REPOSITORY": str(folder / "models"),
        "TRITON_PORT": str(port),
        "TRITON_METRICS_PORT": str(metrics),
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9",
    }
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([str(STEPS), "triton"], env=settings, stdout=log, stderr=log)

    def serving() -> bool:
        assert process.poll() is None, (folder / "log").read_text(encoding="utf-8")
        try:
            return health_of(f"127.0.0.1:{port}") == "SERVING"
        except Unavailable:
            return False

    try:
        until(serving, "Triton's health")
        yield process, f"127.0.0.1:{port}", metrics
    finally:
        with suppress(psutil.NoSuchProcess):
            for left in psutil.Process(process.pid).children(recursive=True):
                left.kill()
        process.kill()
        process.wait()


ECHO = """
class TritonPythonModel:
    def execute(self, requests):
        return []
"""
CONFIG = """name: "echo" backend: "python" max_batch_size: 0
input [ { name: "x" data_type: TYPE_FP32 dims: [ 1 ] } ] output [ { name: "y" data_type: TYPE_FP32 dims: [ 1 ] } ]
instance_group [ { kind: KIND_CPU } ]
"""


def test_triton_ends_with_a_stage_that_dies(tmp_path: Path) -> None:
    """It would call itself ready, and nobody would start the stage again."""
    model = tmp_path / "models" / "echo" / "1"
    model.mkdir(parents=True)
    (model / "model.py").write_text(ECHO, encoding="utf-8")
    (model.parent / "config.pbtxt").write_text(CONFIG, encoding="utf-8")
    with real_triton(tmp_path) as (process, _, _):
        server, *_ = [p for p in psutil.Process(process.pid).children() if p.name() == "tritonserver"]
        (stage,) = [p for p in server.children() if p.name().startswith("triton_python")]
        assert list(Path("/dev/shm").glob(f"steps-triton-{process.pid}-*"))
        stage.kill()
        assert process.wait(30) == 128 + signal.SIGKILL
        assert not server.is_running()
        assert not list(Path("/dev/shm").glob(f"steps-triton-{process.pid}-*"))
        assert "a stage has died" in (tmp_path / "log").read_text(encoding="utf-8")


def test_a_real_triton_takes_the_options_and_hides_what_nobody_needs(tmp_path: Path) -> None:
    with real_triton(tmp_path) as (process, address, _):
        environment = {**os.environ, "FRAMECAST_ADDRESS": address}
        environment["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        probe = subprocess.run(
            [str(STEPS), "health"], env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert (probe.returncode, probe.stdout) == (0, f"{address} is SERVING\n"), probe.stderr

        with triton.InferenceServerClient(address) as client:
            assert client.is_server_ready()
            assert client.get_server_metadata().version
            for forbidden in (
                lambda: client.load_model("x"),
                lambda: client.get_model_repository_index(),
                lambda: client.register_system_shared_memory("x", "/x", 1),
                lambda: client.update_trace_settings(settings={"trace_level": ["TENSORS"]}),
                lambda: client.update_log_settings({"log_verbose_level": 1}),
            ):
                with pytest.raises(InferenceServerException, match="restricted"):
                    forbidden()
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
