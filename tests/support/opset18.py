"""The storybook's graphs as TensorRT takes them, kept under build/ and made again only when what goes in changes."""

import hashlib
import shutil
import tempfile
from pathlib import Path

import torch

import framecast.export
from framecast.engines.manifest import sha256
from framecast.export.bundle import Bundle
from framecast.export.graphs.causal_lm import export_causal_lm
from framecast.export.graphs.decode_yuv import export_decode_yuv
from framecast.export.graphs.denoise_step import export_denoise_step
from framecast.export.graphs.text_states import export_text_states
from framecast.export.models import load_models
from framecast.export.source import versions
from framecast.export.tensorrt.planes import write_plane_graph

OPSET = 18
_CODE = (
    "graphs/*.py",
    "families.py",
    "precision.py",
    "onnx_graph.py",
    "torch_graph.py",
    "models.py",
    "tensorrt/planes.py",
)


def opset18_graphs(bundle: Bundle, folder: Path) -> Path:
    """A folder with unet.onnx, vae_decoder.onnx, text_encoder.onnx and planner.onnx of `bundle`."""
    target = folder / _digest(bundle)[:16]
    if target.is_dir():
        return target
    shutil.rmtree(folder, ignore_errors=True)  # of older bundles and exporters
    folder.mkdir(parents=True)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # tracing gains nothing from a second one, and waits for it on a busy machine
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        new = Path(scratch) / "new"
        pipeline, planner, _ = load_models(bundle)
        export_text_states(pipeline.text_encoder, new / "text_encoder.onnx", opset=OPSET)
        export_causal_lm(planner, new / "planner.onnx", opset=OPSET)
        export_denoise_step(pipeline.unet, new / "unet.onnx", opset=OPSET)
        exported = Path(scratch) / "exported.onnx"
        export_decode_yuv(pipeline.vae, bundle.conventions.fold, exported, opset=OPSET)
        write_plane_graph(exported, new / "vae_decoder.onnx")
        new.rename(target)
    torch.set_num_threads(threads)
    return target


def _digest(bundle: Bundle) -> str:
    exporter = Path(next(iter(framecast.export.__path__)))
    files = [file for pattern in _CODE for file in sorted(exporter.glob(pattern))]
    files += sorted(file for file in bundle.path.rglob("*") if file.is_file())
    digest = hashlib.sha256(repr(versions()).encode())
    for file in files:
        digest.update(f"{file.name} {sha256(file)}\n".encode())
    return digest.hexdigest()
