"""Tokens a second of a planner of Qwen3-0.6B's size, one story at a time."""

import time
from dataclasses import dataclass
from typing import Any

import torch

from framecast.bench.gpu import models
from framecast.bench.gpu.ceilings import COPY_TB_S
from framecast.bench.gpu.job import Turn
from framecast.bench.gpu.rows import Emit, reason
from framecast.bench.gpu.scale import Scale

# name → what `generate` is told. transformers compiles the decoding of a static cache by itself, on a GPU.
_WAYS: dict[str, dict[str, Any]] = {
    "eager": {},
    "static cache": {"cache_implementation": "static", "disable_compile": True},
    "static cache, compile": {"cache_implementation": "static"},
}


@dataclass(frozen=True)
class PlannerJob:
    """Each way of generating; all of them must write what eager torch writes."""

    name: str = "planner"
    seconds: float = 20.0
    gigabytes: float = 4.0

    def run(self, scale: Scale, emit: Emit, turn: Turn) -> None:
        """See `Job.run`."""
        model = models.planner(scale)
        count = sum(parameter.numel() for parameter in model.parameters())
        floor = COPY_TB_S * 1e12 / (count * model.dtype.itemsize)  # every weight is read once a token
        prompt = torch.randint(0, 64, (1, scale.prompt), generator=torch.Generator().manual_seed(4)).to(scale.device)
        expected: list[int] = []
        ready: list[str] = []
        for way in _WAYS:
            try:
                _generate(model, prompt, scale, _WAYS[way])  # warm, and compiled
            except Exception as error:  # noqa: BLE001 - recorded, and the other ways go on
                emit(what="planner", rung=way, failed=reason(error))
                continue
            ready.append(way)
        turn()
        for way in ready:
            written, seconds = _generate(model, prompt, scale, _WAYS[way])
            row: dict[str, Any] = {"what": "planner", "rung": way, "tokens": len(written)}
            if way == "eager":
                expected = written
            if expected:
                row["tokens_as_eager"] = sum(a == b for a, b in zip(written, expected, strict=False)) / len(expected)
            emit(**row, tokens_a_second=len(written) / seconds, of_floor=floor * seconds / len(written))


def _generate(model: Any, prompt: torch.Tensor, scale: Scale, options: dict[str, Any]) -> tuple[list[int], float]:
    """The tokens that are written, and seconds."""
    if prompt.is_cuda:
        torch.cuda.synchronize()
    began = time.perf_counter()
    out = model.generate(
        prompt,
        attention_mask=torch.ones_like(prompt),
        max_new_tokens=scale.tokens,
        min_new_tokens=scale.tokens,
        do_sample=False,
        pad_token_id=0,
        eos_token_id=None,
        **options,
    )
    written: list[int] = out[0, prompt.shape[1] :].tolist()  # on the host: everything is done
    return written, time.perf_counter() - began
