"""An AOTInductor package as an engine: machine code of torch's compiler with the weights inside, and torch to run it.

A package says in its metadata what it was compiled for (`Target`) and what its tensors are called. That is read from
the archive before any of its code is loaded, so that a package for another device is refused and not run.
"""

import importlib.util
import json
import warnings
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from framecast.engines.engine import Array, EngineOptions, TensorInfo
from framecast.errors import InvalidRepository, InvalidRequest, StageFailed

if TYPE_CHECKING:
    import torch

KIND = "aoti"
METADATA = "framecast"  # the key under which a package keeps its `Contract`


@dataclass(frozen=True)
class Target:
    """What a package's code runs on.

    Attributes:
        torch: major and minor version, for example ``2.13``; the code calls into that version's library.
        device: ``cpu`` or ``cuda``.
        instructions: compute capability of the GPU, ``9.0``, or the CPU's vector instructions, ``AVX512``.
    """

    torch: str
    device: str
    instructions: str

    @classmethod
    def here(cls, device: str | None = None) -> "Target":
        """This machine's. Raises InvalidRepository where torch is missing, or the GPU that is asked for."""
        require_torch("An AOTInductor package")
        import torch

        gpu = torch.cuda.is_available()
        if device == "cuda" and not gpu:
            raise InvalidRepository("The AOTInductor package wants an NVIDIA GPU and torch sees none.")
        device = device or ("cuda" if gpu else "cpu")
        if device == "cuda":
            instructions = ".".join(map(str, torch.cuda.get_device_capability()))
        else:
            instructions = torch.backends.cpu.get_cpu_capability()
        return cls(".".join(torch.__version__.split(".")[:2]), device, instructions)

    def __str__(self) -> str:
        return f"torch {self.torch} on {self.device} ({self.instructions})"


@dataclass(frozen=True)
class Contract:
    """What a package keeps of its graph: its target, inputs in the order of the call, and outputs."""

    target: Target
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]

    def to_json(self) -> str:
        """One JSON object."""
        return json.dumps(asdict(self))

    @classmethod
    def of(cls, path: Path) -> "Contract":
        """Reads the contract of the package at `path`; none of its code is loaded.

        Raises:
            InvalidRepository: it is no package, or none of ours.
        """
        try:
            with zipfile.ZipFile(path) as archive:
                files = [name for name in archive.namelist() if name.endswith("_metadata.json")]
                found = [
                    content[METADATA] for content in map(json.loads, map(archive.read, files)) if METADATA in content
                ]
            fields: dict[str, Any] = json.loads(found[0])
            infos = {
                side: tuple(TensorInfo(i["name"], i["dtype"], tuple(i["shape"])) for i in fields[side])
                for side in ("inputs", "outputs")
            }
            return cls(Target(**fields["target"]), **infos)
        except (OSError, zipfile.BadZipFile, ValueError, LookupError, TypeError) as error:
            raise InvalidRepository(f"{path} is not an AOTInductor package of ours: {error!r}.") from error


class AotInductorEngine:
    """A package on this machine's device.

    Args:
        path: of the package.
        options: `threads` is torch's, of the whole process. So is that float32 is convolved as such: cuDNN rounds its
            inputs to 11 bits otherwise, which the parity check would not pass; who wants that speed exports half
            precision.

    Raises:
        InvalidRepository: torch is missing, or the package was compiled for something else.
    """

    def __init__(self, path: Path, options: EngineOptions) -> None:
        require_torch(f"The package {path.name}")
        contract = Contract.of(path)
        here = Target.here(contract.target.device)
        if contract.target != here:
            raise InvalidRepository(f"{path.name} was compiled for {contract.target}; this is {here}: export it again.")
        import torch

        if options.threads:
            torch.set_num_threads(options.threads)
        torch.backends.cudnn.allow_tf32 = False
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # torch deprecates parts of itself that it imports here
                self._package = torch._inductor.aoti_load_package(str(path))
        except RuntimeError as error:
            raise InvalidRepository(f"torch cannot load {path}: {_line(error)}.") from error
        self._device = torch.device(contract.target.device)
        self.inputs, self.outputs = contract.inputs, contract.outputs

    def run(self, inputs: Mapping[str, Array], outputs: tuple[str, ...] | None = None) -> dict[str, Array]:
        """See `Engine.run`.

        Raises:
            InvalidRequest: an input is missing, unknown, or of another dtype or shape.
            StageFailed: the package refused, for example a size that it was not compiled for.
        """
        import torch

        names = [info.name for info in self.inputs]
        if set(names) != set(inputs):
            raise InvalidRequest("inputs", f"are {', '.join(sorted(inputs))}; it takes {', '.join(sorted(names))}")
        for info in self.inputs:
            if inputs[info.name].dtype != np.dtype(info.dtype):
                raise InvalidRequest(info.name, f"is {inputs[info.name].dtype}; the package takes {info.dtype}")
        _require_shapes(self.inputs, {name: inputs[name].shape for name in names})
        with torch.inference_mode():
            try:
                results = self._package(**{name: self._tensor(inputs[name]) for name in names})
                named = dict(zip((info.name for info in self.outputs), results, strict=True))
                return {name: named[name].cpu().numpy() for name in outputs or tuple(named)}
            except RuntimeError as error:
                raise StageFailed(f"The AOTInductor package failed: {_line(error)}.") from error

    def _tensor(self, array: Array) -> "torch.Tensor":
        import torch

        return torch.from_numpy(np.require(array, requirements=["C", "W"])).to(self._device)


def require_torch(what: str) -> None:
    """Raises InvalidRepository that says how to get torch where it is missing; it is not imported."""
    if importlib.util.find_spec("torch") is None:
        raise InvalidRepository(f"{what} needs torch, which is missing; run: pip install torch.")


def _require_shapes(inputs: Sequence[TensorInfo], shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Packages look at no shape themselves, and read beyond an array that is smaller than theirs.

    Fixed axes are as the graph has them, and axes of one name as long in every input.
    """
    named: dict[int | str, int] = {}

    def expected(axis: int | str, size: int) -> int:
        if isinstance(axis, int):
            return axis
        return named.setdefault(axis, size) if axis.isidentifier() else size  # what is reckoned of others is not known

    for info in inputs:
        shape = shapes[info.name]
        pairs = zip(info.shape, shape, strict=False)
        if len(shape) != len(info.shape) or any(expected(axis, size) != size for axis, size in pairs):
            raise InvalidRequest(info.name, f"has shape {list(shape)}; the package takes {list(info.shape)}")


def _line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:300].rstrip(".")
