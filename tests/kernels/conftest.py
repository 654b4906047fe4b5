"""Networks with everything that is patched."""

import pytest
import torch
from tests.support.tiny_networks import MODELS, randomised
from torch import Tensor, nn


@pytest.fixture(params=MODELS)
def model(request: pytest.FixtureRequest) -> tuple[nn.Module, tuple[Tensor, ...]]:
    torch.manual_seed(0)
    model, inputs = MODELS[request.param]()
    return randomised(model), inputs
