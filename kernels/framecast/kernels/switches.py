"""An off switch for every op: the fallback is plain torch.

``FRAMECAST_KERNELS_OFF=geglu,yuv420`` turns ops off for a process, ``all`` turns all of them off; `off` does it for a
block of code. The variable is read once, when this module is imported. A switch holds for the whole process, all of its
threads, and torch.compile guards on it: a compiled graph is made anew when it flips.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

OPS = ("group_norm_silu", "temporal_attention", "geglu", "upsample_conv", "guided_step", "yuv420")
VARIABLE = "FRAMECAST_KERNELS_OFF"


def parse(text: str) -> frozenset[str]:
    """The ops named in `text`, separated by commas; ``all`` names every op.

    Raises:
        ValueError: a name that is no op.
    """
    names = frozenset(name.strip() for name in text.split(",") if name.strip())
    unknown = names - {*OPS, "all"}
    if unknown:
        raise ValueError(f"{VARIABLE}: {', '.join(sorted(unknown))} is not one of {', '.join(OPS)} or all.")
    return frozenset(OPS) if "all" in names else names


_blocks = [parse(os.environ.get(VARIABLE, ""))]  # the process's own, then that of every `with` block that is open
_off = _blocks[0]  # all of them together
_lock = threading.Lock()


def enabled(op: str) -> bool:
    """Whether `op` runs as our operator rather than plain torch."""
    return op not in _off


@contextmanager
def off(*ops: str) -> Iterator[None]:
    """Turns `ops` off inside a ``with`` block; "all" is every one. Raises ValueError on an unknown name.

    Blocks of several threads may overlap: an op is off while any of them says so.
    """
    global _off
    block = parse(",".join(ops))
    with _lock:
        _blocks.append(block)
        _off = frozenset[str]().union(*_blocks)
    try:
        yield
    finally:
        with _lock:
            _blocks.remove(block)  # one of those that are equal
            _off = frozenset[str]().union(*_blocks)
