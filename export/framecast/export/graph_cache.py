"""Exported ONNX files by what they were made from: tracing takes most of an export, and most of a bundle stays.

A graph that is found is loaded and compared with its module like one that was just traced, so a wrong entry would end
the export and not be served.
"""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from framecast.engines.manifest import sha256
from framecast.export.bundle import Bundle
from framecast.export.checks import ADAPTER
from framecast.export.onnx_graph import weights_beside
from framecast.export.source import versions
from framecast.kernels.patches import forward, halves

# What a graph's file depends on, of this package; and the halves of guidance.
_CODE = (
    *("graphs/*.py", "families.py", "precision.py", "onnx_graph.py", "rewrites.py", "simplify.py", "undecomposed.py"),
    *("torch_graph.py", "models.py"),
)
_KEPT = "kept.json"  # file → SHA-256
PARTS: Mapping[str, tuple[str, ...]] = {
    "planner": ("planner",),
    "text_encoder": ("text_encoder",),
    "unet": ("unet", ADAPTER),
    "vae_decoder": ("vae",),
    "safety_checker": ("safety_checker",),
}


class GraphCache:
    """Graphs of one bundle under `folder`.

    Args:
        folder: made when something is kept.
        bundle: that is exported.
    """

    def __init__(self, folder: Path, bundle: Bundle) -> None:
        self._folder, self._bundle = folder, bundle

    def entry(self, name: str, **settings: Any) -> Path:
        """Where the graph `name` with these settings, which JSON can hold, is or would be."""
        here, digest = Path(__file__).parent, hashlib.sha256()
        code = [file for pattern in _CODE for file in sorted(here.glob(pattern))]
        code += [Path(str(module.__file__)) for module in (halves, forward)]
        parts = [self._bundle.part(part) for part in PARTS[name]]
        weights = [file for part in parts if part.is_dir() for file in sorted(part.rglob("*")) if file.is_file()]
        for file in (*code, *weights):
            digest.update(f"{file.name} {sha256(file)}\n".encode())
        digest.update(json.dumps([name, settings, versions()], sort_keys=True).encode())
        return self._folder / digest.hexdigest()

    def fetch(self, entry: Path, path: Path) -> bool:
        """Copies the graph to `path`; False when there is none, or a damaged one, which goes."""
        try:
            kept = json.loads((entry / _KEPT).read_text(encoding="utf-8"))
            whole = all(sha256(entry / name) == digest for name, digest in kept.items())
        except (OSError, ValueError):
            whole = False
        if not whole:
            shutil.rmtree(entry, ignore_errors=True)
            return False
        for name in kept:
            shutil.copyfile(entry / name, path.with_name(name))
        return True

    def keep(self, entry: Path, path: Path) -> None:
        """Copies the graph at `path` to the cache, whole or not at all."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self._folder) as scratch:
            new = Path(scratch) / "new"
            new.mkdir()
            for file in (path, weights_beside(path)):
                if file.is_file():
                    shutil.copyfile(file, new / file.name)
            kept = {file.name: sha256(file) for file in new.iterdir()}
            (new / _KEPT).write_text(json.dumps(kept), encoding="utf-8")
            try:
                os.replace(new, entry)
            except OSError:
                if not entry.is_dir():  # another export was not faster
                    raise
