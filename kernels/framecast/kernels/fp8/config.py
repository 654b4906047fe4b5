"""The specs of the ops in e4m3 that are compiled ahead of time."""

from framecast.kernels.group_norm_silu.config import GroupNormConfig, apply_spec
from framecast.kernels.spec import SINCE_HOPPER, KernelSpec, next_power_of_two
from framecast.kernels.upsample_conv.config import spec as conv_spec


def geglu_constants(width: int) -> dict[str, int]:
    """A row of `width` as two tiles, so that few lanes are idle: 1280 is 1024 and 256."""
    first = max(16, next_power_of_two(width + 1) // 2)
    return {"WIDTH": width, "FIRST": first, "REST": max(16, next_power_of_two(max(1, width - first)))}


def geglu_warps(width: int) -> int:
    """A warp for each 512 outputs, as far as there are powers of two: Triton takes no others."""
    return min(8, next_power_of_two(width // 512 + 1) // 2 or 1)


def geglu_spec(width: int, dtype: str, *, variant: str) -> KernelSpec:
    """For rows of `dtype` (fp16, bf16 or fp32)."""
    from framecast.kernels.fp8.kernel import geglu_fp8_kernel

    arguments = {"x_ptr": f"*{dtype}", "x_row": "i32", "out_ptr": "*fp8e4nv", "scale_ptr": "*fp32"}
    divisible = tuple(arguments) if width % 16 == 0 else ("x_ptr", "out_ptr", "scale_ptr")
    constants = dict(geglu_constants(width))
    warps = geglu_warps(width)
    return KernelSpec(
        "fp8",
        variant,
        geglu_fp8_kernel,
        arguments,
        constants,
        divisible,
        num_warps=warps,
        capabilities=SINCE_HOPPER,
    )


def specs() -> list[KernelSpec]:
    """One a shape class of each op."""
    norm = GroupNormConfig.choose(32, 640, 1024)
    convolutions = [
        conv_spec(side, "fp8e4nv", "bf16", taps=3, variant=f"{name}, e4m3", small=small)
        for name, side in (("unet 8²", 8), ("unet 32²", 32), ("vae 512²", 512))
        for small in (False, True)
    ]
    return [
        *convolutions,
        apply_spec(norm, "bf16", eps=1e-5, silu=True, variant="unet 32², 640, bf16 to e4m3", out="fp8e4nv"),
        geglu_spec(1280, "bf16", variant="unet 64², 1280, bf16 to e4m3"),
        geglu_spec(2560, "bf16", variant="unet 32², 2560, bf16 to e4m3"),
        geglu_spec(5120, "fp16", variant="unet 16², 5120, fp16 to e4m3"),
    ]
