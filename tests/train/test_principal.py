"""The linear start is the best linear code; Muon moves all directions alike."""

import random

import numpy as np
import pytest
import torch
from torch import nn

from framecast.train import vae
from framecast.train.muon import Muon, orthogonalise
from framecast.train.principal import principal, start

from .conftest import VAE


@pytest.mark.parametrize("shape", [(300, 12), (9, 12)])
def test_components_are_those_of_a_singular_value_decomposition(shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    data = torch.randn(shape) @ torch.diag(torch.logspace(1, -1, 12)) + 3
    code = principal(data, 5)
    _, values, rows = np.linalg.svd(data.numpy() - data.numpy().mean(axis=0))
    np.testing.assert_allclose(code.deviations, values[:5] / shape[0] ** 0.5, rtol=1e-3)
    np.testing.assert_allclose(np.abs(rows[:5] @ code.components.numpy()), np.eye(5), atol=2e-3)
    np.testing.assert_allclose(code.noise, (values[5:] ** 2).sum() / shape[0] / 7, rtol=1e-2)
    assert code.levels.square().mean().item() == pytest.approx(1, rel=1e-5)


def test_the_untrained_vae_is_the_linear_code() -> None:
    """Encoder, decoder and noise against the closed form, on pictures that it was not made from."""
    torch.manual_seed(0)
    rng = random.Random(1)
    patches = torch.cat([vae.draw_maps(rng) for _ in range(3)]).movedim(1, -1).flatten(0, 2)
    code = principal(patches, VAE.latent_channels)
    model = vae.build(VAE)
    start(model, code)
    maps = vae.draw_maps(rng)
    with torch.no_grad():
        posterior = model.encode(maps).latent_dist
        back = model.decode(posterior.mode()).sample
    latents = code.encode(maps)
    torch.testing.assert_close(posterior.mode(), latents, rtol=0.01, atol=0.03)
    straight = torch.einsum("nkhw,dk->ndhw", latents / (code.levels / code.deviations)[:, None, None], code.components)
    expected = straight + code.mean[:, None, None]
    assert (back - expected).abs().mean() < 0.01
    deviation = (code.noise.sqrt() * code.levels / code.deviations)[:, None, None].expand_as(latents[0])
    torch.testing.assert_close(posterior.std[0], deviation, rtol=1e-3, atol=1e-5)


def test_a_network_too_narrow_for_the_code_is_refused() -> None:
    code = principal(torch.randn(40, 3072), 16)
    with pytest.raises(ValueError, match="need a width of 48 or more, not 32"):
        start(vae.build(VAE), code)
    with pytest.raises(ValueError, match="one level"):
        start(vae.make_vae(block_out_channels=(8,), norm_num_groups=4), code)


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
