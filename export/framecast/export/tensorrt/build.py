"""The one builder: ONNX file in, plan out, or the plan that an equal build left behind.

No `Runtime` is made here, so TensorRT-RTX builds on a machine without a GPU. Data-centre TensorRT times kernels and
needs the GPU it builds for.
"""

import dataclasses
import hashlib
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from framecast.engines.gpus import require_gpu
from framecast.engines.tensorrt_flavour import TENSORRT, Flavour
from framecast.export.tensorrt.api import Builder, BuilderBindings
from framecast.export.tensorrt.cache import EngineCache
from framecast.export.tensorrt.config import add_profiles, configure
from framecast.export.tensorrt.errors import EngineBuildError
from framecast.export.tensorrt.log import logger_of
from framecast.export.tensorrt.network import one_line, parse, tensors
from framecast.export.tensorrt.onnx_file import onnx_digest
from framecast.export.tensorrt.options import BuildOptions, Folders
from framecast.export.tensorrt.plan import Plan, PlanTensor, Request, plain
from framecast.export.tensorrt.profiles import Profile
from framecast.export.tensorrt.progress import Bars, monitor_of, progress_bars
from framecast.export.tensorrt.timings import Timings, timings_of


def build_plan(
    flavour: Flavour,
    path: Path,
    profiles: Sequence[Profile],
    folders: Folders,
    options: BuildOptions | None = None,
    console: Console | None = None,
) -> Plan:
    """The plan of the ONNX file at `path`, from the cache when an equal one is there.

    Args:
        flavour: the TensorRT that builds.
        path: of the ONNX file; opset 18 to 20, no `Attention` nodes.
        profiles: shapes of its dynamic inputs, at least one profile; see `framecast.export.tensorrt.profiles`.
        folders: of the caches.
        options: see `BuildOptions`.
        console: shows the progress; None shows nothing.

    Raises:
        EngineBuildError: the file, a profile or an option is refused; one sentence.
        InvalidRepository: data-centre TensorRT and no GPU.
    """
    options = options or BuildOptions()
    request = Request(
        onnx=onnx_digest(path),
        flavour=flavour.name,
        version=flavour.version,
        target=build_target(flavour, options),
        options=dataclasses.asdict(options),
        profiles=tuple(plain(profile) for profile in profiles),
    )
    cache = EngineCache(folders.engines)
    found = cache.find(request)
    if found is not None:
        return found
    started = time.perf_counter()
    content, inputs, outputs = _compile(flavour, path, profiles, options, timings_of(folders.timings, request), console)
    plan = Plan(
        path=cache.path(request),
        sha256=hashlib.sha256(content).hexdigest(),
        request=request.canonical(),
        inputs=tuple(inputs),
        outputs=tuple(outputs),
        seconds=round(time.perf_counter() - started, 3),
    )
    cache.store(plan, content)
    return plan


def build_target(flavour: Flavour, options: BuildOptions) -> str:
    """The GPUs a plan is for, as far as they decide what is built.

    Raises:
        InvalidRepository: data-centre TensorRT and no GPU is visible.
    """
    if flavour.name == TENSORRT:
        gpu = require_gpu(f"Building with {flavour.title}")
        return f"sm{gpu.sm}" if options.hardware != "same" else f"sm{gpu.sm} {gpu.name}"
    return " ".join(f"sm{sm}" for sm in options.compute_capabilities) or "default"


def check_options(flavour: Flavour, options: BuildOptions) -> None:
    """Refuses now what a build would refuse later.

    Raises:
        EngineBuildError: this flavour or version has no such option.
        InvalidRepository: an option needs a GPU and there is none.
    """
    logger = logger_of(flavour.bindings)
    with logger.errors.fresh() as messages:
        configure(flavour, _builder(flavour, logger, messages), options)


def _builder(flavour: Flavour, logger: Any, messages: Sequence[str]) -> Builder:
    bindings: BuilderBindings = flavour.bindings
    try:
        return bindings.Builder(logger)
    except TypeError as error:  # what pybind11 makes of a builder that TensorRT could not create
        raise EngineBuildError(f"{flavour.title} cannot start{_reason(messages)}") from error


def _compile(
    flavour: Flavour,
    path: Path,
    profiles: Sequence[Profile],
    options: BuildOptions,
    timings: Timings,
    console: Console | None,
) -> tuple[bytes, list[PlanTensor], list[PlanTensor]]:
    bindings: BuilderBindings = flavour.bindings
    logger = logger_of(bindings)
    with logger.errors.fresh() as messages, progress_bars(console) as display:
        # 1. The network.
        builder = _builder(flavour, logger, messages)
        network, parser = parse(flavour, builder, logger, path)
        inputs, outputs = tensors(bindings, network)

        # 2. Flags, limits, targets and profiles.
        config = configure(flavour, builder, options)
        add_profiles(flavour, builder, config, path.name, profiles, inputs)
        timings.use(config)
        config.progress_monitor = monitor = monitor_of(bindings, Bars(display))

        # 3. The build, which uses the parser's weights and the monitor to its end.
        memory = builder.build_serialized_network(network, config)
        del parser, monitor
        if memory is None:
            raise EngineBuildError(f"{flavour.title} cannot build {path.name}{_reason(messages)}")
        timings.keep(config)
        return bytes(memory), inputs, outputs  # type: ignore[call-overload]  # a buffer, which protocols cannot say


def _reason(messages: Sequence[str]) -> str:
    """The last error: without a GPU a process has one about the driver first, which stops nothing."""
    return f": {one_line(messages[-1])}." if messages else "; its log gives no reason."
