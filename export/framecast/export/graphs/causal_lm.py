"""A causal language model with its key-value cache as inputs and outputs."""

import inspect
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from transformers import DynamicCache

from framecast.engines.engine import Array, Engine
from framecast.export.exported import Exported, checked
from framecast.export.onnx_graph import export_onnx
from framecast.export.parity import compare, gaussian
from framecast.export.torch_graph import TorchGraph

_LONG = 500


class CausalLM(nn.Module):
    """Prefill (empty cache) and decoding in one graph.

    Args:
        model: a `transformers` causal LM with standard key-value attention (Llama, Qwen).
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model
        known = inspect.signature(model.forward).parameters
        self.cache_argument = "cache" if "cache" in known else "past_key_values"  # its name until transformers 5.24

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, position_ids: Tensor, past: Sequence[tuple[Tensor, Tensor]]
    ) -> tuple[Tensor, ...]:
        """Logits [B, 1, V] of the last position, then each layer's keys and values [B, heads, past + S, width].

        Args:
            input_ids: int64 [B, S].
            attention_mask: int64 [B, past + S].
            position_ids: int64 [B, S].
            past: keys and values [B, heads, past, width] of each layer.
        """
        cache = DynamicCache(ddp_cache_data=[(keys, values) for keys, values in past])
        out = self.model(
            input_ids=input_ids,
            attention_mask=attention_mask,
            position_ids=position_ids,
            use_cache=True,
            logits_to_keep=1,
            **{self.cache_argument: cache},
        )
        layers: Any = cache.layers  # the model appends to the cache that it is given
        present = [tensor for layer in layers for tensor in (layer.keys, layer.values)]
        return (out.logits, *present)


def export_causal_lm(model: Any, path: Path, *, opset: int, written: bool = False) -> Exported:
    """Exports `model`, batch, length and cache length dynamic, and checks prefill and decoding.

    A file that is `written` is only checked.

    Raises:
        ParityError: it differs from torch.
    """
    wrapper = CausalLM(model).eval()
    layers = int(model.config.num_hidden_layers)
    past = [f"past_{i}_{kind}" for i in range(layers) for kind in ("key", "value")]
    outputs = ["logits", *(name.replace("past_", "present_", 1) for name in past)]
    sample = _case(model, past, batch=2, tokens=3, known=5)
    cache_axes = {0: "batch", 2: "past"}
    graph = TorchGraph(
        wrapper,
        _arguments({name: torch.from_numpy(value) for name, value in sample.items()}, past),
        {
            "input_ids": {0: "batch", 1: "tokens"},
            "attention_mask": {0: "batch", 1: "total"},
            "position_ids": {0: "batch", 1: "tokens"},
            "past": [(cache_axes, cache_axes) for _ in range(layers)],
        },
        outputs,
        input_names=["input_ids", "attention_mask", "position_ids", *past],
    )
    if not written:
        export_onnx(graph, path, opset=opset)
    cases = [
        sample,
        _case(model, past, batch=1, tokens=11, known=0),  # prefill
        _case(model, past, batch=1, tokens=1, known=11),  # decode
        _case(model, past, batch=3, tokens=1, known=4),
        # What depends on the length, as some rotary frequencies and windows do, shows in a long text only.
        _case(model, past, batch=1, tokens=min(_LONG, int(model.config.max_position_embeddings) - 1), known=0),
    ]

    def check(engine: Engine) -> Mapping[str, float]:
        return compare("planner", engine, lambda **i: wrapper(**_arguments(i, past)), cases, outputs)

    return checked(path, opset, graph, wrapper, check)


def _arguments(inputs: dict[str, Tensor], past: Sequence[str]) -> dict[str, object]:
    """The graph's flat inputs as the module's arguments."""
    pairs = [(inputs[past[i]], inputs[past[i + 1]]) for i in range(0, len(past), 2)]
    return {name: inputs[name] for name in ("input_ids", "attention_mask", "position_ids")} | {"past": pairs}


def _case(model: Any, past: Sequence[str], *, batch: int, tokens: int, known: int) -> dict[str, Array]:
    """Random tokens behind a random cache of `known` positions."""
    config = model.config
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    positions = np.arange(known, known + tokens, dtype=np.int64)[None].repeat(batch, 0)
    return {
        "input_ids": np.random.default_rng(0).integers(0, config.vocab_size, (batch, tokens)),
        "attention_mask": np.ones((batch, known + tokens), np.int64),
        "position_ids": positions,
        **{name: gaussian(i, batch, heads, known, width) for i, name in enumerate(past)},
    }
