"""A denoise step of AnimateDiff's size under the suite's switches, and whole clips with the fastest of them."""

import time
from statistics import median
from typing import Any

import torch

from framecast.bench.gpu import models
from framecast.bench.gpu.ceilings import FRAME_FLOOR_MS, STEP_FLOOR_MS
from framecast.bench.gpu.energy import spent
from framecast.bench.gpu.kernels import reason
from framecast.bench.gpu.module import Ready, Workload, ready
from framecast.bench.gpu.profile import heaviest_kernels
from framecast.bench.gpu.rows import Deadline, Emit
from framecast.bench.gpu.scale import Scale
from framecast.bench.gpu.switches import SUITE, Rung

COMPILE_SECONDS = 110.0  # that compiling the UNet may take; with less left the rung is left out
_CLIPS = 3


def workload(scale: Scale) -> Workload:
    """The step."""
    return Workload.of(
        "unet step", models.unet(scale), lambda dtype: models.step_inputs(scale, dtype), scale, STEP_FLOOR_MS
    )


def decoding(scale: Scale) -> Workload:
    """The decoding of a clip's frames."""

    def inputs(dtype: torch.dtype) -> tuple[torch.Tensor, ...]:
        device = torch.device(scale.device)
        make = torch.Generator(device).manual_seed(3)
        side = scale.latent_side
        return (torch.randn(scale.frames, 4, side, side, generator=make, device=device).to(dtype),)

    return Workload.of("vae decode", models.vae(scale), inputs, scale, FRAME_FLOOR_MS * scale.frames)


def steps(scale: Scale, emit: Emit, deadline: Deadline) -> None:
    """The step under every set of switches; energy and kernels of ours, and whole clips with all of it."""
    step = workload(scale)
    for rung in SUITE:
        if not _fits(rung, scale, emit, deadline, step.name, COMPILE_SECONDS):
            continue
        try:
            with ready(step, rung, scale, emit) as made:
                if made is None or "ours" not in rung.name:
                    continue
                _account(step, made, rung, scale, emit)
                if rung.switches.compile:
                    clips(step, made, rung, scale, emit)
        except Exception as error:  # noqa: BLE001 - recorded, and the next rung is another program
            emit(what=step.name, rung=rung.name, failed=reason(error))


def decode(scale: Scale, emit: Emit, deadline: Deadline) -> None:
    """The decoding under every set of switches."""
    work = decoding(scale)
    for rung in SUITE:
        if not _fits(rung, scale, emit, deadline, work.name, COMPILE_SECONDS / 2):
            continue
        try:
            with ready(work, rung, scale, emit) as made:
                if made is not None and rung.name == "ours":
                    _account(work, made, rung, scale, emit)
        except Exception as error:  # noqa: BLE001 - as above
            emit(what=work.name, rung=rung.name, failed=reason(error))


def _account(work: Workload, made: Ready, rung: Rung, scale: Scale, emit: Emit) -> None:
    """What a call takes, in energy and by kernel."""
    emit(what=f"{work.name} energy", rung=rung.name, **spent(made.call, scale, made.timing.median_us))
    for kernel in heaviest_kernels(made.call):
        emit(what=f"{work.name} kernels", rung=rung.name, **kernel)


def clips(step: Workload, made: Ready, rung: Rung, scale: Scale, emit: Emit) -> None:
    """Whole clips: from noise and text states on the device to planes in the host's memory, by the wall clock."""
    kept = [tensor.clone() for tensor in step.inputs]
    try:
        _clips(step, made, rung, scale, emit)
    finally:
        for tensor, before in zip(step.inputs, kept, strict=True):
            tensor.copy_(before)  # the rungs that follow are checked on the inputs of the reference


def _clips(step: Workload, made: Ready, rung: Rung, scale: Scale, emit: Emit) -> None:
    decoder = decoding(scale)
    rows: list[dict[str, Any]] = []
    with ready(decoder, Rung(rung.name, rung.switches), scale, lambda **row: rows.append(row)) as decoded:
        if decoded is None:
            emit(what="clip", rung=rung.name, refused=rows[-1]["refused"])
            return
        for count in scale.steps:
            seconds = [_clip(step, made, decoder, decoded, count) for _ in range(1 if scale.name == "tiny" else _CLIPS)]
            row = {"what": f"clip of {count} steps", "rung": rung.name, "seconds": median(seconds)}
            emit(**row, frames_a_second=scale.frames / median(seconds))


def _clip(step: Workload, made: Ready, decoder: Workload, decoded: Ready, count: int) -> float:
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
        latents.copy_(made.call()[0])
    decoder.inputs[0].copy_(latents[0].transpose(0, 1))
    for plane in decoded.call():
        plane.cpu()
    _wait(latents)
    return time.perf_counter() - began


def _wait(tensor: torch.Tensor) -> None:
    if tensor.is_cuda:
        torch.cuda.synchronize()


def _fits(rung: Rung, scale: Scale, emit: Emit, deadline: Deadline, what: str, seconds: float) -> bool:
    needed = scale.compiling(seconds) if rung.switches.compile and scale.compile else seconds / 10
    if scale.name == "tiny" or deadline.allows(needed):
        return True
    emit(what=what, rung=rung.name, skipped=f"{deadline.left:.0f} s left, about {needed:.0f} s needed")
    return False
