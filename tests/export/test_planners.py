"""Planners of other classes than our own write, token for token, what transformers writes."""

from pathlib import Path

import numpy as np
import pytest
import torch
from tests.support.tiny_bundle import write_tiny_planner
from transformers import AutoModelForCausalLM, AutoTokenizer

from framecast.errors import InvalidRepository
from framecast.export.graphs.causal_lm import export_causal_lm
from framecast.export.models import chat_template
from framecast.planner.decoder import CachedDecoder

TOKENS = 40


@pytest.mark.parametrize("qwen", [False, True], ids=["llama", "qwen3"])
def test_greedy_decoding_is_that_of_generate(tmp_path: Path, qwen: bool) -> None:
    write_tiny_planner(tmp_path / "planner", qwen=qwen)
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "planner", dtype=torch.float32).eval()
    model.requires_grad_(False)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(4)  # untrained logits are all but equal; these are not
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "planner")
    prompt = tokenizer("a white kitten plays").input_ids
    expected = model.generate(
        torch.tensor([prompt]),
        max_new_tokens=TOKENS,
        min_new_tokens=TOKENS,
        do_sample=False,
        pad_token_id=tokenizer.pad_token_id,
    )[0, len(prompt) :].tolist()

    decoder = CachedDecoder(export_causal_lm(model, tmp_path / "planner.onnx", opset=23).engine)
    logits, written = decoder.feed(prompt), []
    for _ in range(TOKENS):
        logits[tokenizer.eos_token_id] = -np.inf
        written.append(int(logits.argmax()))
        logits = decoder.feed([written[-1]])
    assert written == expected
    assert len(set(written)) > 3


def test_a_planner_without_a_chat_template_is_refused(tmp_path: Path) -> None:
    write_tiny_planner(tmp_path / "planner")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "planner")
    assert chat_template(tokenizer, "")[0].endswith("<story>")
    tokenizer.chat_template = None
    with pytest.raises(InvalidRepository, match="no chat template"):
        chat_template(tokenizer, "")
