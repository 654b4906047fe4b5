"""The TensorRT that is installed: the data-centre one or TensorRT-RTX, imported only when asked for.

- `tensorrt` comes with the Triton container or from NVIDIA's package index and finds its own libraries.
- `tensorrt_rtx` is two PyPI wheels: the bindings, and ONNX Runtime's plugin, which carries the native libraries. They
  are loaded here, globally and in this order, because the bindings are linked against symbols and name no library.
"""

import ctypes
import importlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from framecast.errors import InvalidRepository

TENSORRT, TENSORRT_RTX = "tensorrt", "tensorrt_rtx"
FLAVOURS = (TENSORRT, TENSORRT_RTX)
_RTX_BINDINGS = "tensorrt_rtx_bindings"
_RTX_LIBRARIES = "onnxruntime_ep_nv_tensorrt_rtx"
_REMEDY = {
    TENSORRT: "use the Triton container, or install tensorrt from the package index of NVIDIA",
    TENSORRT_RTX: "run: pip install 'framecast[tensorrt-rtx]'",
}


@dataclass(frozen=True)
class Flavour:
    """Imported bindings.

    Attributes:
        name: one of `FLAVOURS`.
        version: of the bindings, for example ``10.16.1.11``.
        bindings: the module.
    """

    name: str
    version: str
    bindings: Any

    @property
    def title(self) -> str:
        """Name and version for a sentence."""
        return f"{'TensorRT' if self.name == TENSORRT else 'TensorRT-RTX'} {self.version}"


def installed_flavours() -> tuple[str, ...]:
    """Names of the flavours whose packages are there; nothing is imported."""
    needs = {TENSORRT: (TENSORRT,), TENSORRT_RTX: (_RTX_BINDINGS, _RTX_LIBRARIES)}
    return tuple(name for name in FLAVOURS if all(importlib.util.find_spec(module) for module in needs[name]))


def load_flavour(name: str | None = None) -> Flavour:
    """Imports TensorRT's bindings.

    Args:
        name: one of `FLAVOURS`; None takes the first that is installed.

    Raises:
        InvalidRepository: it is not installed, or its libraries cannot be loaded.
    """
    if name is not None and name not in FLAVOURS:
        raise InvalidRepository(f"There is no TensorRT flavour {name!r}; choose {' or '.join(FLAVOURS)}.")
    found = [flavour for flavour in installed_flavours() if name in (None, flavour)]
    if not found:
        wanted = [name] if name else FLAVOURS
        remedies = "; ".join(f"for {flavour}, {_REMEDY[flavour]}" for flavour in wanted)
        raise InvalidRepository(f"TensorRT is not installed ({remedies}).")
    try:
        if found[0] == TENSORRT_RTX:
            for library in rtx_libraries():
                ctypes.CDLL(str(library), mode=ctypes.RTLD_GLOBAL)
        bindings = importlib.import_module(TENSORRT if found[0] == TENSORRT else _RTX_BINDINGS)
    except (ImportError, OSError) as error:
        raise InvalidRepository(f"{found[0]} is installed but does not load ({error}); {_REMEDY[found[0]]}.") from error
    return Flavour(found[0], str(bindings.__version__), bindings)


def rtx_libraries() -> tuple[Path, Path]:
    """TensorRT-RTX's library and its ONNX parser, in the order in which they are loaded.

    Raises:
        InvalidRepository: the wheel that carries them is not installed, or is not complete.
    """
    spec = importlib.util.find_spec(_RTX_LIBRARIES)
    if spec is None or spec.origin is None:
        raise InvalidRepository(f"The package {_RTX_LIBRARIES} is missing; {_REMEDY[TENSORRT_RTX]}.")
    folder = Path(spec.origin).parent  # its module is not imported: that writes links and changes the environment
    found = [sorted(folder.glob(f"{library}.so.*")) for library in ("libtensorrt_rtx", "libtensorrt_onnxparser_rtx")]
    if not all(found):
        raise InvalidRepository(f"{folder} holds no TensorRT-RTX libraries; {_REMEDY[TENSORRT_RTX]}.")
    return found[0][-1], found[1][-1]
