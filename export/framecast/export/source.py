"""What an export depends on, as one digest: an export that would change nothing is skipped."""

import hashlib
import importlib.metadata
import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import framecast.denoiser
import framecast.director
import framecast.engines
import framecast.kernels
import framecast.planner
import framecast.review
import framecast.stages
from framecast.engines.manifest import sha256
from framecast.export.bundle import Bundle
from framecast.export.options import ExportOptions

PACKAGES = ("torch", "diffusers", "transformers", "onnx", "onnxscript", "onnxruntime", "tokenizers")
# Code that reads what the exporter writes, and that shapes it: what it could no longer read must be exported again.
CODE = (
    *(framecast.denoiser, framecast.director, framecast.engines, framecast.planner, framecast.review, framecast.stages),
    framecast.kernels,
)


def versions() -> dict[str, str]:
    """Package name → version, of what exports."""
    return {name: importlib.metadata.version(name) for name in ("framecast", *PACKAGES)}


def source_digest(bundle: Bundle, options: ExportOptions, compiler: Mapping[str, str]) -> str:
    """SHA-256 over the bundle, the exporter's and the readers' code, the Triton models, versions and options.

    Args:
        bundle: that is exported.
        options: `cache` and the place of the Triton models say nothing.
        compiler: `framecast.export.compilers.Compiler.identity`.
    """
    digest = hashlib.sha256()
    folders = [("bundle", bundle.path), ("models", options.models), ("exporter", Path(__file__).parent)]
    folders += [(package.__name__, Path(str(package.__file__)).parent) for package in CODE]
    for name, folder in folders:
        for file in _files(folder):
            digest.update(f"{name}/{file.relative_to(folder)} {sha256(file)}\n".encode())
    plain = {**asdict(options), "models": "", "cache": ""}
    digest.update(json.dumps([plain, versions(), dict(compiler)], sort_keys=True).encode())
    return digest.hexdigest()


def _files(folder: Path) -> list[Path]:
    """Its files, those behind links to folders too; a folder that was seen is not entered again."""
    found: list[Path] = []
    seen: set[str] = set()
    for at, folders, names in os.walk(folder, followlinks=True):
        if (real := os.path.realpath(at)) in seen or Path(at).name == "__pycache__":
            folders.clear()
            continue
        seen.add(real)
        found += [Path(at) / name for name in names]
    return sorted(file for file in found if file.is_file())
