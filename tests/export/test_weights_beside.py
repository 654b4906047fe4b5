"""Graphs with more weights than an ONNX file holds: exported, checked, moved and served with a file beside them."""

import shutil
from dataclasses import replace
from pathlib import Path

import onnx
import pytest
from tests.support.tiny_bundle import tiny_text_encoder
from tests.system.system import running

from framecast.client import Chunk, Scene, VideoClient, VideoOptions
from framecast.engines.load import load_engine
from framecast.engines.manifest import Manifest, sha256
from framecast.errors import InvalidRepository
from framecast.export import onnx_graph
from framecast.export.graphs.text_states import export_text_states
from framecast.export.onnx_graph import save_onnx, weights_beside


@pytest.fixture(autouse=True)
def small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody wants to wait for two gigabytes."""
    monkeypatch.setattr(onnx_graph, "INLINE_BYTES", 2000)


def test_large_weights_are_exported_beside_the_graph_and_move_with_it(tmp_path: Path) -> None:
    encoder = tiny_text_encoder(tmp_path / "clip")[0].eval()
    exported = export_text_states(encoder, tmp_path / "first" / "text_encoder.onnx", opset=18)
    assert exported.parity["max_abs_error"] <= 1e-3
    assert weights_beside(exported.path).stat().st_size > 2000 > exported.path.stat().st_size - 60_000
    external = [t for t in onnx.load(exported.path, load_external_data=False).graph.initializer if t.external_data]
    assert {entry.value for t in external for entry in t.external_data if entry.key == "location"} == {
        "text_encoder.onnx.data"
    }
    shutil.move(tmp_path / "first", tmp_path / "second")
    assert exported.check(load_engine("onnxruntime", tmp_path / "second" / "text_encoder.onnx")) == exported.parity


def test_a_repository_with_weights_beside_its_graphs_is_checked_and_served(
    tiny_repository: Path, tmp_path: Path
) -> None:
    root = tmp_path / "moved"
    shutil.copytree(tiny_repository, root)
    manifest = Manifest.load(root)
    files = dict(manifest.files)
    for graph in manifest.graphs.values():
        path = root / graph.file
        save_onnx(onnx.load(path), path)
        files |= {str(file.relative_to(root)): sha256(file) for file in (path, weights_beside(path))}
    manifest = replace(manifest, files=files)
    manifest.save(root)
    manifest.verify(root)

    with running(root, tmp_path / "triton.log") as system, VideoClient(system.address) as client:
        events = client.generate(scenes=[Scene("a kitten", 0.5)], options=VideoOptions(seed=1), timeout=60)
        assert sum(len(event.data) for event in events if isinstance(event, Chunk)) > 500

    weights = weights_beside(root / manifest.graphs["unet"].file)
    weights.write_bytes(bytes(weights.stat().st_size))
    with pytest.raises(InvalidRepository, match=r"unet\.onnx\.data is not the file that was exported"):
        manifest.engine(root, "unet")
