"""Traced graphs that are used again: found by everything they were made from, and compared all the same."""

import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.tiny_bundle import tiny_text_encoder

from framecast.engines.manifest import Manifest
from framecast.export import graph_cache
from framecast.export.bundle import Bundle
from framecast.export.graph_cache import GraphCache
from framecast.export.graphs.text_states import export_text_states
from framecast.export.onnx_graph import weights_beside
from framecast.export.parity import ParityError
from framecast.kernels.patches import halves


def test_a_kept_graph_is_found_by_what_it_was_made_from(tiny_bundle: Path, tmp_path: Path) -> None:
    bundle, cache = Bundle.open(tiny_bundle), GraphCache(tmp_path / "cache", Bundle.open(tiny_bundle))
    entry = cache.entry("unet", opset=18)
    path = tmp_path / "unet.onnx"
    assert not cache.fetch(entry, path)
    path.write_bytes(b"graph")
    weights_beside(path).write_bytes(b"weights")
    cache.keep(entry, path)
    cache.keep(entry, path)  # as another export does that took as long

    (tmp_path / "other").mkdir()
    assert cache.fetch(cache.entry("unet", opset=18), tmp_path / "other" / "unet.onnx")
    assert (tmp_path / "other" / "unet.onnx").read_bytes() == b"graph"
    assert (tmp_path / "other" / "unet.onnx.data").read_bytes() == b"weights"

    changed = tmp_path / "bundle"
    shutil.copytree(tiny_bundle, changed)
    (changed / "unet" / "config.json").write_text("{}", encoding="utf-8")
    others = [
        cache.entry("unet", opset=20),
        cache.entry("vae_decoder", opset=18),
        GraphCache(tmp_path / "cache", replace(bundle, path=changed)).entry("unet", opset=18),
    ]
    assert len({entry, *others}) == 4
    text = GraphCache(tmp_path / "cache", replace(bundle, path=changed)).entry("text_encoder", opset=18)
    assert text == cache.entry("text_encoder", opset=18), "another UNet does not touch the text encoder's"


def test_a_damaged_graph_is_none_and_goes(tiny_bundle: Path, tmp_path: Path) -> None:
    cache = GraphCache(tmp_path / "cache", Bundle.open(tiny_bundle))
    entry, path = cache.entry("unet"), tmp_path / "unet.onnx"
    path.write_bytes(b"graph")
    cache.keep(entry, path)
    (entry / "unet.onnx").write_bytes(b"gra")
    assert not cache.fetch(entry, tmp_path / "found.onnx")
    assert not entry.exists()
    cache.keep(entry, path)
    assert cache.fetch(entry, path)


def test_code_that_shapes_a_graph_is_among_what_it_was_made_from(
    tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, kernels = Path(graph_cache.__file__).parent, Path(halves.__file__).parent
    shaping = {file for root in (here, kernels) for file in _imported(here / "onnx_graph.py", root)}
    assert {"simplify.py", "undecomposed.py", "rewrites.py", "torch_graph.py"} <= {file.name for file in shaping}
    read: list[Path] = []
    monkeypatch.setattr(graph_cache, "sha256", lambda file: read.append(file) or "")
    GraphCache(tmp_path, Bundle.open(tiny_bundle)).entry("unet")
    assert {here / "onnx_graph.py", halves_file := Path(halves.__file__), *shaping} <= set(read)
    assert _imported(halves_file, kernels) <= set(read)


def _imported(file: Path, folder: Path) -> set[Path]:
    """Of `folder`, what the module at `file` imports, directly or not."""
    found: set[Path] = set()
    names = re.findall(r"^(?:from|import) (framecast\.[\w.]+)", file.read_text(encoding="utf-8"), re.MULTILINE)
    for path in (folder / f"{name.rpartition('.')[2]}.py" for name in names):
        if path.is_file() and path not in found:
            found |= {path, *_imported(path, folder)}
    return found


def test_a_wrong_graph_is_not_served(tiny_repository: Path, tmp_path: Path) -> None:
    path = tiny_repository / Manifest.load(tiny_repository).graphs["text_encoder"].file
    other = tiny_text_encoder(tmp_path / "clip", seed=5)[0].eval()
    with pytest.raises(ParityError, match="text_encoder is off by"):
        export_text_states(other, path, opset=23, written=True)
