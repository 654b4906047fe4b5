"""An AOTInductor package of the decoder with our kernels compiled into it, and torch's runtime to call it."""

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from framecast.bench.gpu.denoise import decoding
from framecast.bench.gpu.job import Turn
from framecast.bench.gpu.rows import Emit
from framecast.bench.gpu.scale import Scale
from framecast.bench.gpu.switches import Switches, applied
from framecast.bench.gpu.timing import measure


@dataclass(frozen=True)
class AotiJob:
    """Exports the decoder for this clip's size, packages it, loads the package and calls it."""

    name: str = "aoti"
    seconds: float = 4.0

    def run(self, scale: Scale, emit: Emit, turn: Turn) -> None:
        """See `Job.run`."""
        from framecast.export.aoti import write_package

        if not scale.compile:
            turn()
            emit(what="aoti", skipped="nothing is compiled here; the tests of the engine compile a package")
            return
        work = decoding(scale)
        switches = replace(Switches(), compile=False, upsample_conv=False)  # that op's launch is Python
        with tempfile.TemporaryDirectory() as folder, torch.no_grad(), applied(work.module, switches) as module:
            path = Path(folder) / "vae.pt2"
            write_package(torch.export.export(module, work.inputs, strict=False), path)
            size = path.stat().st_size
            package = torch._inductor.aoti_load_package(str(path))
            wrong = work.wrong(tuple(package(*work.inputs)))
            turn()
            if wrong:
                emit(what="aoti", refused=wrong)
                return
            timing = measure(lambda: package(*work.inputs), torch.device(scale.device), 4 * scale.seconds)
        emit(what="aoti", graph=work.name, file_mb=size / 2**20, **timing.record("call"))
