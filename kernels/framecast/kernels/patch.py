"""Makes a diffusers model use our ops, in place: UNetMotionModel, UNet3DConditionModel, AutoencoderKL and their kin.

Parameters, classes and state dicts stay as they are; only the ``forward`` of single modules is replaced, so a pipeline,
a checkpoint loader or an exporter sees the same model. For inference: what is derived from weights is
derived once, and does not follow a training.
"""

from collections.abc import Sequence

import torch
from torch import nn

from framecast.kernels.patches.feed_forward import patch_geglu
from framecast.kernels.patches.forward import restore_forward
from framecast.kernels.patches.kept import forget
from framecast.kernels.patches.norm import patch_norms
from framecast.kernels.patches.temporal import patch_temporal_attention
from framecast.kernels.patches.upsample import patch_upsamples

# Temporal transformers first: they take their own norm along.
_PATCHES = {
    "temporal_attention": patch_temporal_attention,
    "group_norm_silu": patch_norms,
    "geglu": patch_geglu,
    "upsample_conv": patch_upsamples,
}
PATCHABLE = tuple(_PATCHES)


def patch(model: nn.Module, ops: Sequence[str] = PATCHABLE) -> dict[str, int]:
    """Replaces what `ops` cover; patching twice changes nothing.

    Weights, dtype and device come first: what is derived from weights (tables of positions, sums of taps) is derived
    here, and kept in buffers that no state dict has. After a change, `unpatch` and patch again; to pickle the model
    itself, `unpatch` it first. What others hook inside a patched module, before or after, but before it
    is compiled, is heard: that module then
    runs its original forward.

    Each op keeps its switch (`framecast.kernels.switches`): a module whose op is off runs its original forward.

    Args:
        model: a diffusers model, in evaluation mode.
        ops: any of `PATCHABLE`.

    Returns:
        For each op, the number of modules (norms, activations, transformers) that now use it.

    Raises:
        ValueError: an op that is not `PATCHABLE`.
    """
    unknown = [op for op in ops if op not in _PATCHES]
    if unknown:
        raise ValueError(f"ops: {', '.join(unknown)} is not one of {', '.join(PATCHABLE)}.")
    return {op: replace(model) for op, replace in _PATCHES.items() if op in ops}


def unpatch(model: nn.Module) -> None:
    """Undoes `patch` and every other patch of `framecast.kernels.patches`."""
    for module in model.modules():
        restore_forward(module)
        forget(module)


def to_channels_last(model: nn.Module) -> None:
    """Puts convolution weights into channels-last memory, in place; activations follow.

    The norm kernels read channels-last rows: without this every one of them copies its input first.
    """
    for parameter in model.parameters():
        if parameter.dim() == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
        elif parameter.dim() == 5:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last_3d)
