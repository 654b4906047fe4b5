"""Small recipes of the real classes, and one torch thread: two only wait for each other on a busy machine."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from framecast.train.diffusion import DiffusionConfig
from framecast.train.discriminator import AdversarialConfig
from framecast.train.measure import Measure
from framecast.train.planner import PlannerConfig
from framecast.train.text import TextConfig
from framecast.train.tokenizers import train_planner_tokenizer, train_text_tokenizer
from framecast.train.vae import VaeConfig

VAE = VaeConfig(
    width=32,
    latent_channels=4,
    patches=2,
    steps=6,
    batch=1,
    adversarial=AdversarialConfig(width=8, start=0.5),
)
DIFFUSION = DiffusionConfig(
    blocks=(8, 16),
    head_size=2,
    groups=4,
    text=TextConfig(hidden=16, layers=1, heads=2, inner=16),
    image_steps=4,
    image_batch=4,
    clip_steps=2,
    clip_batch=2,
)
PLANNER = PlannerConfig(
    hidden=16, layers=1, heads=2, key_value_heads=2, inner=32, pretrain_steps=2, finetune_steps=4, batch=2, block=16
)


def even(channels: int) -> Measure:
    """Every channel counts the same, and jumps as their sum."""
    return Measure(torch.ones(channels), torch.ones(2 * channels, 1))


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def tokenizers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A runs folder with both tokenizers, trained on little text."""
    runs = tmp_path_factory.mktemp("runs")
    train_planner_tokenizer(runs / "tokenizers" / "planner", stories=200)
    train_text_tokenizer(runs / "tokenizers" / "text", captions=200)
    return runs
