"""Denoise steps and decodes of AnimateDiff's size under one set of switches, and whole clips made of them."""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import median

import torch

from framecast.bench.gpu import models
from framecast.bench.gpu.ceilings import DISTILLED_FLOOR_MS, FRAME_FLOOR_MS, STEP_FLOOR_MS
from framecast.bench.gpu.energy import spent
from framecast.bench.gpu.job import Turn
from framecast.bench.gpu.module import Ready, Tensors, Workload, ready, timed
from framecast.bench.gpu.profile import heaviest_kernels
from framecast.bench.gpu.rows import Emit, reason
from framecast.bench.gpu.scale import Scale
from framecast.bench.gpu.switches import Rung

_CLIPS = 3


def stepping(scale: Scale) -> Workload:
    """The step with guidance."""
    return Workload.of(
        "unet step", models.step(scale), lambda dtype: models.step_inputs(scale, dtype), scale, STEP_FLOOR_MS
    )


def distilled(scale: Scale) -> Workload:
    """The step without guidance, as models run it that were distilled to few steps."""

    def inputs(dtype: torch.dtype) -> Tensors:
        return models.step_inputs(scale, dtype, guided=False)

    return Workload.of("distilled step", models.step(scale, guided=False), inputs, scale, DISTILLED_FLOOR_MS)


def decoding(scale: Scale) -> Workload:
    """The decoding of a clip's frames."""

    def inputs(dtype: torch.dtype) -> Tensors:
        device = torch.device(scale.device)
        make = torch.Generator(device).manual_seed(3)
        side = scale.latent_side
        return (torch.randn(scale.frames, 4, side, side, generator=make, device=device).to(dtype),)

    module = models.vae(scale)
    module.vae.enable_slicing()  # a frame at a time, for in float32 all of them take tens of gigabytes
    work = Workload.of("vae decode", module, inputs, scale, FRAME_FLOOR_MS * scale.frames)
    module.vae.disable_slicing()
    return work


WORKLOADS: dict[str, Callable[[Scale], Workload]] = {"step": stepping, "distilled": distilled, "decode": decoding}
#: What each holds: the peaks of 2026-11-27's suite on an H200 and a CUDA context.
GIGABYTES = {"step": 5.5, "distilled": 4.5, "decode": 13.0}


@dataclass(frozen=True)
class ModelJob:
    """Workloads under one set of switches.

    Attributes:
        rung: its switches.
        workloads: of `WORKLOADS`; a step with a decode also makes clips.
    """

    rung: Rung
    workloads: Sequence[str]

    @property
    def name(self) -> str:
        """The rung and its workloads."""
        return f"{self.rung.name}: {', '.join(self.workloads)}"

    @property
    def seconds(self) -> float:
        """Samples, energy, clips and a profile."""
        return 8.0 * len(self.workloads)

    @property
    def gigabytes(self) -> float:
        """Of all its workloads, which are there together."""
        return sum(GIGABYTES[name] for name in self.workloads)

    def run(self, scale: Scale, emit: Emit, turn: Turn) -> None:
        """See `Job.run`: rows of times, energy, clips and heaviest kernels."""
        if self.rung.switches.fp8 and scale.dtype == "float16":
            turn()
            emit(what="jobs", job=self.name, skipped="e4m3 stands beside bfloat16, not float16")
            return
        rung = self.rung.name
        with ExitStack() as open_:
            made: list[tuple[Workload, Ready]] = []
            for name in self.workloads:
                try:
                    work = WORKLOADS[name](scale)
                    prepared = open_.enter_context(ready(work, self.rung, scale, emit))
                except Exception as error:  # noqa: BLE001 - recorded, and the other workload is another program
                    emit(what="jobs", job=self.name, workload=name, failed=reason(error))
                    continue
                if prepared is not None:
                    made.append((work, prepared))
            turn()
            for work, prepared in made:
                timing = timed(work, prepared, scale, emit)
                emit(what=f"{work.name} energy", rung=rung, **spent(prepared.call, scale, timing.median_us))
            if len(made) == 2:
                _clips(made, rung, scale, emit)
            for work, prepared in made:
                for kernel in heaviest_kernels(prepared.call):
                    emit(what=f"{work.name} kernels", rung=rung, **kernel)


def _clips(made: Sequence[tuple[Workload, Ready]], rung: str, scale: Scale, emit: Emit) -> None:
    """Whole clips: from noise and text states on the device to planes in the host's memory, by the wall clock."""
    (step, stepped), (decoder, decoded) = made
    pinned = [torch.empty_like(plane, device="cpu", pin_memory=plane.is_cuda) for plane in decoder.reference]
    guided = step.name == "unet step"
    repeats = 1 if scale.name == "tiny" else _CLIPS
    for count in scale.steps if guided else scale.steps[:1]:  # without guidance few steps are made
        seconds = median(_clip(step, stepped, decoder, decoded, count, pinned) for _ in range(repeats))
        row = {"what": f"clip of {count} steps", "rung": rung, "guidance": guided}
        emit(**row, seconds=seconds, frames_a_second=scale.frames / seconds)


def _clip(
    step: Workload, stepped: Ready, decoder: Workload, decoded: Ready, count: int, pinned: Sequence[torch.Tensor]
) -> float:
    latents, timestep, *_, coefficients = step.inputs
    noise = torch.randn_like(latents)
    times = torch.linspace(999, 1, count, device=latents.device).round().long()
    rows = torch.linspace(0.95, 1.0, count, device=latents.device)
    _wait(latents)
    began = time.perf_counter()
    latents.copy_(noise)
    for index in range(count):
        timestep.copy_(times[index : index + 1])
        coefficients[0, 0].copy_(rows[index])
        latents.copy_(stepped.call()[0])
    decoder.inputs[0].copy_(latents[0].transpose(0, 1))
    for plane, host in zip(decoded.call(), pinned, strict=True):
        host.copy_(plane, non_blocking=True)
    _wait(latents)
    return time.perf_counter() - began


def _wait(tensor: torch.Tensor) -> None:
    if tensor.is_cuda:
        torch.cuda.synchronize()
