"""Engines and the manifest that guards their files."""

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import psutil
import pytest
from onnx import TensorProto, helper

from framecast.engines.engine import EngineOptions
from framecast.engines.load import load_engine
from framecast.engines.manifest import Manifest, sha256
from framecast.errors import InvalidRepository


def test_an_engine_names_its_tensors_and_runs_some_of_its_outputs(tiny_repository: Path) -> None:
    manifest = Manifest.load(tiny_repository)
    engine = manifest.engine(tiny_repository, "vae_decoder", EngineOptions(threads=1))
    assert [(t.name, t.dtype, t.shape[1]) for t in engine.inputs] == [("latents", "float32", 4)]
    assert [t.name for t in engine.outputs] == ["y", "u", "v", "rgb"]
    planes = engine.run({"latents": np.zeros((2, 4, 4, 4), np.float32)}, ("y", "v"))
    assert {name: (plane.dtype, plane.shape) for name, plane in planes.items()} == {
        "y": (np.uint8, (4, 16, 16)),
        "v": (np.uint8, (4, 8, 8)),
    }


def test_what_a_large_run_needed_is_given_back_by_a_small_one(tmp_path: Path) -> None:
    """The sum of all products of two vectors: 160 MB of them for a large one."""
    names = ("column", "row")
    shapes = {"column": ["n", 1], "row": [1, "n"]}
    nodes = [
        helper.make_node("MatMul", names, ["products"]),
        helper.make_node("ReduceSum", ["products"], ["sum"], keepdims=0),
    ]
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shapes[name]) for name in names]
    graph = helper.make_graph(nodes, "g", inputs, [helper.make_tensor_value_info("sum", TensorProto.FLOAT, [])])
    path = tmp_path / "products.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), path)
    engine = load_engine("onnxruntime", path, EngineOptions(threads=1))

    def held_after(count: int) -> float:
        ones = np.ones(count, np.float32)
        assert engine.run({"column": ones[:, None], "row": ones[None]})["sum"] == pytest.approx(count**2)
        return psutil.Process().memory_info().rss / 2**20

    before = held_after(100)
    assert held_after(6400) > before + 120
    assert held_after(6300) > before + 120, "runs of one size keep their memory"
    assert held_after(100) < before + 60


def test_what_is_no_engine_is_refused(tmp_path: Path, tiny_repository: Path) -> None:
    path = tmp_path / "graph.onnx"
    path.write_bytes(b"not a graph")
    with pytest.raises(InvalidRepository, match=r"cannot load .*graph\.onnx"):
        load_engine("onnxruntime", path)
    with pytest.raises(InvalidRepository, match="asks for the engine 'magic'"):
        load_engine("magic", path)
    with pytest.raises(InvalidRepository, match="no graph 'other'"):
        Manifest.load(tiny_repository).engine(tiny_repository, "other")


@pytest.mark.parametrize("content", [b"\xff\xfe", b"[]", b"{"])
def test_what_is_no_manifest_is_said(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "manifest.json").write_bytes(content)
    with pytest.raises(InvalidRepository, match=r"manifest\.json is not a manifest"):
        Manifest.load(tmp_path)
    with pytest.raises(InvalidRepository, match=r"has no manifest\.json; make it with `framecast export`"):
        Manifest.load(tmp_path / "manifest.json")


def test_onnx_runtime_tells_nobody_how_it_is_used(tiny_repository: Path, tmp_path: Path) -> None:
    """What it would keep for telling are files at home and a temporary one."""
    file = tiny_repository / Manifest.load(tiny_repository).graphs["vae_decoder"].file
    program = f"""
from pathlib import Path
from framecast.engines.load import load_engine
load_engine("onnxruntime", Path({str(file)!r}))
"""
    search = os.pathsep.join(filter(None, sys.path))
    environment = {**os.environ, "HOME": str(tmp_path), "TMPDIR": str(tmp_path), "PYTHONPATH": search}
    environment.pop("ORT_DISABLE_TELEMETRY", None)
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr, list(tmp_path.rglob("*"))) == (0, "", [])


def test_only_listed_and_unchanged_files_are_opened(tmp_path: Path, tiny_repository: Path) -> None:
    (tmp_path / "a").write_text("first", encoding="utf-8")
    manifest = dataclasses.replace(Manifest.load(tiny_repository), files={"a": sha256(tmp_path / "a"), "b": "0"})
    assert manifest.verified(tmp_path, "a") == tmp_path / "a"
    (tmp_path / "a").write_text("second", encoding="utf-8")
    for file, sentence in (("a", "SHA-256 differs"), ("b", "is missing"), ("c", "not listed")):
        with pytest.raises(InvalidRepository, match=sentence):
            manifest.verified(tmp_path, file)
