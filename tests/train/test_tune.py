"""End-to-end fine-tuning trains with what the planner writes."""

import json
import random
from pathlib import Path

import pytest
import torch
from transformers import CLIPTokenizer, PreTrainedTokenizerFast

from framecast.train import diffusion, latents, planner, text, tune, vae
from framecast.train.captions import canonical
from framecast.train.latents import CacheConfig, LatentCache
from framecast.train.parallel import Crew
from framecast.train.stories import storyboard, tell
from framecast.train.telling import Shot
from framecast.train.world.scene import sample_scene

from .conftest import DIFFUSION, PLANNER, VAE, even

CONFIG = tune.TuneConfig(stories=4, held=2, steps=2, batch=2)


def test_a_told_scene_says_everything() -> None:
    rng = random.Random(0)
    for _ in range(50):
        scene = sample_scene(rng)
        assert scene.colour in tell(scene, rng, "en").lower()
        assert tell(scene, rng, "zh") != tell(scene, rng, "en")


def test_the_first_scene_of_an_answer_is_read() -> None:
    scene = sample_scene(random.Random(1), moving_camera=1.0)
    assert tune.first_caption(storyboard((Shot(scene),))) == canonical(scene)
    for broken in ("", "{", '{"scenes":[]}', '{"scenes":[{"prompt":"a"}]}', "[]"):
        assert tune.first_caption(broken) == ""


def test_tuning_uses_the_planners_words(tokenizers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tokenizers / "tokenizers"
    clip = CLIPTokenizer.from_pretrained(folder / "text")
    story = PreTrainedTokenizerFast.from_pretrained(folder / "planner")
    latents.build(CacheConfig(samples=4), vae.linear_code(VAE, tmp_path / "vae"), tmp_path / "cache", crew=Crew())
    cache = LatentCache(tmp_path / "cache")
    torch.manual_seed(0)
    start = {
        "unet": diffusion.build(DIFFUSION, VAE.latent_channels),
        "text_encoder": text.build(DIFFUSION.text, clip),
    }
    # A planner of a few steps writes nothing that can be read; this one is right, but for the last story.
    answers = [storyboard((Shot(sample.scene),)) for sample in cache.samples[:3]] + ["nothing"]
    told: list[str] = []

    def plan(_: object, __: object, stories: list[str]) -> list[str]:
        told.extend(stories)
        return answers[len(told) - len(stories) : len(told)]

    monkeypatch.setattr(planner, "plan", plan)
    run = (CONFIG, DIFFUSION, start, cache, (clip, story), planner.build(PLANNER, story), even(4))
    tuned = tune.train(*run, tmp_path / "tune")
    captions = json.loads((tmp_path / "tune" / "captions-0.json").read_text())
    written = {str(i): [cache.samples[i].to_line(), canonical(cache.samples[i].scene)] for i in range(3)}
    assert captions == written
    figures = json.loads((tmp_path / "tune" / "tune.json").read_text())
    assert figures["stories"] == 3

    told.clear()
    with pytest.raises(ValueError, match=r"3 stories were planned in words, and the first 48 are kept .* --stories"):
        tune.train(tune.TuneConfig(stories=4, steps=1, batch=2), *run[1:], tmp_path / "few")
    assert not (tmp_path / "few" / "captions-0.json").exists(), "the next try asks the planner again"
    assert figures["before"] != figures["after"]
    other = dict(zip(written, [written["1"], written["0"], written["2"]], strict=True))  # a cache that has grown since
    (tmp_path / "tune" / "captions-0.json").write_text(json.dumps(other))
    with pytest.raises(ValueError, match="stories were planned in words"):
        tune.train(tune.TuneConfig(stories=4, steps=1, batch=2, held=1), *run[1:], tmp_path / "tune")
    for name, model in start.items():
        moved = [not torch.equal(p, q) for p, q in zip(model.parameters(), tuned[name].parameters(), strict=True)]
        assert any(moved)
