"""The shapes that matter, for benchmarks: how often each op runs in one denoise step or one decode, and what it costs.

Counted by running the patched models on the meta device (`framecast.kernels.count`): AnimateDiff on
Stable Diffusion 1.5 (512 × 512, 16 frames), ModelScope text-to-video (256 × 256, 16 frames), and the storybook bundle
(256 × 256, 12 latents of 4 frames). A step has both halves of guidance, so 2 · 16 or 2 · 12 images; a decode is one
clip. Elements are two bytes unless said otherwise; figures are for one call.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

ANIMATEDIFF, MODELSCOPE, STORYBOOK = "animatediff-sd15-512-16f", "modelscope-256-16f", "storybook"


@dataclass(frozen=True)
class Shape:
    """One op at one shape.

    Attributes:
        op: as in `framecast.kernels.switches.OPS`.
        family: one of the three names above.
        sizes: the op's dimensions by name.
        calls: in a denoise step or, for a VAE's norms and for yuv420, in a decode.
        floor_bytes: every input read once, every output written once.
        kernel_bytes: what our kernels ask of memory; more than the floor where they read twice.
        flops: additions, multiplications and transcendental functions, one each.
        options: what else the call asks for, of ``silu``, ``shift`` (one value for all pixels) and ``position``.
    """

    op: str
    family: str
    sizes: dict[str, int]
    calls: int
    floor_bytes: int
    kernel_bytes: int
    flops: int
    options: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """For tables, for example ``group_norm_silu 32×4096×320×32 silu``."""
        return " ".join((self.op, "×".join(str(size) for size in self.sizes.values()), *self.options))


# (samples, length, channels, groups, SiLU, shift, calls)
_NORMS: dict[str, tuple[tuple[int, int, int, int, bool, bool, int], ...]] = {
    ANIMATEDIFF: (
        (32, 4096, 320, 32, True, True, 5),
        (32, 1024, 640, 32, True, True, 5),
        (32, 256, 1280, 32, True, True, 5),
        (32, 64, 1280, 32, True, True, 7),
        (2, 65536, 320, 32, False, False, 5),
        (2, 16384, 640, 32, False, False, 5),
        (2, 4096, 1280, 32, False, False, 5),
        (2, 1024, 1280, 32, False, False, 6),
        (32, 4096, 320, 32, False, False, 5),
        (32, 1024, 640, 32, False, False, 5),
        (32, 256, 1280, 32, False, False, 5),
        (32, 64, 1280, 32, False, False, 1),
        (32, 4096, 320, 32, True, False, 3),
        (32, 4096, 640, 32, True, False, 2),
        (32, 4096, 960, 32, True, False, 1),
        (32, 1024, 320, 32, True, False, 1),
        (32, 1024, 640, 32, True, False, 1),
        (32, 1024, 960, 32, True, False, 1),
        (32, 1024, 1280, 32, True, False, 1),
        (32, 1024, 1920, 32, True, False, 1),
        (32, 256, 640, 32, True, False, 1),
        (32, 256, 1280, 32, True, False, 1),
        (32, 256, 1920, 32, True, False, 1),
        (32, 256, 2560, 32, True, False, 2),
        (32, 64, 1280, 32, True, False, 4),
        (32, 64, 2560, 32, True, False, 3),
        # The VAE decoder, 16 frames.
        (16, 262144, 128, 32, True, False, 3),
        (16, 262144, 128, 32, True, True, 3),
        (16, 262144, 256, 32, True, False, 1),
        (16, 65536, 256, 32, True, False, 2),
        (16, 65536, 256, 32, True, True, 3),
        (16, 65536, 512, 32, True, False, 1),
        (16, 16384, 512, 32, True, False, 3),
        (16, 16384, 512, 32, True, True, 3),
        (16, 4096, 512, 32, True, False, 5),
        (16, 4096, 512, 32, True, True, 5),
        (16, 4096, 512, 32, False, False, 1),
    ),
    MODELSCOPE: (
        (32, 1024, 320, 32, True, True, 5),
        (32, 256, 640, 32, True, True, 5),
        (32, 64, 1280, 32, True, True, 5),
        (32, 16, 1280, 32, True, True, 7),
        (2, 16384, 320, 32, True, False, 20),
        (2, 4096, 640, 32, True, False, 20),
        (2, 1024, 1280, 32, True, False, 20),
        (2, 256, 1280, 32, True, False, 28),
        (2, 16384, 320, 32, False, False, 6),
        (2, 4096, 640, 32, False, False, 5),
        (2, 1024, 1280, 32, False, False, 5),
        (2, 256, 1280, 32, False, False, 1),
        (32, 1024, 320, 32, False, False, 5),
        (32, 256, 640, 32, False, False, 5),
        (32, 64, 1280, 32, False, False, 5),
        (32, 16, 1280, 32, False, False, 1),
        (32, 1024, 320, 32, True, False, 3),
        (32, 1024, 640, 32, True, False, 2),
        (32, 1024, 960, 32, True, False, 1),
        (32, 256, 320, 32, True, False, 1),
        (32, 256, 640, 32, True, False, 1),
        (32, 256, 960, 32, True, False, 1),
        (32, 256, 1280, 32, True, False, 1),
        (32, 256, 1920, 32, True, False, 1),
        (32, 64, 640, 32, True, False, 1),
        (32, 64, 1280, 32, True, False, 1),
        (32, 64, 1920, 32, True, False, 1),
        (32, 64, 2560, 32, True, False, 2),
        (32, 16, 1280, 32, True, False, 4),
        (32, 16, 2560, 32, True, False, 3),
    ),
    STORYBOOK: (
        (2, 3072, 64, 16, False, False, 1),
        (24, 256, 64, 16, True, False, 2),
        (24, 256, 64, 16, True, True, 3),
        (2, 3072, 64, 16, True, False, 12),
        (24, 64, 64, 16, True, False, 1),
        (24, 64, 128, 16, True, True, 5),
        (2, 768, 128, 16, True, False, 20),
        (24, 64, 128, 16, False, False, 4),
        (2, 768, 128, 16, False, False, 4),
        (24, 64, 128, 16, True, False, 2),
        (24, 64, 256, 16, True, False, 1),
        (24, 64, 192, 16, True, False, 1),
        (24, 256, 192, 16, True, False, 1),
        (24, 256, 128, 16, True, False, 1),
        # The VAE decoder, 12 latents.
        (12, 256, 192, 8, True, False, 5),
        (12, 256, 192, 8, True, True, 4),
    ),
}

# (images, pixels, heads, width, frames, calls)
_ATTENTIONS: dict[str, tuple[tuple[int, int, int, int, int, int], ...]] = {
    ANIMATEDIFF: (
        (32, 4096, 8, 40, 16, 10),
        (32, 1024, 8, 80, 16, 10),
        (32, 256, 8, 160, 16, 10),
        (32, 64, 8, 160, 16, 12),
    ),
    MODELSCOPE: (
        (32, 1024, 8, 64, 16, 2),
        (32, 1024, 5, 64, 16, 10),
        (32, 256, 10, 64, 16, 10),
        (32, 64, 20, 64, 16, 10),
        (32, 16, 20, 64, 16, 2),
    ),
    STORYBOOK: ((24, 256, 8, 4, 12, 2), (24, 64, 32, 4, 12, 8)),
}

# (rows, width, calls)
_GEGLUS: dict[str, tuple[tuple[int, int, int], ...]] = {
    ANIMATEDIFF: ((131072, 1280, 10), (32768, 2560, 10), (8192, 5120, 10), (2048, 5120, 7)),
    MODELSCOPE: ((32768, 1280, 10), (32768, 2048, 1), (8192, 2560, 10), (2048, 5120, 10), (512, 5120, 2)),
    STORYBOOK: ((6144, 128, 1), (1536, 512, 8)),
}

# (images, channels, outputs, height, width, calls), before it is enlarged
_UPSAMPLES: dict[str, tuple[tuple[int, int, int, int, int, int], ...]] = {
    ANIMATEDIFF: (
        (32, 1280, 1280, 8, 8, 1),
        (32, 1280, 1280, 16, 16, 1),
        (32, 640, 640, 32, 32, 1),
        # The VAE decoder, 16 frames.
        (16, 512, 512, 64, 64, 1),
        (16, 512, 512, 128, 128, 1),
        (16, 256, 256, 256, 256, 1),
    ),
    MODELSCOPE: ((32, 1280, 1280, 4, 4, 1), (32, 1280, 1280, 8, 8, 1), (32, 640, 640, 16, 16, 1)),
    STORYBOOK: ((24, 128, 128, 8, 8, 1),),
}

# (samples, elements of a sample); one call a step
_STEPS = {ANIMATEDIFF: (1, 16 * 4 * 64 * 64), MODELSCOPE: (1, 16 * 4 * 32 * 32), STORYBOOK: (1, 12 * 80 * 16 * 16)}

# (frames, height, width); one call a decode
_PLANES = {ANIMATEDIFF: (16, 512, 512), MODELSCOPE: (16, 256, 256), STORYBOOK: (48, 256, 256)}


def shapes(family: str | None = None, *, itemsize: int = 2) -> list[Shape]:
    """All shapes of a family, or of every family; `itemsize` is the bytes of an element. Raises ValueError."""
    families = (ANIMATEDIFF, MODELSCOPE, STORYBOOK)
    if family is not None and family not in families:
        raise ValueError(f"family: {family} is not one of {', '.join(families)}.")
    return [shape for name in families if family in (None, name) for shape in _family(name, itemsize)]


def _family(family: str, item: int) -> Iterator[Shape]:
    for samples, length, channels, groups, silu, shift, calls in _NORMS[family]:
        count = samples * length * channels
        sizes = {"samples": samples, "length": length, "channels": channels, "groups": groups}
        moved, floor = 3 * count * item, 2 * count * item  # read, read again, write
        flops = count * (8 + 3 * silu + 2 * shift)
        options = tuple(name for name, there in (("silu", silu), ("shift", shift)) if there)
        yield Shape("group_norm_silu", family, sizes, calls, floor, moved, flops, options)
    for images, pixels, heads, width, frames, calls in _ATTENTIONS[family]:
        sizes = {"images": images, "pixels": pixels, "heads": heads, "width": width, "frames": frames}
        tensor = images * pixels * heads * width
        flops = images * pixels * heads * frames * (4 * width + 5)
        options = ("position",) if family == ANIMATEDIFF else ()
        yield Shape("temporal_attention", family, sizes, calls, 4 * tensor * item, 4 * tensor * item, flops, options)
    for rows, width, calls in _GEGLUS[family]:
        moved = 3 * rows * width * item
        yield Shape("geglu", family, {"rows": rows, "width": width}, calls, moved, moved, 6 * rows * width)
    for images, channels, outputs, height, width, calls in _UPSAMPLES[family]:
        sizes = {"images": images, "channels": channels, "outputs": outputs, "height": height, "width": width}
        pixels = images * height * width
        moved = (pixels * (channels + 4 * outputs) + 16 * channels * outputs) * item
        yield Shape("upsample_conv", family, sizes, calls, moved, moved, 2 * 16 * pixels * channels * outputs)
    samples, elements = _STEPS[family]
    moved = 5 * samples * elements * item  # latents, both outputs in; latents and the guided output out
    yield Shape(
        "guided_step", family, {"samples": samples, "elements": elements}, 1, moved, moved, 6 * moved // 5 // item
    )
    frames, height, width = _PLANES[family]
    pixels = math.prod((frames, height, width))
    moved = 3 * pixels * item + pixels * 3 // 2
    sizes = {"frames": frames, "height": height, "width": width}
    yield Shape("yuv420", family, sizes, 1, moved, moved, pixels * 30)
