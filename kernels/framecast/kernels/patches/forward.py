"""Replaces and restores the forward of a module in place; its parameters and class stay as they are."""

from collections.abc import Callable
from types import MethodType
from typing import Any

from torch import nn

_WRAPPED = "_wrapped_forward"  # in a module: the forward it had of its own, or None
_PARTNER = "_partner_in_patch"  # in a module: the other one, where two are computed as one
_GIVEN: set[Any] = set()  # functions that modules have been given as their forward


def replace_forward(module: nn.Module, forward: Callable[..., Any]) -> None:
    """Makes `forward(module, ...)` what the module computes. A module that has a forward of its own keeps it."""
    if not is_replaced(module):
        _give(module, forward)


def _give(module: nn.Module, forward: Callable[..., Any]) -> None:
    _GIVEN.add(forward)
    module.__dict__["forward"] = MethodType(forward, module)


def _is_given(forward: Any) -> bool:
    return getattr(forward, "__func__", None) in _GIVEN


def is_replaced(module: nn.Module) -> bool:
    """Whether the module has a forward of its own."""
    return "forward" in module.__dict__


def original(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
    """What the module computes without us."""
    return type(module).forward(module, *args, **kwargs)


def is_hooked(module: nn.Module) -> bool:
    """Whether calling the module does more than its class's forward: others have a forward or hooks there."""
    return is_replaced(module) or _has_hooks(module)


def is_foreign(module: nn.Module) -> bool:
    """Whether others have a forward or hooks there, so that it has to be called and not computed along."""
    own, inner = module.__dict__.get("forward"), module.__dict__.get(_WRAPPED)
    if not all(forward is None or _is_given(forward) for forward in (own, inner)):
        return True
    return _has_hooks(module)


def _has_hooks(module: nn.Module) -> bool:
    return bool(module._forward_hooks or module._forward_pre_hooks)


def make_partners(one: nn.Module, other: nn.Module) -> None:
    """Notes that the two are computed as one, until `restore_forward`."""
    one.__dict__[_PARTNER], other.__dict__[_PARTNER] = other, one


def are_parted(module: nn.Module) -> bool:
    """Whether something foreign stands at the module or at its partner, so that each has to compute its own."""
    return is_foreign(module) or is_foreign(module.__dict__[_PARTNER])


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
    module.__dict__.pop(_PARTNER, None)
    if _is_given(module.__dict__.get("forward")):
        del module.__dict__["forward"]
