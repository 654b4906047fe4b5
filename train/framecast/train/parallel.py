"""Data-parallel workers on one machine that meet once a step.

Two processes of one thread each share a busy machine far better than one process of two threads, which waits for its
slower thread after every small operation. Start them with `torchrun --nproc-per-node 2 -m framecast.train unet`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist
from torch import nn


class _Silent:
    def log(self, step: int, **numbers: float) -> None:
        """Only the leader keeps a journal."""


class Crew:
    """The workers of this run; reads torchrun's environment, a crew of one without it."""

    def __init__(self) -> None:
        self.size = int(os.environ.get("WORLD_SIZE", "1"))
        self.rank = int(os.environ.get("RANK", "0"))
        if self.size > 1 and not dist.is_initialized():
            dist.init_process_group("gloo")

    @property
    def leads(self) -> bool:
        """This worker writes checkpoints and curves."""
        return self.rank == 0

    def average(self, parameters: Sequence[nn.Parameter]) -> None:
        """Replaces each gradient by the mean over the crew, in one message; the workers use the same layers."""
        if self.size == 1:
            return
        parameters = [p for p in parameters if p.grad is not None]
        flat = torch.cat([p.grad.flatten() for p in parameters if p.grad is not None])
        dist.all_reduce(flat)
        flat /= self.size
        begin = 0
        for p in parameters:
            p.grad = flat[begin : begin + p.numel()].view_as(p)
            begin += p.numel()

    def any(self, flag: bool) -> bool:
        """Whether `flag` is set for one of the crew; all of them ask together."""
        if self.size == 1:
            return flag
        told = torch.tensor([flag], dtype=torch.uint8)
        dist.all_reduce(told, op=dist.ReduceOp.MAX)
        return bool(told.item())

    @contextmanager
    def silence(self) -> Iterator[Any]:
        """A journal that writes nothing."""
        yield _Silent()
