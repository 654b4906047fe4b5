"""What the builder and the engine touch of TensorRT and CUDA exists in the real bindings, oldest and newest.

Data-centre TensorRT's libraries are not on PyPI and need a GPU. Its bindings are there, and need nine C symbols: a
stub has them, and the bindings are imported over it in a process of their own.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Protocol

import pytest
from tests.support import tensorrt_contract as contract
from tests.support.wheels import unpacked

from framecast.engines import cuda, tensorrt_api
from framecast.export.tensorrt import api

PROGRAM = Path(contract.__file__)
SYMBOLS = (
    *("createInferBuilder_INTERNAL", "createInferRefitter_INTERNAL", "createInferRuntime_INTERNAL"),
    *("createNvOnnxParser_INTERNAL", "createNvOnnxParserRefitter_INTERNAL", "getNvOnnxParserVersion"),
    *("getBuilderPluginRegistry", "getPluginRegistry", "initLibNvInferPlugins"),
)
LIBRARIES = ("nvinfer", "nvonnxparser", "nvinfer_plugin")
# 10.4 is the oldest supported; its wheels end with Python 3.12.
OLDEST = "tensorrt_cu12_bindings==10.4.0" if sys.version_info < (3, 13) else "tensorrt_cu13_bindings==10.13.2.6"
BINDINGS = (
    OLDEST,
    "tensorrt_cu13_bindings==10.16.1.11",
    "tensorrt_cu13_bindings==11.0.0.114",
    "tensorrt_cu13_bindings==11.4.0.106",
)


@pytest.fixture(scope="module")
def stub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with TensorRT's three libraries, of both major versions, every function of which returns NULL."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    assert compiler, "this test compiles a stub of TensorRT's libraries: install gcc (Debian: apt-get install gcc)"
    folder = tmp_path_factory.mktemp("stub")
    source = folder / "stub.c"
    source.write_text("".join(f"void *{name}(void) {{ return 0; }}\n" for name in SYMBOLS), encoding="utf-8")
    for major in (10, 11):
        for library in LIBRARIES:
            name = f"lib{library}.so.{major}"
            command = [compiler, "-shared", "-fPIC", f"-Wl,-soname,{name}", "-o", str(folder / name), str(source)]
            subprocess.run(command, check=True, timeout=60)
    return folder


def checked(requirement: str, stub: Path) -> dict[str, Any]:
    """The program's findings over one version."""
    environment = {**os.environ, "PYTHONPATH": str(unpacked(requirement)), "LD_LIBRARY_PATH": str(stub)}
    command = [sys.executable, "-W", "error", str(PROGRAM), "tensorrt_bindings"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    findings: dict[str, Any] = json.loads(done.stdout)
    return findings


@pytest.mark.parametrize("requirement", BINDINGS)
def test_every_name_and_parameter_is_there(requirement: str, stub: Path) -> None:
    findings = checked(requirement, stub)
    assert requirement.endswith(f"=={findings['version']}")
    assert findings["differences"] == []
    assert {"Builder", "IBuilderConfig", "OnnxParser", "ICudaEngine", "IExecutionContext"} <= set(findings["protocols"])
    assert findings["dtypes"] == {
        "FLOAT": "float32",
        "HALF": "float16",
        "INT64": "int64",
        "INT32": "int32",
        "UINT8": "uint8",
        "BOOL": "bool_",
    }
    # The flag's number changed with version 11; it is read from the bindings, never written down.
    assert findings["strongly_typed"] == (2 if findings["version"].startswith("10.") else 1)
    # Loggers and monitors in Python are taken, and an error of TensorRT's is kept for the sentence.
    assert findings["errors"] == ["an error"]
    assert findings["went_on"] is True
    assert findings["build"] == f"TensorRT {findings['version']} cannot start; its log gives no reason."


def test_what_only_some_versions_have_is_known_to_be_optional(stub: Path) -> None:
    old, new = (checked(requirement, stub)["optional"] for requirement in (BINDINGS[0], BINDINGS[-1]))
    assert set(old) == set(api.OPTIONAL)
    assert new["BuilderFlag.DISTRIBUTIVE_INDEPENDENCE"]
    assert new["HardwareCompatibilityLevel.SAME_COMPUTE_CAPABILITY"]
    assert not new["ComputeCapability"]
    if sys.version_info < (3, 13):
        assert not any(old.values())


def test_a_difference_is_found() -> None:
    class Taken:
        def first(self, a: int, b: int = 0) -> None: ...

        def second(self, a: int) -> None: ...

    class Module:
        Wanted = Taken

    class Wanted(Protocol):
        colour: str

        def first(self, a: int) -> None: ...

        def second(self, a: int, b: int) -> None: ...

        def third(self) -> None: ...

    class Nowhere(Protocol): ...

    assert [line.split("(")[0] for line in contract.differences(Module, Wanted)] == [
        "Wanted.colour is missing",
        "Wanted.second",
        "Wanted.third is missing",
    ]
    assert list(contract.differences(Module, Nowhere)) == ["Nowhere is missing"]


@pytest.mark.parametrize(
    ("text", "wanted", "fits"),
    [
        ("f(self: a.B, flags: typing.SupportsInt = 0) -> c.D", ["flags"], True),
        ("f(self: a.B, flags: typing.SupportsInt = 0) -> c.D", [], True),
        ("f(self: a.B, flags: int) -> c.D", [], False),
        ("f(self: a.B, flags: int) -> c.D", ["flag"], False),
        ("f(*args, **kwargs)\nOverloaded function.\n\n1. f(self: a.B, x: tuple[int, int]) -> c.D", ["x"], True),
        ("f(self: a.B, e: a.E = <E.STATIC: 0>) -> c.D", ["e"], True),
        ("no signature here", [], False),
    ],
)
def test_pybind11s_signatures_are_read(text: str, wanted: list[str], fits: bool) -> None:
    class Function:
        __name__ = "f"
        __doc__ = text

    assert any(contract.takes(known, wanted) for known in contract.signatures(Function())) is fits


def test_every_protocol_is_checked() -> None:
    names = {protocol.__name__ for module in (api, tensorrt_api) for protocol in contract.protocols(module)}
    defined = {
        line.split("class ")[1].split("(")[0]
        for module in (api, tensorrt_api)
        for line in Path(module.__file__).read_text(encoding="utf-8").splitlines()
        if line.startswith("class ")
    }
    assert names == defined


@pytest.mark.parametrize("version", ["12.9.10", "13.4.4"])
def test_cuda_has_the_functions_of_the_stream(version: str) -> None:
    program = (
        "import inspect, json; from cuda.bindings import runtime as r; from framecast.engines.cuda import FUNCTIONS;"
        "found = {n: len(inspect.signature(getattr(r, n)).parameters) for n in FUNCTIONS if hasattr(r, n)};"
        "names = [k.name for k in (*r.cudaMemcpyKind, *r.cudaStreamCaptureMode, *r.cudaError_t)];"
        "print(json.dumps([found, names, type(r.cudaStreamSynchronize(0)).__name__]))"
    )
    path = unpacked(f"cuda-bindings=={version}", "cuda-pathfinder==1.8.0")
    command = [sys.executable, "-c", program]
    environment = {**os.environ, "PYTHONPATH": str(path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    found, names, answer = json.loads(done.stdout)
    assert found == dict(cuda.FUNCTIONS)
    assert {"cudaMemcpyHostToDevice", "cudaMemcpyDeviceToHost", "cudaStreamCaptureModeThreadLocal"} <= set(names)
    assert "cudaSuccess" in names
    assert answer == "tuple"
