"""Compiles every kernel for every architecture ahead of time and writes down what each needs.

``python -m framecast.kernels.aot build/kernels`` writes resources.json and resources.md. No GPU is needed or used.
"""

import argparse
import importlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from framecast.kernels.compile import Compiled, compile_kernel
from framecast.kernels.spec import CAPABILITIES, KernelSpec
from framecast.kernels.switches import OPS


@dataclass(frozen=True)
class Row:
    """One kernel for one architecture."""

    spec: KernelSpec
    compiled: Compiled

    def record(self) -> dict[str, Any]:
        """As JSON; the PTX by its digest only."""
        return {
            "op": self.spec.op,
            "kernel": self.spec.name,
            "variant": self.spec.variant,
            "capability": self.compiled.capability,
            "threads": self.compiled.threads,
            "registers": self.compiled.registers,
            "spilled_bytes": self.compiled.spilled,
            "shared_bytes": self.compiled.shared,
            "ptx_sha256": self.compiled.digest,
        }


def all_specs() -> list[KernelSpec]:
    """Every shape class of every op, those in e4m3 last."""
    folders = (*OPS, "fp8")
    return [spec for name in folders for spec in importlib.import_module(f"framecast.kernels.{name}.config").specs()]


def compile_all(capabilities: tuple[int, ...] = CAPABILITIES) -> list[Row]:
    """All specs for all `capabilities`, spec by spec. Raises ValueError where a kernel does not fit."""
    wanted = (
        (spec, capability) for spec in all_specs() for capability in capabilities if capability in spec.capabilities
    )
    return [Row(spec, compile_kernel(spec, capability)) for spec, capability in wanted]


def write(rows: list[Row], folder: Path) -> None:
    """Writes resources.json and resources.md into `folder`, which is made if need be."""
    import triton

    folder.mkdir(parents=True, exist_ok=True)
    content = {"triton": str(triton.__version__), "kernels": [row.record() for row in rows]}
    (folder / "resources.json").write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (folder / "resources.md").write_text(markdown(rows), encoding="utf-8")


def markdown(rows: list[Row]) -> str:
    """A table with a line for each spec and registers / shared bytes for each architecture; spills are marked."""
    capabilities = sorted({row.compiled.capability for row in rows})
    lines = [
        "| kernel | variant | threads | " + " | ".join(f"sm_{capability}" for capability in capabilities) + " |",
        "|---|---|---|" + "---|" * len(capabilities),
    ]
    found: dict[tuple[str, str], dict[int, Compiled]] = {}
    for row in rows:
        found.setdefault((row.spec.name, row.spec.variant), {})[row.compiled.capability] = row.compiled
    for (name, variant), compiled in found.items():
        cells = (_cell(compiled[capability]) if capability in compiled else "–" for capability in capabilities)
        threads = next(iter(compiled.values())).threads
        lines.append(f"| {name} | {variant} | {threads} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _cell(compiled: Compiled) -> str:
    spill = f", {compiled.spilled} B spilled" if compiled.spilled else ""
    return f"{compiled.registers} / {compiled.shared}{spill}"


def main(arguments: list[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(description="Compile every kernel ahead of time and record what it needs.")
    parser.add_argument("folder", type=Path, help="where resources.json and resources.md go")
    parser.add_argument("--capabilities", type=int, nargs="+", default=CAPABILITIES, metavar="SM")
    options = parser.parse_args(arguments)
    write(compile_all(tuple(options.capabilities)), options.folder)


if __name__ == "__main__":
    main()
