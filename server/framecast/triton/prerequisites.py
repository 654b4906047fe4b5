"""What the embedded tritonserver needs on this machine, said plainly when it is missing."""

import importlib.util
import os
import platform
import shutil
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from framecast.errors import InvalidRepository, StageUnavailable
from framecast.triton.leftovers import SHARED_MEMORY

REGION = 16 << 20  # bytes of shared memory that each stage's python backend begins with; it grows with what is sent


@dataclass(frozen=True)
class TritonFiles:
    """Where the parts of the `nvidia-pytriton` wheel are.

    Attributes:
        server: the tritonserver binary.
        backend: folder of the python backend.
        stub: the python backend's stub for the running Python.
        libraries: folders for LD_LIBRARY_PATH.
        setpriv: the program that has the kernel end tritonserver with its parent.
    """

    server: Path
    backend: Path
    stub: Path
    libraries: tuple[Path, ...]
    setpriv: Path


def find_triton() -> TritonFiles:
    """Finds the embedded tritonserver.

    Raises:
        InvalidRepository: something is missing; the sentence says what and how to get it.
    """
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    if sys.platform != "linux" or platform.machine() != "x86_64":
        raise InvalidRepository(
            f"The embedded tritonserver runs on Linux x86-64, not {sys.platform} {platform.machine()}; "
            "start a Triton container and pass its address with --triton-address."
        )
    spec = importlib.util.find_spec("pytriton")  # its files are used, its Python API is not imported
    if spec is None or spec.origin is None:
        raise InvalidRepository("The package nvidia-pytriton is missing; run: pip install 'framecast[server]'.")
    package = Path(spec.origin).parent
    stub = package / "tritonserver" / "python_backend_stubs" / version / "triton_python_backend_stub"
    if not stub.is_file():
        raise InvalidRepository(f"The embedded tritonserver has no stub for Python {version}; use Python 3.11 or 3.12.")
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise InvalidRepository("The program setpriv is missing; install util-linux.")
    return TritonFiles(
        server=package / "tritonserver" / "bin" / "tritonserver",
        backend=package / "tritonserver" / "backends" / "python",
        stub=stub,
        libraries=(package.parent / "nvidia_pytriton.libs", _libpython_folder(version)),
        setpriv=Path(setpriv),
    )


def check_shared_memory(stages: int) -> None:
    """Raises StageUnavailable when so many stages cannot even begin: a container has 64 MB unless it is given more."""
    free = shutil.disk_usage(SHARED_MEMORY).free
    if free < stages * REGION:
        raise StageUnavailable(
            f"{SHARED_MEMORY} has {free >> 20} MB free, Triton's {stages} stages begin with {stages * REGION >> 20}; "
            "give it more (docker run --shm-size 1g)."
        )


def _libpython_folder(version: str) -> Path:
    name = f"libpython{version}.so.1.0"
    multiarch = sysconfig.get_config_var("MULTIARCH") or ""
    libraries = (Path(sys.base_prefix) / "lib", Path(str(sysconfig.get_config_var("LIBDIR"))))
    folders = [*dict.fromkeys(libraries), Path("/usr/lib") / multiarch, Path("/usr/lib64")]
    for folder in folders:
        if os.access(folder / name, os.R_OK):
            return folder
    raise InvalidRepository(
        f"The shared library {name}, which Triton's python stub links, is not in "
        f"{', '.join(str(folder) for folder in folders)}; install it (Debian: apt-get install libpython{version}; "
        "pyenv: PYTHON_CONFIGURE_OPTS=--enable-shared pyenv install)."
    )


if __name__ == "__main__":
    try:
        find_triton()
    except InvalidRepository as missing:
        sys.exit(str(missing))
