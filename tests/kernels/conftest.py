"""Triton 3.9 has wheels for Python 3.11 and newer; on 3.10 there are no kernels to test."""

import sys

import pytest
import torch
from tests.support.tiny_networks import MODELS, randomised
from torch import Tensor, nn

collect_ignore_glob = ["*"] if sys.version_info < (3, 11) else []


@pytest.fixture(params=MODELS)
def model(request: pytest.FixtureRequest) -> tuple[nn.Module, tuple[Tensor, ...]]:
    torch.manual_seed(0)
    model, inputs = MODELS[request.param]()
    return randomised(model), inputs
