"""Looks up in real TensorRT bindings everything that Framecast's protocols say they have.

Run as a program in a process of its own, with the bindings' native libraries replaced by a stub: prints one JSON
object. `python tests/support/tensorrt_contract.py MODULE` imports MODULE as TensorRT.
"""

import importlib
import inspect
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol
from unittest.mock import patch

from framecast.engines import tensorrt_api as runtime_api
from framecast.export.tensorrt import api as builder_api

MODULES = ("BuilderBindings", "RuntimeBindings")  # protocols of the module itself
NESTED = {"Severity": "ILogger.Severity"}  # protocols of a class inside another


def protocols(module: ModuleType) -> list[type]:
    """The protocols that a module defines."""
    own = (value for value in vars(module).values() if inspect.isclass(value) and value.__module__ == module.__name__)
    return [value for value in own if Protocol in value.__mro__]


def differences(bindings: Any, protocol: type) -> Iterator[str]:
    """What `protocol` promises and `bindings` has not, one line each."""
    where = NESTED.get(protocol.__name__, protocol.__name__)
    found = bindings
    for part in () if protocol.__name__ in MODULES else where.split("."):
        found = getattr(found, part, None)
        if found is None:
            yield f"{where} is missing"
            return
    for name in protocol.__annotations__:
        if not hasattr(found, name):
            yield f"{where}.{name} is missing"
    for name, method in vars(protocol).items():
        if not inspect.isfunction(method) or method.__module__ == "typing" or name in ("__subclasshook__",):
            continue
        actual = getattr(found, name, None)
        if actual is None:
            yield f"{where}.{name} is missing"
            continue
        wanted = [parameter for parameter in inspect.signature(method).parameters if parameter != "self"]
        known = signatures(actual)
        if not any(takes(parameters, wanted) for parameters in known):
            yield f"{where}.{name}({', '.join(wanted)}) does not fit {known}"


def signatures(function: Any) -> list[list[tuple[str, bool]]]:
    """Each overload's parameters without `self`, and whether each has a default; pybind11 writes them in its help."""
    try:
        plain = inspect.signature(function).parameters.values()
        return [[(p.name, p.default is not p.empty) for p in plain if p.name != "self"]]
    except (TypeError, ValueError):
        text = function.__doc__ or ""
    found = []
    for line in re.findall(rf"^(?:\d+\. )?{re.escape(function.__name__)}\((.*)\) -> ", text, re.MULTILINE):
        words = [word for word in _split(line) if not word.startswith(("self", "*"))]
        found.append([(word.partition(":")[0].strip(), "=" in _without_brackets(word)) for word in words])
    return found


def takes(parameters: list[tuple[str, bool]], wanted: list[str]) -> bool:
    """True when a call with `wanted`, in this order, is a call of these parameters."""
    names = [name for name, _ in parameters]
    return names[: len(wanted)] == wanted and all(default for _, default in parameters[len(wanted) :])


def _split(line: str) -> list[str]:
    """At commas outside brackets."""
    words, depth = [""], 0
    for letter in line:
        depth += (letter in "[(<") - (letter in "])>")
        if letter == "," and depth == 0:
            words.append("")
        else:
            words[-1] += letter
    return [word.strip() for word in words if word.strip()]


def _without_brackets(word: str) -> str:
    return re.sub(r"[\[(<].*?[\])>]", "", word)


def build_attempt(bindings: Any) -> str:
    """The builder's own code over the stub, as far as it comes: TensorRT cannot make a builder there."""
    from framecast.engines.gpus import Gpu
    from framecast.engines.tensorrt_flavour import TENSORRT, Flavour
    from framecast.export.tensorrt import build
    from framecast.export.tensorrt.errors import EngineBuildError
    from framecast.export.tensorrt.options import BuildOptions
    from framecast.export.tensorrt.plan import Request
    from framecast.export.tensorrt.timings import timings_of

    flavour = Flavour(TENSORRT, bindings.__version__, bindings)
    with patch.object(build, "require_gpu", lambda what: Gpu("a GPU", 90)):
        target = build.build_target(flavour, BuildOptions())
    request = Request("", TENSORRT, flavour.version, target, {}, ())
    try:
        build._compile(flavour, Path("x.onnx"), [], BuildOptions(), timings_of(Path("x"), request), None)
    except EngineBuildError as error:
        return str(error)
    return "it was built"


def main(name: str) -> dict[str, Any]:
    """See the module."""
    from framecast.export.tensorrt.log import logger_of
    from framecast.export.tensorrt.progress import Bars, monitor_of, progress_bars

    bindings = importlib.import_module(name)
    checked = [*protocols(builder_api), *protocols(runtime_api)]
    logger = logger_of(bindings)
    logger.log(bindings.ILogger.Severity.ERROR, "an error")
    logger.log(bindings.ILogger.Severity.WARNING, "a warning")
    with progress_bars() as display:
        monitor = monitor_of(bindings, Bars(display))
        monitor.phase_start("outer", None, 2)
        monitor.phase_start("inner", "outer", 1)
        went_on = monitor.step_complete("inner", 0)
        monitor.phase_finish("inner")
        monitor.phase_finish("outer")
    return {
        "version": bindings.__version__,
        "protocols": sorted(protocol.__name__ for protocol in checked),
        "differences": [line for protocol in checked for line in differences(bindings, protocol)],
        "optional": {member: builder_api.optional(bindings, member) is not None for member in builder_api.OPTIONAL},
        "strongly_typed": 1 << int(bindings.NetworkDefinitionCreationFlag.STRONGLY_TYPED),
        "dtypes": {
            dtype: bindings.nptype(getattr(bindings.DataType, dtype)).__name__
            for dtype in ("FLOAT", "HALF", "INT64", "INT32", "UINT8", "BOOL")
        },
        "errors": logger.errors.messages,
        "went_on": went_on,
        "build": build_attempt(bindings),
    }


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1])))  # noqa: T201
