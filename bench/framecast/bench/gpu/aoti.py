"""AOTInductor packages with our kernels compiled into them: the decoder's, timed, and small ones as they are served."""

import importlib.util
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from framecast.bench.gpu import models
from framecast.bench.gpu.denoise import decoding
from framecast.bench.gpu.job import Turn
from framecast.bench.gpu.module import Tensors, convolutions
from framecast.bench.gpu.rows import Emit
from framecast.bench.gpu.scale import TINY, Scale
from framecast.bench.gpu.switches import Switches, applied
from framecast.bench.gpu.timing import measure
from framecast.kernels.switches import OPS

_TO_EXPORT = ("onnx", "onnxruntime", "onnxscript")
_NOTHING = "nothing is compiled here; the tests of the engine compile a package"


@dataclass(frozen=True)
class AotiJob:
    """Exports the decoder for this clip's size, packages it, loads the package and calls it.

    Attributes:
        ops: ours that are inside. `upsample_conv` cannot be: its launch is Python.
    """

    name: str = "aoti"
    ops: tuple[str, ...] = ("group_norm_silu", "yuv420")
    seconds: float = 4.0
    gigabytes: float = 13.0

    def run(self, scale: Scale, emit: Emit, turn: Turn) -> None:
        """See `Job.run`."""
        from framecast.export.aoti import write_package

        if not scale.compile:
            turn()
            emit(what="aoti", skipped=_NOTHING)
            return
        work = decoding(scale)
        switches = replace(Switches(), compile=False, **{op: op in self.ops for op in OPS})

        def wrong(step: str, outputs: Tensors) -> bool:
            if not (found := work.wrong(outputs)):
                return False
            black = float((outputs[0] == 16).float().mean())  # what NaN becomes, too
            emit(what="aoti", job=self.name, step=step, refused=found, black=black, **work.beyond(outputs))
            return True

        with tempfile.TemporaryDirectory() as folder, torch.no_grad(), applied(work.module, switches) as module:
            with convolutions(tf32=False, search=False):
                wrong("eager, convolutions as cuDNN guesses", tuple(module(*work.inputs)))
            with convolutions(tf32=True, search=True):
                if wrong("eager", tuple(module(*work.inputs))):
                    turn()
                    return
                if scale.device == "cuda":
                    torch.cuda.empty_cache()  # others prepare on the same device
                path = Path(folder) / "vae.pt2"
                write_package(torch.export.export(module, work.inputs, strict=False), path)
                size = path.stat().st_size
                package = torch._inductor.aoti_load_package(str(path))
                found = tuple(package(*work.inputs))
                turn()
                if wrong("package", found):
                    wrong("package, again", tuple(package(*work.inputs)))
                    wrong("eager, after it", tuple(module(*work.inputs)))
                    return
                timing = measure(lambda: package(*work.inputs), torch.device(scale.device), 4 * scale.seconds)
        emit(what="aoti", job=self.name, graph=work.name, file_mb=size / 2**20, **timing.record("call"))


@dataclass(frozen=True)
class ServedAotiJob:
    """What ``framecast export --engine aoti`` does, on a small decoder and a small denoise step, each a row.

    The package is loaded by the engine that serves it and compared with its module in float32. An export writes ONNX
    and checks it before anything else, so that it needs what does.
    """

    name: str = "aoti as served"
    seconds: float = 1.0
    gigabytes: float = 1.5

    def run(self, scale: Scale, emit: Emit, turn: Turn) -> None:
        """See `Job.run`. Raises ParityError where a package computes something else."""
        if not scale.compile:
            turn()
            emit(what=self.name, skipped=_NOTHING)
            return
        if missing := [name for name in _TO_EXPORT if importlib.util.find_spec(name) is None]:
            turn()
            emit(what=self.name, skipped=f"an export needs {' and '.join(missing)}, which is not here")
            return
        from diffusers import UNet3DConditionModel

        from framecast.engines.aoti import Target
        from framecast.export.aoti import packaged
        from framecast.export.bundle import Fold
        from framecast.export.graphs.decode_yuv import export_decode_yuv
        from framecast.export.graphs.denoise_step import export_denoise_step

        torch.manual_seed(0)
        kind: Any = UNet3DConditionModel
        levels = {"down_block_types": ("DownBlock3D",), "up_block_types": ("UpBlock3D",), "layers_per_block": 1}
        sizes = {"block_out_channels": (8,), "norm_num_groups": 4, "cross_attention_dim": 16, "attention_head_dim": 8}
        rows = []
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            unet = kind(**levels, **sizes).eval()
            for exported in (
                export_decode_yuv(models.vae(TINY).vae, Fold(), folder / "vae_decoder.onnx", opset=23),
                export_denoise_step(unet, folder / "unet.onnx", opset=23),
            ):
                package, _, parity = packaged(exported, Target.here())
                rows.append({"graph": package.stem, "file_mb": package.stat().st_size / 2**20, **parity})
        turn()
        for row in rows:
            emit(what=self.name, **row)
