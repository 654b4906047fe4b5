"""A torch module and how it is traced: what every kind of graph is made from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn


@dataclass(frozen=True)
class TorchGraph:
    """A module ready to be traced.

    Attributes:
        module: in eval mode.
        inputs: sample arguments by name; no dynamic axis may be 1 or equal another, or it would be taken as fixed.
        dynamic: for each argument its dynamic axes, as `torch.export` takes them.
        outputs: names of the outputs.
        input_names: names of the inputs, flattened; the argument names by default.
        symbolic: `dynamic` is made of `Dim` objects whose relations the module keeps. It is then traced once, and
            what the module decides on a size (diffusers compares batch · frames with 64) does not narrow the axes.
    """

    module: nn.Module
    inputs: Mapping[str, Any]
    dynamic: Mapping[str, Any]
    outputs: Sequence[str]
    input_names: Sequence[str] | None = None
    symbolic: bool = False

    def program(self) -> torch.export.ExportedProgram:
        """The module traced, its axes dynamic."""
        # With symbolic sizes it takes longer to look a node's result up than to infer it.
        with torch.no_grad(), torch._dynamo.config.patch(fake_tensor_cache_enabled=False):
            return torch.export.export(
                self.module,
                (),
                dict(self.inputs),
                dynamic_shapes=dict(self.dynamic),
                strict=False,
                prefer_deferred_runtime_asserts_over_guards=True,
            )
