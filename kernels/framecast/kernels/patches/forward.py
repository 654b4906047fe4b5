"""Replaces and restores the forward of a module in place; its parameters and class stay as they are."""

from collections.abc import Callable
from types import MethodType
from typing import Any

from torch import nn

_WRAPPED = "_wrapped_forward"  # in a module: the forward it had of its own, or None
_OURS = "_of_patches"  # of a function: it is a forward that we give modules


def replace_forward(module: nn.Module, forward: Callable[..., Any]) -> None:
    """Makes `forward(module, ...)` what the module computes. A module that has a forward of its own keeps it."""
    if not is_replaced(module):
        _give(module, forward)


def _give(module: nn.Module, forward: Callable[..., Any]) -> None:
    setattr(forward, _OURS, True)
    module.__dict__["forward"] = MethodType(forward, module)


def _is_given(module: nn.Module) -> bool:
    # accelerate wraps a forward in a partial that has the attributes of what it wraps.
    return isinstance(module.forward, MethodType) and hasattr(module.forward, _OURS)


def is_replaced(module: nn.Module) -> bool:
    """Whether the module has a forward of its own."""
    return "forward" in module.__dict__


def original(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
    """What the module computes without us."""
    return type(module).forward(module, *args, **kwargs)


def is_hooked(module: nn.Module) -> bool:
    """Whether calling the module does more than its class's forward: others have a forward or hooks there."""
    return is_replaced(module) or bool(module._forward_hooks or module._forward_pre_hooks)


def is_foreign(module: nn.Module) -> bool:
    """Whether others have a forward or hooks there, so that it has to be called and not computed along."""
    if is_replaced(module) and not _is_given(module):
        return True
    return bool(module._forward_hooks or module._forward_pre_hooks)


def wrap_forward(module: nn.Module, forward: Callable[..., Any]) -> None:
    """Puts `forward(module, ...)` around what the module computes now, once; it calls `wrapped`."""
    if _WRAPPED not in module.__dict__:
        module.__dict__[_WRAPPED] = module.__dict__.get("forward")
        _give(module, forward)


def wrapped(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
    """What the module computes inside `wrap_forward`."""
    inner = module.__dict__[_WRAPPED]
    return original(module, *args, **kwargs) if inner is None else inner(*args, **kwargs)


def unwrap_forward(module: nn.Module) -> None:
    """Undoes `wrap_forward`."""
    if _WRAPPED in module.__dict__:
        inner = module.__dict__.pop(_WRAPPED)
        del module.__dict__["forward"]
        if inner is not None:
            module.__dict__["forward"] = inner


def restore_forward(module: nn.Module) -> None:
    """Undoes `wrap_forward` and `replace_forward`; a forward that others put there, accelerate's hooks say, stays."""
    unwrap_forward(module)
    if is_replaced(module) and _is_given(module):
        del module.__dict__["forward"]
