"""Reference: what `framecast.kernels.geglu.op` must equal."""

from torch import Tensor
from torch.nn import functional as F


def geglu(x: Tensor) -> Tensor:
    """hidden · GELU(gate) of x [..., 2c] = (hidden, gate), exact GELU (Shazeer 2020); in the dtype of x."""
    hidden, gate = x.chunk(2, dim=-1)
    return hidden * F.gelu(gate)
