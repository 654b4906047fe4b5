"""Block sizes of the guided step kernels, and the specs that are compiled ahead of time."""

from framecast.kernels.spec import Constant, KernelSpec

MOMENTS_BLOCK = 4096  # elements whose statistics one program takes


def step_constants(*, rescale: bool) -> dict[str, int]:
    """Of `step_kernel`; a program that merges statistics takes more elements, to merge them less often."""
    return {"BLOCK": 4096 if rescale else 1024, "MOMENTS_BLOCK": MOMENTS_BLOCK, "BLOCK_PARTIALS": 128}


def moments_spec(dtype: str, *, variant: str) -> KernelSpec:
    """For dense samples of `dtype` (fp16, bf16 or fp32)."""
    from framecast.kernels.guided_step.kernel import moments_kernel

    arguments = {
        "unconditional_ptr": f"*{dtype}",
        "conditional_ptr": f"*{dtype}",
        "guidance_ptr": "*fp32",
        "length": "i32",
        "unconditional_sample": "i32",
        "conditional_sample": "i32",
        "partial_ptr": "*fp32",
    }
    return KernelSpec(
        "guided_step", variant, moments_kernel, arguments, {"BLOCK": MOMENTS_BLOCK}, _pointers(arguments), num_warps=8
    )


def step_spec(dtype: str, *, noise: bool, previous: bool, rescale: bool, variant: str) -> KernelSpec:
    """For dense samples of `dtype`; the flags say which optional tensors there are."""
    from framecast.kernels.guided_step.kernel import step_kernel

    tensors = {
        "x_ptr": True,
        "unconditional_ptr": True,
        "conditional_ptr": True,
        "guidance_ptr": True,
        "coefficients_ptr": True,
        "noise_ptr": noise,
        "previous_ptr": previous,
        "rescale_ptr": rescale,
        "partial_ptr": rescale,
    }
    small = ("guidance_ptr", "coefficients_ptr", "rescale_ptr", "partial_ptr")
    arguments = {name: "*fp32" if name in small else f"*{dtype}" for name, there in tensors.items() if there}
    strides = {"noise_sample": noise, "previous_sample": previous}
    arguments |= dict.fromkeys(("length", "x_sample", "unconditional_sample", "conditional_sample"), "i32")
    arguments |= {name: "i32" for name, there in strides.items() if there}
    arguments |= {"out_ptr": f"*{dtype}", "guided_ptr": f"*{dtype}"}
    absent = [name for name, there in (tensors | strides).items() if not there]
    fixed: dict[str, Constant] = {**step_constants(rescale=rescale), **dict.fromkeys(absent)}
    return KernelSpec(
        "guided_step", variant, step_kernel, arguments, fixed, _pointers(arguments), num_warps=8 if rescale else 4
    )


def _pointers(arguments: dict[str, str]) -> tuple[str, ...]:
    return tuple(name for name, kind in arguments.items() if kind[0] == "*")


def specs() -> list[KernelSpec]:
    """The plain step, and the one with everything."""
    return [
        moments_spec("fp16", variant="fp16"),
        step_spec("fp16", noise=False, previous=False, rescale=False, variant="fp16"),
        step_spec("fp32", noise=True, previous=True, rescale=True, variant="all options, fp32"),
    ]
