"""What an error of latents counts, against the pixels that it changes."""

import threading
import time

import pytest
import torch

from framecast.train.ahead import ahead
from framecast.train.measure import Measure
from framecast.train.principal import Principal, principal


@pytest.fixture
def code() -> Principal:
    torch.manual_seed(0)
    waves = torch.randn(8, 3072)
    waves[0] = 3.0  # brightness, the same in every frame
    return principal(torch.randn(400, 8) @ waves + 0.05 * torch.randn(400, 3072), 6)


def pixels(errors: torch.Tensor, code: Principal) -> torch.Tensor:
    """[B, C, F, h, w] → changes of pixels [B, F, 4, 768, h, w]."""
    changes = torch.einsum("bcfhw,pc->bfphw", errors, code.components * (code.deviations / code.levels))
    return changes.unflatten(2, (4, 768))


def test_a_jump_is_the_pixels_jump_between_two_latents(code: Principal) -> None:
    measure = Measure.of(code)
    errors = torch.randn(2, 6, 5, 3, 4)
    changed = pixels(errors, code)
    jump = (changed[:, 1:, 0] - changed[:, :-1, 3]).square().sum(dim=2)
    found = measure.jumps(errors)
    assert found.shape == (2, 1, 4, 3, 4)
    ratio = found[:, 0] / jump
    torch.testing.assert_close(ratio, ratio.mean().expand_as(ratio), rtol=1e-4, atol=0)


def test_a_steady_error_hardly_jumps_and_a_changing_one_counts_as_much_as_itself(code: Principal) -> None:
    measure = Measure.of(code)
    apart = torch.randn(64, 6, 8, 4, 4)
    assert measure.jumps(apart).mean().item() == pytest.approx(measure.squares(apart).mean().item(), rel=0.1)
    # The same in every pixel of every frame, once steady and once alternating.
    flat = torch.linalg.lstsq(code.components * (code.deviations / code.levels), torch.ones(3072, 1)).solution[:, 0]
    steady = flat.view(1, -1, 1, 1, 1).expand(1, -1, 6, 2, 2)
    signs = torch.tensor([1.0, -1.0] * 3).view(1, 1, -1, 1, 1)
    assert measure.jumps(steady).mean() < 0.2 * measure.jumps(steady * signs).mean()


def test_squares_are_weighted_means_over_channels() -> None:
    measure = Measure(torch.tensor([0.5, 1.5]), torch.zeros(4, 1))
    errors = torch.tensor([1.0, 2.0]).view(1, 2, 1, 1, 1)
    assert measure.squares(errors).item() == pytest.approx((0.5 * 1 + 1.5 * 4) / 2)


def test_what_is_drawn_ahead_comes_in_order_and_not_too_early() -> None:
    drawn: list[int] = []
    lock = threading.Lock()

    def draw(step: int) -> int:
        with lock:
            drawn.append(step)
        return step * step

    batches = ahead(draw, 3, 9, depth=2)
    assert next(batches) == 9
    deadline = time.monotonic() + 30
    while len(drawn) < 2 and time.monotonic() < deadline:
        time.sleep(0.001)
    assert drawn == [3, 4], "one is used, one waits"
    assert list(batches) == [16, 25, 36, 49, 64]
    assert sorted(drawn) == [3, 4, 5, 6, 7, 8]


def test_a_draw_that_fails_fails_its_step() -> None:
    def draw(step: int) -> int:
        if step == 1:
            raise OSError("the disk is gone")
        return step

    batches = ahead(draw, 0, 3)
    assert next(batches) == 0
    with pytest.raises(OSError, match="the disk is gone"):
        next(batches)
    with pytest.raises(ValueError, match="1 or more"):
        list(ahead(draw, 0, 1, depth=0))
