"""One tiny step of each recipe lowers its loss; a resumed run is the run."""

import random
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import CLIPTokenizer, PreTrainedTokenizerFast

from framecast.train import bundle, diffusion, drafts, latents, planner, vae
from framecast.train.checkpoint import Checkpoint
from framecast.train.latents import CacheConfig, LatentCache
from framecast.train.models import make_pipeline
from framecast.train.options import require_one_process
from framecast.train.parallel import Crew
from framecast.train.principal import Principal
from framecast.train.progress import Journal, read_curve
from framecast.train.quick import quicken
from framecast.train.stop import Stop, Stopped
from framecast.train.world.scene import held_out

from .conftest import DIFFUSION, PLANNER, VAE, even


def losses(directory: Path) -> list[dict[str, float]]:
    return [{k: v for k, v in row.items() if k != "seconds"} for row in read_curve(directory)]


def test_vae_resumes_to_the_same_losses(tmp_path: Path) -> None:
    """Through the adversarial phase too: the critic and both optimizers are part of the checkpoint."""
    vae.train(VAE, tmp_path / "whole")
    vae.train(VAE, tmp_path / "parts", stop_at=4)
    vae.train(VAE, tmp_path / "parts")
    whole, parts = losses(tmp_path / "whole"), losses(tmp_path / "parts")
    assert len(whole) == VAE.steps
    assert "critic" in whole[-1]
    assert whole[-1]["loss"] < 1.5 * whole[0]["loss"]
    for a, b in zip(whole, parts, strict=True):
        assert b == pytest.approx(a, rel=1e-4)


def test_planner_step_lowers_the_loss_and_resumes(tokenizers: Path, tmp_path: Path) -> None:
    tokenizer = PreTrainedTokenizerFast.from_pretrained(tokenizers / "tokenizers" / "planner")
    planner.train(PLANNER, tokenizer, tmp_path / "whole")
    planner.train(PLANNER, tokenizer, tmp_path / "parts", stop_at=3)
    planner.train(PLANNER, tokenizer, tmp_path / "parts")
    for a, b in zip(losses(tmp_path / "whole"), losses(tmp_path / "parts"), strict=True):
        assert b == pytest.approx(a, rel=1e-5)

    model = planner.build(PLANNER, tokenizer)
    ids, labels = planner.finetuning_batch(PLANNER, tokenizer, 0)
    assert (labels == planner.IGNORED).any(dim=1).all(), "the story is not part of the loss"
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    first = planner.next_token_loss(model, ids, labels)
    first.backward()
    optimizer.step()
    assert planner.next_token_loss(model, ids, labels) < first


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> Principal:
    return vae.linear_code(VAE, tmp_path_factory.mktemp("code"))


@pytest.fixture(scope="module")
def cache(code: Principal, tmp_path_factory: pytest.TempPathFactory) -> LatentCache:
    directory = tmp_path_factory.mktemp("cache")
    latents.build(CacheConfig(samples=3), code, directory, crew=Crew())
    return LatentCache(directory)


def test_cache_goes_on_and_holds_no_held_out_scene(code: Principal, tmp_path: Path) -> None:
    config = CacheConfig(samples=3, latents=2)
    latents.build(config, code, tmp_path / "whole", crew=Crew())
    # An interrupted run leaves lines for what is finished, and half a line; the rest is drawn again.
    shutil.copytree(tmp_path / "whole", tmp_path / "parts")
    lines = (tmp_path / "whole" / "samples-0.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "parts" / "samples-0.jsonl").write_text(lines[0] + lines[1][:20])
    assert len(LatentCache(tmp_path / "parts")) == 1
    latents.build(config, code, tmp_path / "parts", crew=Crew())
    whole, parts = LatentCache(tmp_path / "whole"), LatentCache(tmp_path / "parts")
    assert whole.samples == parts.samples
    for i in range(3):
        for a, b in zip(whole.clip(i), parts.clip(i), strict=True):
            torch.testing.assert_close(a, b, rtol=0, atol=0)
    assert not {s.scene.combination for s in whole.samples} & held_out()


def test_a_cache_goes_on_with_as_many_workers_as_it_began_with(
    code: Principal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker's rows are every so-manieth sample: with others some would be drawn twice."""
    latents.build(CacheConfig(samples=2), code, tmp_path, crew=Crew())
    two = Crew()
    two.size = 2
    with pytest.raises(ValueError, match="was drawn with workers 1: give the same"):
        latents.build(CacheConfig(samples=4), code, tmp_path, crew=two)


def test_a_checkpoint_that_was_torn_is_none(tmp_path: Path) -> None:
    keeper = Checkpoint(tmp_path, {"m": torch.nn.Linear(1, 1)})
    (tmp_path / "fresh").mkdir()
    (tmp_path / "fresh" / "state.part").write_text('{"step": 1')  # as a kill in the middle of the last file leaves it
    assert keeper.load() == (0, {})
    keeper.save(3)
    assert keeper.load()[0] == 3


def test_recipes_of_one_process_refuse_torchrun(monkeypatch: pytest.MonkeyPatch) -> None:
    require_one_process()
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ValueError, match="start it without torchrun"):
        require_one_process()


def test_the_cover_is_where_the_subject_is(cache: LatentCache) -> None:
    for i in range(len(cache)):
        values, cover = cache.clip(i)
        assert values.shape == (12, VAE.latent_channels, 16, 16)
        assert cover.shape == (12, 16, 16)
        assert 0.01 < cover.mean() < 0.5
        assert cover[:, 0, 0].max() < 1


def test_diffusion_trains_both_models_and_resumes(tokenizers: Path, cache: LatentCache, tmp_path: Path) -> None:
    tokenizer = CLIPTokenizer.from_pretrained(tokenizers / "tokenizers" / "text")
    run = [replace(DIFFUSION, jump=0.5), cache, tokenizer, even(VAE.latent_channels)]
    whole = diffusion.train(*run, tmp_path / "whole")  # type: ignore[arg-type]
    diffusion.train(*run, tmp_path / "parts", stop_at=3)  # type: ignore[arg-type]
    parts = diffusion.train(*run, tmp_path / "parts")  # type: ignore[arg-type]
    for a, b in zip(losses(tmp_path / "whole"), losses(tmp_path / "parts"), strict=True):
        assert b == pytest.approx(a, rel=1e-4)
    for name in ("unet", "text_encoder"):
        for p, q in zip(whole[name].parameters(), parts[name].parameters(), strict=True):
            torch.testing.assert_close(p, q, rtol=1e-3, atol=1e-5)


def test_given_latents_do_not_count(tokenizers: Path, tmp_path: Path) -> None:
    """With all but one latent given, only that one makes the loss; the text encoder gets a gradient."""
    torch.manual_seed(0)
    unet = diffusion.build(DIFFUSION, 4)
    tokenizer = CLIPTokenizer.from_pretrained(tokenizers / "tokenizers" / "text")
    encoder = diffusion.text.build(DIFFUSION.text, tokenizer)
    tokens = diffusion.text.tokenize(tokenizer, ["a white kitten plays in the courtyard, day"])
    clean = torch.randn(1, 4, 3, 16, 16)
    alphas = diffusion.scheduler().alphas_cumprod
    assert alphas[-1] == 0, "zero terminal SNR"

    def loss(context: int, change: float = 0.0) -> torch.Tensor:
        batch = diffusion.Batch(clean + change, torch.zeros(1, 1, 3, 16, 16), tokens, torch.tensor([context]))
        generator = torch.Generator().manual_seed(1)
        return diffusion.velocity_loss(unet, encoder, batch, alphas, even(4), DIFFUSION, generator)

    assert loss(0) != loss(2)
    loss(2).backward()
    assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in encoder.parameters())


def test_times_are_mostly_those_of_the_served_schedule() -> None:
    served = diffusion.scheduler()
    served.set_timesteps(DIFFUSION.served)
    generator = torch.Generator().manual_seed(0)
    drawn = torch.cat([diffusion.draw_times(DIFFUSION, 8, 1000, generator) for _ in range(200)])
    shares = [(drawn == t).float().mean().item() for t in served.timesteps]
    assert shares == pytest.approx([0.7 / DIFFUSION.served] * DIFFUSION.served, abs=0.02)
    assert len(drawn.unique()) > 200
    assert drawn.min() >= 0
    assert drawn.max() == 999


def test_images_may_skip_time_while_it_is_the_identity() -> None:
    torch.manual_seed(0)
    unet = diffusion.build(DIFFUSION, 4).eval()
    x, states = torch.randn(2, 4, 3, 16, 16), torch.randn(2, 5, 16)
    with torch.no_grad():
        full = unet(x, torch.tensor([10, 900]), encoder_hidden_states=states).sample
        with diffusion.stills(unet):
            still = unet(x, torch.tensor([10, 900]), encoder_hidden_states=states).sample
        again = unet(x, torch.tensor([10, 900]), encoder_hidden_states=states).sample
    torch.testing.assert_close(full, still, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(full, again, rtol=0, atol=0)


def test_quick_layers_are_the_librarys() -> None:
    torch.manual_seed(0)
    unet = diffusion.build(DIFFUSION, 4).eval()
    for parameter in unet.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.1)
    x, states = torch.randn(2, 4, 3, 16, 16), torch.randn(2, 5, 16)
    with torch.no_grad():
        slow = unet(x, torch.tensor([10, 900]), encoder_hidden_states=states).sample
        quicken(unet)
        quick = unet(x, torch.tensor([10, 900]), encoder_hidden_states=states).sample
    torch.testing.assert_close(slow, quick, rtol=1e-4, atol=1e-4)


def test_a_lost_run_stops(tmp_path: Path) -> None:
    with Journal(tmp_path, "x", 2) as journal:
        journal.log(1, loss=1.0)
        with pytest.raises(FloatingPointError, match="loss"):
            journal.log(2, loss=float("nan"))
    assert read_curve(tmp_path)[0]["loss"] == 1.0


def test_a_curve_is_kept_line_by_line_and_goes_on_after_half_of_one(tmp_path: Path) -> None:
    with Journal(tmp_path, "killed", 4) as journal:
        journal.log(1, loss=2.0)
        assert [row["loss"] for row in read_curve(tmp_path)] == [2.0], "before it is closed"
    with (tmp_path / "curve.jsonl").open("a") as file:
        file.write('{"step": 2, "lo')
    with Journal(tmp_path, "killed", 4, begin=1) as journal:
        journal.log(2, loss=1.0)
    assert [(row["step"], row["loss"]) for row in read_curve(tmp_path)] == [(1, 2.0), (2, 1.0)]


def test_missing_parts_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="framecast train vae"):
        bundle.load_vae(tmp_path, VAE)


def test_the_decoder_learns_from_drafts_too(
    tokenizers: Path, cache: LatentCache, code: Principal, tmp_path: Path
) -> None:
    tokenizer = CLIPTokenizer.from_pretrained(tokenizers / "tokenizers" / "text")
    torch.manual_seed(0)
    unet = diffusion.build(DIFFUSION, VAE.latent_channels).eval()
    encoder = diffusion.text.build(DIFFUSION.text, tokenizer).eval()
    models, config = (unet, encoder, tokenizer), drafts.DraftConfig(clips=2, steps=4, last=2)
    assert drafts.build(config, cache, models, 0.3, tmp_path / "drafts", crew=Crew()) == 2
    finished = tmp_path / "drafts" / "drafts-0.jsonl"
    lines = finished.read_bytes()
    finished.write_bytes(lines[:-9])
    assert len(drafts.Drafts(tmp_path / "drafts")) == 1
    assert drafts.build(config, cache, models, 0.3, tmp_path / "drafts", crew=Crew()) == 2
    assert finished.read_bytes() == lines
    two = np.load(finished.with_suffix(".npy")).copy()
    assert drafts.build(replace(config, clips=3), cache, models, 0.3, tmp_path / "drafts", crew=Crew()) == 3
    three = np.load(finished.with_suffix(".npy"))
    assert np.array_equal(three[:2], two), "there is room for more, and what is done stays"
    assert three[2].any()
    kept = drafts.Drafts(tmp_path / "drafts")
    maps, drafted = kept.draw(random.Random(1))
    # The cache's latents encode just these pictures; the draft of an untrained UNet is another thing.
    clean = code.encode(maps)
    cached = torch.stack([cache.clip(i)[0] for i in range(2)]).flatten(0, 1)
    assert (cached - clean).abs().amax(dim=(1, 2, 3)).min() < 0.01
    assert drafted.shape == clean.shape
    assert (drafted - clean).abs().max() > 0.1

    vae.train(replace(VAE, drafted=1.0), tmp_path / "vae", drafts=kept)
    plain = vae.train(VAE, tmp_path / "plain")
    assert losses(tmp_path / "vae")[0]["loss"] > losses(tmp_path / "plain")[0]["loss"]
    assert isinstance(plain, torch.nn.Module)


def test_a_draft_begins_with_something_of_its_clip() -> None:
    """At the first step there is nothing but noise, so no draft begins there."""
    served = bundle.BundleConfig()
    config = drafts.DraftConfig()
    assert (config.steps, config.guidance_scale) == (served.steps, served.guidance_scale)
    alphas = diffusion.scheduler().alphas_cumprod
    scheduler = diffusion.scheduler()
    scheduler.set_timesteps(config.steps)
    begins = [config.steps - last for last in range(2, config.last + 1)]
    assert all(float(alphas[scheduler.timesteps[begin]]) > 0.05 for begin in begins)
    with pytest.raises(ValueError, match="last is 4; of 4 steps it may be 2 to 3"):
        drafts.DraftConfig(steps=4, last=4)


def test_sampling_a_draft_is_the_pipelines_sampling(tokenizers: Path) -> None:
    """From the first step on, with nothing given, it is what diffusers' own pipeline makes of the same noise."""
    tokenizer = CLIPTokenizer.from_pretrained(tokenizers / "tokenizers" / "text")
    torch.manual_seed(0)
    unet = diffusion.build(DIFFUSION, 4).eval()
    encoder = diffusion.text.build(DIFFUSION.text, tokenizer).eval()
    noise = torch.randn((4, 3, 16, 16), generator=torch.Generator().manual_seed(5))
    config = drafts.DraftConfig(steps=3, guidance_scale=2.0, last=2)
    drafted = drafts.sample(
        *(unet, encoder, tokenizer, torch.zeros(4, 3, 16, 16), "a red ball"),
        *(config,),
        begin=0,
        given=0,
        generator=torch.Generator().manual_seed(5),
    )
    pipe = make_pipeline(
        vae=vae.build(VAE), text_encoder=encoder, tokenizer=tokenizer, unet=unet, scheduler=diffusion.scheduler()
    )
    wanted = pipe(
        "a red ball",
        num_frames=3,
        height=16 * pipe.vae_scale_factor,
        width=16 * pipe.vae_scale_factor,
        num_inference_steps=3,
        guidance_scale=2.0,
        latents=noise[None],
        output_type="latent",
    ).frames[0]
    torch.testing.assert_close(drafted, wanted, rtol=1e-3, atol=1e-4)


def test_a_run_that_is_asked_to_stop_keeps_its_last_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vae.train(VAE, tmp_path / "whole")
    log = Journal.log

    def interrupted(journal: Journal, step: int, **numbers: float) -> None:
        log(journal, step, **numbers)
        if step == 3:
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGTERM)  # as torchrun does after it

    before = signal.getsignal(signal.SIGINT)
    with monkeypatch.context() as patch:
        patch.setattr(Journal, "log", interrupted)
        with pytest.raises(Stopped, match="the same command goes on"):
            vae.train(VAE, tmp_path / "parts")
    assert signal.getsignal(signal.SIGINT) is before
    assert [row["step"] for row in losses(tmp_path / "parts")] == [1, 2, 3]
    vae.train(VAE, tmp_path / "parts")
    for a, b in zip(losses(tmp_path / "whole"), losses(tmp_path / "parts"), strict=True):
        assert b == pytest.approx(a, rel=1e-4)


def test_asked_twice_a_run_stops_at_once() -> None:
    def run() -> None:
        with Stop() as stop:
            signal.raise_signal(signal.SIGINT)
            assert stop.due()
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt) as stopped:
        run()
    assert stopped.type is KeyboardInterrupt


CREW = """
import os, signal, sys
from framecast.train.parallel import Crew
from framecast.train.stop import Stop, Stopped
crew, steps = Crew(), 0
try:
    with Stop(crew) as stop:
        for step in range(100):
            if crew.rank == 1 and step == 4:
                signal.raise_signal(signal.SIGTERM)
            steps = step
            if stop.due():
                break
except Stopped:
    print(f"worker {crew.rank} stopped after {steps}", flush=True)
"""


def test_workers_stop_after_the_same_step(tmp_path: Path) -> None:
    """Two processes, of which one is asked."""
    script = tmp_path / "crew.py"
    script.write_text(CREW)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(script)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    told = sorted(re.findall(r"worker \d stopped after \d+", done.stdout))
    assert told == ["worker 0 stopped after 4", "worker 1 stopped after 4"], done.stderr
