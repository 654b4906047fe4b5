"""Folding is torch's own pixel rearrangement, and its inverse is exact."""

import pytest
import torch
import torch.nn.functional as F

from framecast.train.folding import FOLD, Fold, fold, to_floats, to_pixels, unfold

HALF = Fold(4, 2, 2)


def test_fold_is_pixel_unshuffle_and_unfold_inverts_it() -> None:
    video = torch.randn(8, 3, 12, 16)
    maps = fold(video, HALF)
    assert maps.shape == (2, 48, 6, 8)
    torch.testing.assert_close(maps, F.pixel_unshuffle(video.reshape(2, 12, 12, 16), 2), rtol=0, atol=0)
    torch.testing.assert_close(unfold(maps, HALF), video, rtol=0, atol=0)
    torch.testing.assert_close(unfold(maps, HALF), F.pixel_shuffle(maps, 2).reshape(8, 3, 12, 16), rtol=0, atol=0)


def test_channel_order_is_frame_colour_row_column() -> None:
    video = torch.zeros(4, 3, 4, 4)
    video[2, 1, 1, 0] = 1.0
    channel = ((2 * 3 + 1) * 2 + 1) * 2 + 0
    assert fold(video, HALF)[0, channel, 0, 0] == 1.0


@pytest.mark.parametrize("shape", [(3, 3, 4, 4), (4, 1, 4, 4), (4, 3, 5, 4)])
def test_sizes_that_do_not_divide_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="cannot fold"):
        fold(torch.zeros(shape), HALF)
    with pytest.raises(ValueError, match="channels"):
        unfold(torch.zeros(1, 47, 2, 2))


def test_pixels_survive_the_way_to_floats_and_back() -> None:
    pixels = torch.arange(256, dtype=torch.uint8).repeat(3).view(1, 16, 16, 3)
    assert torch.equal(to_pixels(to_floats(pixels)), pixels)
    assert FOLD.channels == 3072
