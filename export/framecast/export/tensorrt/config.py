"""Options and profiles as a builder configuration. What this version lacks is refused by name, never dropped."""

from collections.abc import Sequence
from typing import Any

from framecast.engines.gpus import require_gpu
from framecast.engines.tensorrt_flavour import TENSORRT, TENSORRT_RTX, Flavour
from framecast.export.tensorrt.api import OPTIONAL, Builder, BuilderBindings, IBuilderConfig, optional
from framecast.export.tensorrt.errors import EngineBuildError
from framecast.export.tensorrt.options import BuildOptions
from framecast.export.tensorrt.plan import PlanTensor
from framecast.export.tensorrt.profiles import Profile


def configure(flavour: Flavour, builder: Builder, options: BuildOptions) -> IBuilderConfig:
    """A configuration with `options` and no profiles yet.

    Raises:
        EngineBuildError: this flavour or version has no such option.
        InvalidRepository: the option needs a GPU and there is none.
    """
    if options.version_compatible:
        _only(flavour, TENSORRT, "version_compatible", "the same TensorRT-RTX to build and to serve")
    if options.refittable:
        require_gpu(f"Building a plan whose weights can be replaced with {flavour.title}")
    bindings: BuilderBindings = flavour.bindings
    config = builder.create_builder_config()
    flags = bindings.BuilderFlag
    if options.workspace_bytes is not None:
        config.set_memory_pool_limit(bindings.MemoryPoolType.WORKSPACE, options.workspace_bytes)
    if options.optimization_level is not None:
        config.builder_optimization_level = options.optimization_level
    wanted = {
        "version_compatible": flags.VERSION_COMPATIBLE,
        "refittable": flags.REFIT,
        "tf32": flags.TF32,
    }
    for name, flag in wanted.items():
        (config.set_flag if getattr(options, name) else config.clear_flag)(flag)
    if options.batch_invariant:
        config.set_flag(_needed(flavour, "batch_invariant", "BuilderFlag.DISTRIBUTIVE_INDEPENDENCE"))
    _set_hardware(flavour, config, options)
    return config


def add_profiles(
    flavour: Flavour,
    builder: Builder,
    config: IBuilderConfig,
    file: str,
    profiles: Sequence[Profile],
    inputs: Sequence[PlanTensor],
) -> None:
    """Adds every profile, in order.

    Raises:
        EngineBuildError: one is not for the dynamic `inputs` of `file`, or TensorRT refuses it.
    """
    dynamic = {tensor.name: tensor for tensor in inputs if -1 in tensor.shape}
    for number, wanted in enumerate(profiles):
        if set(wanted) != set(dynamic):
            raise EngineBuildError(
                f"Profile {number} of {file} is for {', '.join(sorted(wanted)) or 'nothing'}; "
                f"the dynamic inputs are {', '.join(sorted(dynamic)) or 'none'}."
            )
        profile = builder.create_optimization_profile()
        for name, (low, usual, high) in wanted.items():
            fits = all(
                len(shape) == len(dynamic[name].shape)
                and all(fixed in (-1, length) for fixed, length in zip(dynamic[name].shape, shape, strict=True))
                for shape in (low, usual, high)
            )
            if not fits:
                raise EngineBuildError(
                    f"Profile {number} of {file} gives {name} shapes like {list(usual)}; "
                    f"the graph has {list(dynamic[name].shape)}."
                )
            profile.set_shape(name, low, usual, high)
        if config.add_optimization_profile(profile) < 0:
            raise EngineBuildError(f"{flavour.title} refuses profile {number} of {file}.")


def _set_hardware(flavour: Flavour, config: IBuilderConfig, options: BuildOptions) -> None:
    if options.hardware != "same":
        _only(flavour, TENSORRT, "hardware", "compute_capabilities")
        config.hardware_compatibility_level = (
            flavour.bindings.HardwareCompatibilityLevel.AMPERE_PLUS
            if options.hardware == "ampere_plus"
            else _needed(flavour, "hardware", "HardwareCompatibilityLevel.SAME_COMPUTE_CAPABILITY")
        )
    if options.compute_capabilities:
        _only(flavour, TENSORRT_RTX, "compute_capabilities", "hardware")
        known = _needed(flavour, "compute_capabilities", "ComputeCapability")
        targets: Any = config
        targets.num_compute_capabilities = len(options.compute_capabilities)
        for index, sm in enumerate(options.compute_capabilities):
            target = getattr(known, f"SM{sm}", None)
            if target is None or not targets.set_compute_capability(target, index):
                raise EngineBuildError(f"{flavour.title} cannot build for compute capability {sm / 10:.1f}.")


def _needed(flavour: Flavour, option: str, member: str) -> Any:
    found = optional(flavour.bindings, member)
    if found is None:
        raise EngineBuildError(f"{flavour.title} has no option {option}; it needs {OPTIONAL[member]} or newer.")
    return found


def _only(flavour: Flavour, name: str, option: str, other: str) -> None:
    if flavour.name != name:
        raise EngineBuildError(f"{flavour.title} has no option {option}; use {other}.")
