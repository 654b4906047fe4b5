"""An untrained VAE already shows the mean colours; Muon moves all directions alike."""

import random

import pytest
import torch
from torch import nn

from framecast.train import vae
from framecast.train.muon import Muon, orthogonalise
from framecast.train.passthrough import pass_colours

from .conftest import VAE


def test_colours_pass_before_any_training() -> None:
    torch.manual_seed(0)
    model = vae.build(vae.VaeConfig())
    maps = vae.draw_maps(random.Random(1), 1, 128)
    with torch.no_grad():
        back = model.decode(model.encode(maps).latent_dist.mode()).sample
    per_colour = maps.view(4, 3, 4, 128, 128).mean(dim=(0, 2)), back.view(4, 3, 4, 128, 128).mean(dim=(0, 2))
    for colour in range(3):
        pair = torch.stack([p[colour].flatten() for p in per_colour])
        assert torch.corrcoef(pair)[0, 1] > 0.7


def test_levelled_latents_are_even_and_pictures_stay() -> None:
    torch.manual_seed(0)
    model = vae.build(VAE).eval()
    maps = vae.draw_maps(random.Random(1), 4, 64)
    with torch.no_grad():
        before = model.decode(model.encode(maps).latent_dist.mode()).sample
        deviation = model.encode(maps).latent_dist.std.mean(dim=(0, 2, 3))
        figures = vae.statistics(model, scenes=4)
        vae.level(model, **figures)
        again = vae.statistics(model, scenes=4)
        after = model.decode(model.encode(maps).latent_dist.mode()).sample
        scaled = model.encode(maps).latent_dist.std.mean(dim=(0, 2, 3))
    torch.testing.assert_close(before, after, rtol=1e-4, atol=1e-4)
    assert again["mean"] == pytest.approx([0.0] * 4, abs=1e-4)
    assert again["std"] == pytest.approx([1.0] * 4, abs=1e-3)
    torch.testing.assert_close(scaled * torch.tensor(figures["std"]), deviation, rtol=1e-3, atol=1e-6)


def test_a_network_too_narrow_for_colours_is_refused() -> None:
    with pytest.raises(ValueError, match="groups of 4"):
        pass_colours(vae.make_vae(block_out_channels=(8,), norm_num_groups=4), -5.0)


def test_orthogonalise_evens_the_singular_values() -> None:
    torch.manual_seed(0)
    for shape in ((8, 24), (24, 8)):
        even = torch.linalg.svdvals(orthogonalise(torch.randn(shape) @ torch.diag(torch.logspace(0, -1, shape[1]))))
        assert even.shape == (8,)
        assert 0.3 < even.min() < even.max() < 1.4


def test_muon_trains_matrices_and_the_rest() -> None:
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Flatten(), nn.Linear(8 * 4, 2))
    x, y = torch.randn(16, 3, 4, 4), torch.randn(16, 2)
    optimizer = Muon(layers.parameters(), 0.02, plain=[layers[2].weight])
    assert [len(g["params"]) for g in optimizer.param_groups] == [1, 3]
    first = None
    for _ in range(30):
        loss = (layers(x) - y).square().mean()
        first = first or loss.item()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.5 * first


def test_the_recipe_is_wide_enough() -> None:
    vae.build(VAE)
