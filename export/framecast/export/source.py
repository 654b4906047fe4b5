"""What an export depends on, as one digest: an export that would change nothing is skipped."""

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from framecast.engines.manifest import sha256
from framecast.export.bundle import Bundle

if TYPE_CHECKING:
    from framecast.export.exporter import ExportOptions


def source_digest(bundle: Bundle, options: "ExportOptions") -> str:
    """SHA-256 over the bundle's files, the exporter's code, the Triton models and the options."""
    digest = hashlib.sha256()
    for name, root, files in (
        ("bundle", bundle.path, bundle.files()),
        ("exporter", Path(__file__).parent, _files(Path(__file__).parent)),
        ("models", options.models, _files(options.models)),
    ):
        for file in files:
            digest.update(f"{name}/{file.relative_to(root)} {sha256(file)}\n".encode())
    digest.update(json.dumps({**asdict(options), "models": ""}, sort_keys=True).encode())
    return digest.hexdigest()


def _files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.rglob("*") if file.is_file() and "__pycache__" not in file.parts)
