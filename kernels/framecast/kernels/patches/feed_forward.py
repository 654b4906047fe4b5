"""GEGLU of diffusers' feed-forward layers."""

from typing import Any

from torch import Tensor, nn

from framecast.kernels.geglu.op import geglu
from framecast.kernels.patches.forward import is_replaced, original, replace_forward
from framecast.kernels.switches import enabled

OP = "geglu"


def patch_geglu(model: nn.Module) -> int:
    """Patches every `GEGLU`; their number."""
    from diffusers.models.activations import GEGLU

    found = [module for module in model.modules() if type(module) is GEGLU and not is_replaced(module)]
    for module in found:
        replace_forward(module, _geglu)
    return len(found)


def _geglu(self: Any, hidden_states: Tensor, *args: Any, **kwargs: Any) -> Any:
    if not enabled(OP):
        return original(self, hidden_states, *args, **kwargs)
    return geglu(self.proj(hidden_states))
