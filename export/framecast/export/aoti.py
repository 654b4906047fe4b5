"""AOTInductor packages for a served repository: what ``framecast export --engine aoti`` does after exporting.

The UNet and the VAE are traced with our ops in the place of torch's layers, and torch compiles the program to one file.
On CUDA the kernels of `framecast.kernels` are compiled into it; on a CPU their plain torch definitions are.
"""

import shutil
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from framecast.engines.aoti import KIND, METADATA, AotInductorEngine, Contract, Target
from framecast.engines.engine import EngineOptions, TensorInfo
from framecast.errors import InvalidRepository
from framecast.export.torch_graph import TorchGraph

if TYPE_CHECKING:
    from rich.console import Console

    from framecast.export.compilers import Compiled
    from framecast.export.exported import Exported
    from framecast.export.options import ExportOptions
    from framecast.export.tensorrt.profiles import ServingLimits

GRAPHS = ("unet", "vae_decoder")
# Attention over frames is compiled for one number of them, and a served segment may have any: it stays torch's here.
OPS = ("group_norm_silu", "geglu")
_BATCH = 63


class AotInductorCompiler:
    """Packages graphs for the device of this machine.

    Args:
        graphs: to compile.
        console: shows what is going on; None shows nothing.

    Raises:
        InvalidRepository: no C++ compiler, or no Triton language for our ops.
    """

    opset = 23  # of the ONNX files, which only the parity check reads

    def __init__(self, graphs: Sequence[str] = GRAPHS, console: "Console | None" = None) -> None:
        require_compiler()
        self._target = Target.here()
        self._console = console
        self.graphs = graphs

    @property
    def identity(self) -> Mapping[str, str]:
        """See `Compiler.identity`."""
        return {"aoti": torch.__version__, "target": str(self._target)}

    def compile(self, name: str, exported: "Exported", limits: "ServingLimits") -> "Compiled":
        """See `Compiler.compile`. Raises ParityError where the package does not compute what its module does."""
        from framecast.export.compilers import Compiled

        with _busy(self._console, f"compiling {name} with AOTInductor"):
            path, counts, parity = packaged(exported, self._target)
        return Compiled(path, KIND, {"target": str(self._target), "ops": counts, "parity": parity})


def compiler(options: "ExportOptions", console: "Console | None") -> AotInductorCompiler:
    """For ``--engine aoti``. Raises as `AotInductorCompiler` does, and for a graph that cannot be packaged."""
    if others := sorted(set(options.compile or ()) - set(GRAPHS)):
        raise InvalidRepository(
            f"--compile: {', '.join(others)} has no AOTInductor package; --engine aoti compiles {' and '.join(GRAPHS)}."
        )
    return AotInductorCompiler(options.compile or GRAPHS, console)


def packaged(exported: "Exported", target: Target) -> tuple[Path, dict[str, int], dict[str, float]]:
    """A package beside the ONNX file, run by the engine that serves it.

    Returns:
        Its path; for each op, how many layers use it; what `Exported.check` says of it.

    Raises:
        ParityError: it does not compute what its module does.
    """
    path = exported.path.with_suffix(".pt2")
    counts = package_graph(exported.graph, path, target)
    return path, counts, dict(exported.check(AotInductorEngine(path, EngineOptions())))


def package_graph(graph: TorchGraph, path: Path, target: Target) -> dict[str, int]:
    """Writes the package of a module, traced with our ops.

    Returns:
        For each op, how many layers of the module use it.
    """
    with _with_our_ops(graph.module, target.device) as counts:
        inputs = {name: value.to(target.device) for name, value in graph.inputs.items()}
        dynamic = {name: _traceable(axes) for name, axes in graph.dynamic.items()}
        moved = TorchGraph(graph.module, inputs, dynamic, graph.outputs, graph.input_names, graph.symbolic)
        program = moved.program()
        contract = Contract(target, _infos(program, list(inputs), "inputs"), _infos(program, graph.outputs, "outputs"))
        write_package(program, path, {METADATA: contract.to_json()})
    return counts


def write_package(program: torch.export.ExportedProgram, path: Path, metadata: Mapping[str, str] | None = None) -> None:
    """Compiles `program` for the device of its weights and writes one file, `path`, that ends in ``.pt2``."""
    # Where the module asks about a size (is this axis 1? are these more than 64 images?), the trace keeps the answer of
    # its sample and an assertion. The answers choose among ways to lay out or copy the same numbers, and with the
    # assertions a package would refuse one frame, or three clips at a time; `Exported.check` runs such cases instead.
    configs: dict[str, Any] = {"aot_inductor.metadata": dict(metadata or {}), "scalar_asserts": False}
    # Some compilers link the C++ library in, and with two of them in a process the package dies as it is loaded
    # (docs/log.md). Named before that one, the library that torch has loaded is the only one.
    configs["aot_inductor.custom_op_libs"] = [":libstdc++.so.6"]
    configs["aot_inductor.precompile_headers"] = False  # twenty seconds, which take four packages to come back
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch deprecates parts of itself that its compiler imports
        torch._inductor.aoti_compile_and_package(program, package_path=str(path), inductor_configs=configs)


def require_compiler() -> None:
    """Raises InvalidRepository without a C++ compiler, which every package needs, or without Triton's language."""
    if shutil.which("g++") is None and shutil.which("clang++") is None:
        raise InvalidRepository("--engine aoti needs a C++ compiler; install g++ (Debian: apt-get install g++).")
    try:
        import framecast.kernels.patch  # noqa: F401
    except ImportError as error:
        raise InvalidRepository("--engine aoti needs our kernels; run: pip install 'framecast[kernels]'.") from error


@contextmanager
def _with_our_ops(module: nn.Module, device: str) -> Iterator[dict[str, int]]:
    """The module on `device` with our ops; afterwards as it was."""
    from framecast.kernels.patch import patch, to_channels_last, unpatch

    layouts = {id(parameter): parameter.data for parameter in module.parameters()}
    module.to(device)
    if device == "cuda":
        to_channels_last(module)  # layout and kernels go together
    try:
        yield patch(module, OPS)
    finally:
        unpatch(module)
        module.to("cpu")
        for parameter in module.parameters():
            parameter.data = layouts.get(id(parameter), parameter.data)


def _traceable(axes: Any) -> Any:
    """Axes with batches below 64, where diffusers' upsampler turns to other code: it would fix the axis otherwise.

    That code only copies, so what is compiled from the other branch is right for larger batches too.
    """
    if not isinstance(axes, Mapping):
        return axes
    batch = torch.export.Dim("batch", max=_BATCH)
    wide = {axis for axis, dim in axes.items() if getattr(dim, "max", 0) > _BATCH and dim.__name__ == "batch"}
    return {axis: batch if axis in wide else dim for axis, dim in axes.items()}


def _infos(program: torch.export.ExportedProgram, names: Sequence[str], side: str) -> tuple[TensorInfo, ...]:
    """Names, dtypes and shapes as the program has them; dynamic axes by their symbol."""
    signature = program.graph_signature
    wanted = set(signature.user_inputs if side == "inputs" else signature.user_outputs)
    nodes: list[Any] = [node for node in program.graph.nodes if node.op == "placeholder" and node.name in wanted]
    if side == "outputs":
        nodes = list(next(node for node in program.graph.nodes if node.op == "output").args[0])
    values: list[Tensor] = [node.meta["val"] for node in nodes]
    return tuple(
        TensorInfo(
            name,
            str(value.dtype).removeprefix("torch."),
            tuple(length if isinstance(length, int) else str(length) for length in value.shape),
        )
        for name, value in zip(names, values, strict=True)
    )


@contextmanager
def _busy(console: "Console | None", what: str) -> Iterator[None]:
    if console is None:
        yield
        return
    with console.status(what):
        yield
