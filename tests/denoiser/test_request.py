"""What the denoiser refuses, and by which name."""

from typing import Any

import numpy as np
import pytest

from framecast.denoiser.request import SegmentRules
from framecast.denoiser.samplers import SamplerTable, Schedule, initial_noise
from framecast.errors import InvalidRepository, InvalidRequest

RULES = SegmentRules(
    samplers=SamplerTable("DDIMScheduler", {2: Schedule(1.0, (999.0, 499.0), ((1.0, 0.5, 0.5), (1.0, 1.0, 0.0)))}),
    channels=4,
    width=6,
    max_tokens=5,
    downscale=8,
    size_multiple=16,
    max_latents=12,
    max_side=512,
)
STATES = np.zeros((3, 6), np.float32)
GOOD: dict[str, Any] = {
    "embedding": STATES,
    "negative_embedding": STATES,
    "seed": 1,
    "steps": 2,
    "guidance": 3.0,
    "size": (32, 48),
    "latent_count": 5,
    "context": None,
}


def test_a_good_request() -> None:
    segment = RULES.segment(**GOOD)
    assert segment.shape == (5, 4, 4, 6)
    assert segment.context.shape == (0, 4, 4, 6)


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("STEPS", {"steps": 3}),
        ("GUIDANCE", {"guidance": float("nan")}),
        ("GUIDANCE", {"guidance": -1.0}),
        ("SEED", {"seed": -1}),
        ("SIZE", {"size": (32, 40)}),
        ("SIZE", {"size": (0, 32)}),
        ("SIZE", {"size": (1024, 32)}),
        ("LATENT_COUNT", {"latent_count": 13}),
        ("LATENT_COUNT", {"latent_count": 0}),
        ("EMBEDDING", {"embedding": np.zeros((3, 7), np.float32)}),
        ("EMBEDDING", {"embedding": np.zeros((6, 6), np.float32)}),
        ("EMBEDDING", {"embedding": np.zeros((0, 6), np.float32)}),
        ("EMBEDDING", {"embedding": np.full((3, 6), np.nan, np.float32)}),
        ("NEGATIVE_EMBEDDING", {"negative_embedding": np.zeros((2, 6), np.float32)}),
        ("CONTEXT", {"context": np.zeros((5, 4, 4, 6), np.float32)}),
        ("CONTEXT", {"context": np.zeros((1, 4, 4, 4), np.float32)}),
        ("CONTEXT", {"context": np.full((1, 4, 4, 6), np.inf, np.float32)}),
    ],
)
def test_a_bad_one_is_refused_by_name(field: str, change: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        RULES.segment(**{**GOOD, **change})
    assert refusal.value.field == field


def test_noise_is_gaussian_and_depends_on_the_seed_alone() -> None:
    noise = initial_noise(5, (8, 4, 32, 32), 2.0)
    np.testing.assert_array_equal(noise, initial_noise(5, (8, 4, 32, 32), 2.0))
    assert abs(noise.mean()) < 0.05
    assert abs(noise.std() - 2.0) < 0.05
    assert abs(np.corrcoef(noise.ravel(), initial_noise(6, noise.shape, 2.0).ravel())[0, 1]) < 0.02


def test_a_table_survives_a_round_trip_and_a_broken_one_is_refused(tmp_path: Any) -> None:
    path = tmp_path / "samplers.json"
    RULES.samplers.save(path)
    assert SamplerTable.load(path) == RULES.samplers
    path.write_text("{}", encoding="utf-8")
    with pytest.raises(InvalidRepository):
        SamplerTable.load(path)
