"""One tiny step of each recipe lowers its loss; a resumed run is the run."""

import random
import shutil
from pathlib import Path

import pytest
import torch
from transformers import CLIPTokenizer, PreTrainedTokenizerFast

from framecast.train import bundle, diffusion, latents, planner, vae
from framecast.train.latents import CacheConfig, LatentCache
from framecast.train.progress import Journal, read_curve
from framecast.train.world.scene import held_out

from .conftest import DIFFUSION, PLANNER, VAE


def losses(directory: Path) -> list[dict[str, float]]:
    return [{k: v for k, v in row.items() if k != "seconds"} for row in read_curve(directory)]


def test_vae_step_lowers_the_loss() -> None:
    torch.manual_seed(0)
    model = vae.build(VAE)
    maps = vae.draw_maps(random.Random(0), 4, 16)
    assert maps.shape == (4, 48, 16, 16)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    seen = []
    for _ in range(6):
        loss, kl, decoded = vae.losses(model, maps, VAE)
        assert decoded.shape == maps.shape
        assert kl.item() > 0
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        seen.append(loss.item())
    assert seen[-1] < seen[0]


def test_vae_resumes_to_the_same_losses(tmp_path: Path) -> None:
    """Through the adversarial phase too: the critic and both optimizers are part of the checkpoint."""
    vae.train(VAE, tmp_path / "whole")
    vae.train(VAE, tmp_path / "parts", stop_at=4)
    vae.train(VAE, tmp_path / "parts")
    whole, parts = losses(tmp_path / "whole"), losses(tmp_path / "parts")
    assert len(whole) == VAE.steps
    assert "critic" in whole[-1]
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


def caches(tmp_path: Path) -> dict[str, LatentCache]:
    torch.manual_seed(0)
    model = vae.build(VAE)
    latents.build(CacheConfig(samples=4, latents=1), model, tmp_path / "images")
    latents.build(CacheConfig(samples=2, latents=12), model, tmp_path / "clips")
    return {kind: LatentCache(tmp_path / kind) for kind in ("images", "clips")}


def test_cache_goes_on_and_holds_no_held_out_scene(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = vae.build(VAE)
    config = CacheConfig(samples=3, latents=1)
    latents.build(config, model, tmp_path / "whole")
    # An interrupted run leaves lines for what is finished; the rest is drawn again.
    shutil.copytree(tmp_path / "whole", tmp_path / "parts")
    lines = (tmp_path / "whole" / "samples.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "parts" / "samples.jsonl").write_text("".join(lines[:1]))
    latents.build(config, model, tmp_path / "parts")
    whole, parts = LatentCache(tmp_path / "whole"), LatentCache(tmp_path / "parts")
    assert whole.samples == parts.samples
    for i in range(3):
        torch.testing.assert_close(whole.latents(i), parts.latents(i), rtol=0, atol=0)
    assert not {s.scene.combination for s in whole.samples} & held_out()


def test_diffusion_trains_both_models_and_resumes(tokenizers: Path, tmp_path: Path) -> None:
    tokenizer = CLIPTokenizer.from_pretrained(tokenizers / "tokenizers" / "text")
    data = caches(tmp_path)
    run = [DIFFUSION, data, tokenizer, 4]
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
        batch = diffusion.Batch(clean + change, tokens, torch.tensor([context]))
        return diffusion.v_loss(unet, encoder, batch, alphas, torch.Generator().manual_seed(1))

    assert loss(0) != loss(2)
    loss(2).backward()
    assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in encoder.parameters())


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


def test_a_lost_run_stops(tmp_path: Path) -> None:
    with Journal(tmp_path, "x", 2) as journal:
        journal.log(1, loss=1.0)
        with pytest.raises(FloatingPointError, match="loss"):
            journal.log(2, loss=float("nan"))
    assert read_curve(tmp_path)[0]["loss"] == 1.0


def test_missing_parts_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="framecast train vae"):
        bundle.load_vae(tmp_path, VAE)
