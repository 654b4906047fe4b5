"""Compiles kernels on a machine with no GPU, and reads what they need from the machine code."""

import hashlib
import re
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from framecast.kernels.spec import KernelSpec

# Oldest PTX that knows the architecture, and so the oldest driver that loads it (PTX ISA 9.x manual, release notes).
PTX_VERSIONS = {80: 80, 90: 80, 100: 86, 120: 87}
_COPY_ENGINE = 86  # the oldest PTX with all that Triton 3.9 writes for the copy engine
# Shared memory a block may have, bytes (CUDA C++ programming guide, compute capabilities).
SHARED_LIMITS = {80: 166912, 90: 232448, 100: 232448, 120: 101376}
_COMPILING = threading.Lock()
_PTXAS_FLAGS = ("-lineinfo", "--regAllocOptLevel=2")  # as Triton 3.9 calls it; they change what is spilled


@dataclass(frozen=True)
class Compiled:
    """A kernel for one architecture.

    Attributes:
        name: entry point.
        ptx: assembly; its parameters are the spec's run-time arguments in order, and nothing else, unless the spec is
            `described`.
        capability: 80, 90, 100 or 120.
        threads: of a block.
        registers: of a thread.
        spilled: bytes of stack a thread needs; these kernels have no arrays, so all of it is spills.
        shared: bytes of dynamic shared memory of a block.
    """

    name: str
    ptx: str
    capability: int
    threads: int
    registers: int
    spilled: int
    shared: int

    @property
    def digest(self) -> str:
        """SHA-256 of the PTX."""
        return hashlib.sha256(self.ptx.encode()).hexdigest()


def compile_kernel(spec: KernelSpec, capability: int) -> Compiled:
    """PTX of `spec` for ``sm_<capability>``, old enough for any driver that knows the architecture.

    Raises:
        ValueError: an unknown architecture, or the kernel needs more shared memory than it has (Triton does not look).
    """
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    if capability not in PTX_VERSIONS:
        raise ValueError(f"capability: {capability} is not one of {', '.join(map(str, PTX_VERSIONS))}.")
    names = list(spec.kernel.arg_names)
    source = ASTSource(
        fn=spec.kernel,
        signature=spec.signature(),
        constexprs={name: spec.constants[name] for name in names if name not in spec.arguments},
        attrs={(names.index(name),): [["tt.divisibility", 16]] for name in spec.divisible},
    )
    options = {
        "num_warps": spec.num_warps,
        "num_stages": spec.num_stages,
        "ptx_version": max(PTX_VERSIONS[capability], _COPY_ENGINE if spec.described else 0),
        "enable_fp_fusion": True,  # Triton 3.10 changes the default
    }
    with _no_machine_code():
        kernel = triton.compile(source, target=GPUTarget("cuda", capability, 32), options=options)
    shared = int(kernel.metadata.shared)
    if shared > SHARED_LIMITS[capability]:
        raise ValueError(
            f"spec: {spec.name} ({spec.variant}) needs {shared} bytes of shared memory; sm_{capability} has "
            f"{SHARED_LIMITS[capability]}."
        )
    if kernel.metadata.global_scratch_size or kernel.metadata.profile_scratch_size:
        raise ValueError(f"spec: {spec.name} ({spec.variant}) needs scratch memory, which nobody would pass to it.")
    ptx = str(kernel.asm["ptx"])
    if not spec.described:
        ptx = plain_parameters(ptx, len(spec.arguments))
    registers, spilled = assemble(ptx, capability)
    return Compiled(
        name=str(kernel.metadata.name),
        ptx=ptx,
        capability=capability,
        threads=int(kernel.metadata.num_warps) * 32,
        registers=registers,
        spilled=spilled,
        shared=shared,
    )


@contextmanager
def _no_machine_code() -> Iterator[None]:
    """Triton ends with PTX: `assemble` makes machine code of the PTX that is handed out, and one of them will do."""
    from triton import knobs

    def stages(_backend: Any = None, found: dict[str, Any] | None = None, *_: Any) -> tuple[str, str]:
        if found is not None:
            found["cubin"] = lambda _ptx, _metadata: b""
        return "no machine code", "no machine code"  # part of the key of Triton's cache

    with _COMPILING:  # the hook is the whole process's
        before = knobs.runtime.add_stages_inspection_hook
        knobs.runtime.add_stages_inspection_hook = stages
        try:
            yield
        finally:
            knobs.runtime.add_stages_inspection_hook = before


def plain_parameters(ptx: str, count: int) -> str:
    """PTX whose entry has its first `count` parameters only.

    Triton appends two pointers to scratch memory to every kernel. A caller that is not Triton, such as TensorRT, passes
    the arguments it knows of, and the driver would read two more from beyond their end.

    Raises:
        ValueError: the entry has fewer parameters, or uses one of those that would go.
    """
    entry = re.search(r"(\.visible \.entry (\w+)\()(.*?)(\n\))", ptx, re.DOTALL)
    if entry is None:
        raise ValueError("ptx: no visible entry.")
    parameters = entry.group(3).strip().split(",")
    if len(parameters) < count:
        raise ValueError(f"ptx: {entry.group(2)} has {len(parameters)} parameters, not {count}.")
    for index in range(count, len(parameters)):
        if f"{entry.group(2)}_param_{index}]" in ptx:
            raise ValueError(f"ptx: {entry.group(2)} uses parameter {index}, beyond its {count} arguments.")
    kept = "\n\t" + ",".join(parameters[:count])
    return ptx[: entry.start(3)] + kept + ptx[entry.end(3) :]


def assemble(ptx: str, capability: int) -> tuple[int, int]:
    """(registers, bytes spilled) of a thread, from the assembler in the Triton wheel and with Triton's own flags.

    Raises:
        subprocess.CalledProcessError: it refuses `ptx`; its words are in ``stderr``.
    """
    found = re.search(r"\.target (sm_\w+)", ptx)
    target = f"sm_{capability}" if found is None else found.group(1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "kernel.ptx"
        path.write_text(ptx, encoding="utf-8")
        command = [_tool("ptxas" if capability < 90 else "ptxas-blackwell"), "-v", f"--gpu-name={target}", str(path)]
        log = subprocess.run(
            [*command, *_PTXAS_FLAGS, "-o", str(path.with_suffix(".cubin"))],
            check=True,
            capture_output=True,
            text=True,
        ).stderr
    registers = re.search(r"Used (\d+) registers", log)
    spilled = re.search(r"(\d+) bytes spill stores", log)
    if registers is None or spilled is None:
        raise RuntimeError(f"ptxas said nothing of registers: {log}")
    return int(registers.group(1)), int(spilled.group(1))


def _tool(name: str) -> str:
    """A program that ships in the Triton wheel."""
    import triton

    return str(Path(str(triton.__file__)).parent / "backends" / "nvidia" / "bin" / name)
