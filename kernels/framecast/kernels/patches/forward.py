"""Replaces and restores the forward of a module in place; its parameters and class stay as they are."""

from collections.abc import Callable
from types import MethodType
from typing import Any

from torch import nn

# Kept in a module. A forward is known by being the one that was given, not by its function: in torch.compile of torch
# 2.11 `__func__` is None, and every patched layer was taken for somebody else's and computed without our ops.
_GIVEN = "_given_forward"  # the forward it was given here
_WRAPPED = "_wrapped_forward"  # the forward it had of its own, or None
_INSIDE = "_given_forward_inside"  # the one it was given here and that is wrapped now, or None
_PARTNER = "_partner_in_patch"  # the other one, where two are computed as one


def replace_forward(module: nn.Module, forward: Callable[..., Any]) -> None:
    """Makes `forward(module, ...)` what the module computes. A module that has a forward of its own keeps it."""
    if not is_replaced(module):
        _give(module, forward)


def _give(module: nn.Module, forward: Callable[..., Any]) -> None:
    module.__dict__["forward"] = module.__dict__[_GIVEN] = MethodType(forward, module)


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
    if own is not None and own is not module.__dict__.get(_GIVEN):
        return True
    if inner is not None and inner is not module.__dict__.get(_INSIDE):
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
        module.__dict__[_INSIDE] = module.__dict__.get(_GIVEN)
        _give(module, forward)


def wrapped(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
    """What the module computes inside `wrap_forward`."""
    inner = module.__dict__[_WRAPPED]
    return original(module, *args, **kwargs) if inner is None else inner(*args, **kwargs)


def unwrap_forward(module: nn.Module) -> None:
    """Undoes `wrap_forward`."""
    if _WRAPPED in module.__dict__:
        inner, given = module.__dict__.pop(_WRAPPED), module.__dict__.pop(_INSIDE)
        del module.__dict__["forward"], module.__dict__[_GIVEN]
        if inner is not None:
            module.__dict__["forward"] = inner
        if given is not None:
            module.__dict__[_GIVEN] = given


def restore_forward(module: nn.Module) -> None:
    """Undoes `wrap_forward` and `replace_forward`; a forward that others put there, accelerate's hooks say, stays."""
    unwrap_forward(module)
    module.__dict__.pop(_PARTNER, None)
    given = module.__dict__.pop(_GIVEN, None)
    if given is not None and module.__dict__.get("forward") is given:
        del module.__dict__["forward"]
