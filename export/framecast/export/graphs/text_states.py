"""The text encoder's graph."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.export import Dim

from framecast.engines.engine import Array, Engine
from framecast.export.exported import Exported, checked
from framecast.export.onnx_graph import export_onnx
from framecast.export.parity import compare
from framecast.export.torch_graph import TorchGraph


class TextStates(nn.Module):
    """Token ids to the states that condition the UNet, as the pipeline takes them.

    Args:
        text_encoder: a `transformers.CLIPTextModel`.
    """

    def __init__(self, text_encoder: Any) -> None:
        super().__init__()
        self.text_encoder = text_encoder

    def forward(self, input_ids: Tensor) -> Tensor:
        """States [B, T, D] of ids int64 [B, T]."""
        states: Tensor = self.text_encoder(input_ids=input_ids).last_hidden_state
        return states


def export_text_states(text_encoder: Any, path: Path, *, opset: int, written: bool = False) -> Exported:
    """Exports `text_encoder`, batch and length dynamic, and checks it; a file that is `written` is only checked.

    Raises:
        ParityError: it differs from torch.
    """
    states = TextStates(text_encoder).eval()
    config = text_encoder.config
    longest = int(config.max_position_embeddings)

    def ids(seed: int, batch: int, tokens: int) -> dict[str, Array]:
        return {"input_ids": np.random.default_rng(seed).integers(0, config.vocab_size, (batch, tokens))}

    sample = ids(1, 2, min(9, longest))
    graph = TorchGraph(
        states,
        {name: torch.from_numpy(value) for name, value in sample.items()},
        {"input_ids": {0: Dim("batch", max=1024), 1: Dim("tokens", max=longest)}},
        ["states"],
    )
    if not written:
        export_onnx(graph, path, opset=opset)
    cases = [sample, ids(2, 1, longest), ids(3, 3, 3)]

    def check(engine: Engine) -> Mapping[str, float]:
        return compare("text_encoder", engine, lambda **i: [states(**i)], cases, ["states"])

    return checked(path, opset, graph, states, check)
