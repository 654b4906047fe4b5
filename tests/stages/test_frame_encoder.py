"""The frame encoder's model as Triton calls it, Triton itself left out."""

import importlib.util
import io
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from framecast.media.encoder import EncodedChunk
from framecast.media.mark import Mark
from framecast.stages import contracts as c

MODEL = Path(__file__).parents[2] / "model_repository" / "frame_encoder" / "1" / "model.py"


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """`model.py`; a request is a mapping of tensor names to arrays."""
    triton = ModuleType("triton_python_backend_utils")
    triton.get_input_tensor_by_name = lambda request, name: (  # type: ignore[attr-defined]
        SimpleNamespace(as_numpy=lambda: request[name]) if name in request else None
    )
    monkeypatch.setitem(sys.modules, triton.__name__, triton)
    monkeypatch.delitem(sys.modules, "framecast.stages.backend", raising=False)
    spec = importlib.util.spec_from_file_location("frame_encoder_model", MODEL)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.delitem(sys.modules, "framecast.stages.backend")
    return module


def request(codec: str) -> dict[str, np.ndarray]:
    y, chroma = np.full((2, 32, 32), 90, np.uint8), np.full((2, 16, 16), 128, np.uint8)
    words = {"CODEC": np.array([codec.encode()], np.object_)}
    return {"Y": y, "U": chroma, "V": chroma, "FRAMES": np.array([2]), "FPS": np.array([8]), **words}


def test_encoding_is_what_muxing_leaves_of_the_whole(model: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([10.0, 13.0])
    monkeypatch.setattr(model, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    monkeypatch.setattr(model, "encode_chunks", lambda *_, **__: EncodedChunk((b"x",), "video/mp4", 2.0))
    values: dict[c.Tensor, Any] = model.TritonPythonModel()._encode(request("h264"))
    assert (values[c.ENGINE_SECONDS], values[c.MUX_SECONDS]) == (1.0, 2.0)


@pytest.mark.parametrize(("codec", "muxed"), [("h264", True), ("png", False)])
def test_every_output_is_there_and_only_movies_are_muxed(model: ModuleType, codec: str, muxed: bool) -> None:
    values: dict[c.Tensor, Any] = model.TritonPythonModel()._encode(request(codec))
    assert set(values) == set(c.FRAME_ENCODER.outputs)
    assert values[c.ENGINE_SECONDS] > 0
    assert (values[c.MUX_SECONDS] > 0) == muxed
    assert values[c.MUX_SECONDS] >= 0


def test_a_mark_is_on_every_picture(model: ModuleType, tmp_path: Path) -> None:
    Image.new("RGBA", (20, 20), (255, 255, 255, 255)).save(tmp_path / "mark.png")
    encoder = model.TritonPythonModel()
    encoder._mark = Mark(tmp_path / "mark.png")
    values: dict[c.Tensor, Any] = encoder._encode(request("png"))
    data, sizes = values[c.DATA].tobytes(), values[c.PART_SIZES].tolist()
    for start in (0, sizes[0]):
        picture = np.asarray(Image.open(io.BytesIO(data[start:])).convert("L"))
        assert picture[-6, -6] > 250 > 100 > picture[4, 4]
