"""Whole trajectories of every family with every kind of sampler, as diffusers draws them; no graph is exported."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from tests.support.tiny_bundle import write_tiny_bundle
from tests.support.tiny_families import write_animate_diff, write_stable_diffusion

from framecast.engines.engine import TensorInfo
from framecast.export.bundle import Bundle
from framecast.export.denoising import Denoising
from framecast.export.graphs.denoise_step import DenoiseStep
from framecast.export.models import load_models
from framecast.export.parity import ParityError
from framecast.export.quantise.quality import ModuleEngine
from framecast.export.samplers import sampler_table
from framecast.export.trajectory import check_trajectory

BETAS = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012}
SCHEDULERS: dict[str, Any] = {
    "ddim-v": lambda: diffusers.DDIMScheduler(**BETAS, prediction_type="v_prediction", clip_sample=False),
    "euler": lambda: diffusers.EulerDiscreteScheduler(**BETAS),
    "dpm++": lambda: diffusers.DPMSolverMultistepScheduler(**BETAS),
    "lcm": lambda: diffusers.LCMScheduler(**BETAS, clip_sample=False),
    "flow": lambda: diffusers.FlowMatchEulerDiscreteScheduler(),
}
WRITERS = {"text-to-video": write_tiny_bundle, "animate-diff": write_animate_diff, "pictures": write_stable_diffusion}


@dataclass(frozen=True)
class Text:
    """The pipeline's own text encoder."""

    pipeline: Any

    def encode(self, prompts: list[str]) -> NDArray[np.float32]:
        """States [B, T, D]."""
        with torch.no_grad():
            states = [self.pipeline.encode_prompt(prompt, "cpu", 1, False)[0] for prompt in prompts]
        return np.concatenate([state.numpy() for state in states])


@pytest.fixture(scope="module", params=list(WRITERS))
def pipeline(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder: Path = tmp_path_factory.mktemp("family")
    return load_models(Bundle.open(WRITERS[request.param](folder)))[0]


def checked(pipeline: Any, scheduler: str, *, served: str = "", rescale: float = 0.0) -> dict[str, float]:
    pipeline.scheduler = SCHEDULERS[scheduler]()
    table = sampler_table(SCHEDULERS[served or scheduler](), [4])
    names = ["latents", "timestep", "embedding", "negative_embedding", "guidance", "coefficients", "context", "given"]
    extended = ["noise", "memory"] if table.extended else []
    inputs = tuple(TensorInfo(name, "float32", ()) for name in [*names, *extended])
    outputs = tuple(TensorInfo(name, "float32", ()) for name in ("next_latents", *(["next_memory"] * bool(extended))))
    unet = ModuleEngine(DenoiseStep(pipeline.unet, rescale=rescale).eval(), inputs, outputs)
    denoising = Denoising(Text(pipeline), table, 4, 3.0, (3, 4, 8, 8))  # type: ignore[arg-type]
    return check_trajectory(pipeline, unet, denoising, rescale=rescale)


@pytest.mark.parametrize("rescale", [0.0, 0.7])
@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_it_ends_where_diffusers_does(pipeline: Any, scheduler: str, rescale: float) -> None:
    found = checked(pipeline, scheduler, rescale=rescale)
    assert found["max_abs_error"] < 1e-5
    assert found["max_abs_value"] > 0.5


def test_another_sampler_is_told(pipeline: Any) -> None:
    with pytest.raises(ParityError, match="away from diffusers"):
        checked(pipeline, "euler", served="ddim-v")
