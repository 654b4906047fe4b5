"""Exported graphs against the torch modules they came from."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from framecast.engines.engine import Array, Engine
from framecast.errors import FramecastError
from framecast.export.precision import FP32, Precision

_NEIGHBOURS = 5e-5


class ParityError(FramecastError):
    """An exported graph does not compute what its module does."""


def compare(
    name: str,
    engine: Engine,
    reference: Callable[..., Sequence[torch.Tensor]],
    cases: Sequence[Mapping[str, Array]],
    outputs: Sequence[str],
    precision: Precision = FP32,
) -> dict[str, float]:
    """Runs both on every case; `reference` computes in single precision whatever the graph's.

    Returns:
        ``max_abs_error`` over all float outputs, relative to an output's largest value where that is beyond 1, and
        ``level_share``, the share of uint8 values that differ, where there are any.

    Raises:
        ParityError: beyond the tolerance.
    """
    worst, differing, levels = 0.0, 0, 0
    for case in cases:
        with torch.no_grad():
            expected = reference(**{key: torch.from_numpy(value.copy()) for key, value in case.items()})
        actual = engine.run(case)
        for output, tensor in zip(outputs, expected, strict=True):
            error = np.abs(actual[output].astype(np.float64) - tensor.numpy().astype(np.float64))
            if actual[output].shape != tuple(tensor.shape) or not np.isfinite(error).all():
                raise ParityError(f"The graph {name} gives {output} of shape {actual[output].shape} or NaN.")
            if actual[output].dtype == np.uint8:
                differing, levels = differing + int((error > 0).sum()), levels + error.size
                if error.max() > precision.levels:
                    raise ParityError(f"The graph {name} is {error.max():.0f} levels off in {output}.")
            elif error.size:
                largest = 1.0 if precision is FP32 else max(1.0, float(tensor.abs().max()))
                worst = max(worst, float(error.max()) / largest)
    if worst > precision.tolerance:
        raise ParityError(f"The graph {name} is off by {worst:.2e}; at most {precision.tolerance:.0e} is allowed.")
    if differing > precision.level_share * levels:
        raise ParityError(f"The graph {name} rounds {differing} of {levels} pixels otherwise than torch.")
    return {"max_abs_error": worst} | ({"level_share": differing / levels} if levels else {})


def batch_independence(engine: Engine, case: Mapping[str, Array], output: str) -> dict[str, float]:
    """The largest difference between row i of a batch and row i run alone; every input has the batch first.

    It may be as large as `_NEIGHBOURS` of the largest value: libraries choose other kernels for other batches, which
    round otherwise. A row that truly depends on its neighbours is off by much more.

    Raises:
        ParityError: a row depends on its neighbours.
    """
    whole = engine.run(case)[output]
    worst, largest = 0.0, max(1.0, float(np.abs(whole).max(initial=0.0)))
    for i in range(len(whole)):
        alone = engine.run({name: value[i : i + 1] for name, value in case.items()})[output]
        worst = float(np.maximum(worst, np.abs(whole[i] - alone[0]).max()))  # keeps NaN, which max() may not
    if not worst <= _NEIGHBOURS * largest:
        raise ParityError(f"A sample changes by {worst:.2e} with its neighbours in the batch.")
    return {"max_abs_difference": worst}


def gaussian(seed: int, *shape: int) -> NDArray[np.float32]:
    """Random float32, a function of `seed`."""
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)
