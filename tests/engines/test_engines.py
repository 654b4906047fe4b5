"""Engines and the manifest that guards their files."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

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


def test_what_is_no_engine_is_refused(tmp_path: Path, tiny_repository: Path) -> None:
    path = tmp_path / "graph.onnx"
    path.write_bytes(b"not a graph")
    with pytest.raises(InvalidRepository, match=r"cannot load .*graph\.onnx"):
        load_engine("onnxruntime", path)
    with pytest.raises(InvalidRepository, match="asks for the engine 'magic'"):
        load_engine("magic", path)
    with pytest.raises(InvalidRepository, match="no graph 'other'"):
        Manifest.load(tiny_repository).engine(tiny_repository, "other")


def test_only_listed_and_unchanged_files_are_opened(tmp_path: Path, tiny_repository: Path) -> None:
    (tmp_path / "a").write_text("first", encoding="utf-8")
    manifest = dataclasses.replace(Manifest.load(tiny_repository), files={"a": sha256(tmp_path / "a"), "b": "0"})
    assert manifest.verified(tmp_path, "a") == tmp_path / "a"
    (tmp_path / "a").write_text("second", encoding="utf-8")
    for file, sentence in (("a", "SHA-256 differs"), ("b", "is missing"), ("c", "not listed")):
        with pytest.raises(InvalidRepository, match=sentence):
            manifest.verified(tmp_path, file)
