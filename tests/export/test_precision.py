"""Half-precision graphs: half the size, called the same way, close to the single-precision module."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from tests.support.tiny_families import tiny_unet, tiny_vae

from framecast.engines.manifest import Graph, Manifest
from framecast.errors import InvalidRepository
from framecast.export.bundle import Fold
from framecast.export.graphs.decode_yuv import export_decode_yuv
from framecast.export.graphs.denoise_step import export_denoise_step
from framecast.export.precision import BF16, FP16, FP32, precision_named


def weights(path: Path) -> set[int]:
    """ONNX types of the large constants."""
    return {tensor.data_type for tensor in onnx.load(path).graph.initializer if np.prod(tensor.dims) > 64}


def test_half_graphs_are_close_and_take_single_inputs(tmp_path: Path) -> None:
    unet, vae = tiny_unet(), tiny_vae()
    step = export_denoise_step(unet, tmp_path / "unet.onnx", opset=23, precision=FP16)
    decoder = export_decode_yuv(vae, Fold(), tmp_path / "vae.onnx", opset=23, precision=FP16)
    assert step.graph.module.shared, "halves of guidance are computed once"
    assert not step.exact.shared, "and what it is compared with computes both"
    for exported, name in ((step, "unet"), (decoder, "vae")):
        assert exported.engine is not None
        assert all(info.dtype == "float32" for info in exported.engine.inputs)
        assert 1e-6 < exported.parity["max_abs_error"] <= FP16.tolerance
        assert weights(tmp_path / f"{name}.onnx") == {onnx.TensorProto.FLOAT16}
    assert next(unet.parameters()).dtype == FP32.dtype, "the module itself stays as it was"


def test_bfloat16_is_written_and_said_to_be_unchecked(tmp_path: Path) -> None:
    exported = export_decode_yuv(tiny_vae(), Fold(), tmp_path / "vae.onnx", opset=23, precision=BF16)
    assert exported.engine is None
    assert weights(tmp_path / "vae.onnx") == {onnx.TensorProto.BFLOAT16}
    manifest = Manifest("", "x", {}, {"vae_decoder": Graph("vae.onnx", "onnxruntime", "bf16", 23)}, {}, {})
    with pytest.raises(InvalidRepository, match=r"graph vae_decoder is in bf16, which needs an NVIDIA GPU"):
        manifest.require_machine()


def test_an_unknown_precision_is_refused() -> None:
    with pytest.raises(InvalidRepository, match=r"fp4.*fp32, fp16, bf16"):
        precision_named("fp4")
