"""What patches derive from weights and keep in a module, in buffers that no state dict has."""

from torch import Tensor, nn

_NAMES = "_kept_by_patches"  # in a module: names of those buffers


def keep(module: nn.Module, name: str, value: Tensor) -> None:
    """Keeps `value`, in the place of an earlier one of that name."""
    module.register_buffer(name, value, persistent=False)
    module.__dict__.setdefault(_NAMES, set()).add(name)


def is_kept(module: nn.Module, name: str) -> bool:
    """Whether the module keeps something of that name."""
    return name in module.__dict__.get(_NAMES, ())


def forget(module: nn.Module) -> None:
    """Drops everything that is kept."""
    for name in module.__dict__.pop(_NAMES, ()):
        delattr(module, name)
