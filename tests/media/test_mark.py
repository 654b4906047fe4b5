"""A visible mark, compared with Pillow's own compositing."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from framecast.errors import InvalidRepository
from framecast.media.colour import rgb_to_yuv420, yuv420_to_rgb
from framecast.media.mark import Mark
from framecast.media.planes import Planes


@pytest.fixture
def mark(tmp_path: Path) -> Mark:
    """Red, opaque on the left, half transparent on the right."""
    image = Image.new("RGBA", (200, 100), (220, 30, 40, 255))
    image.paste((220, 30, 40, 128), (100, 0, 200, 100))
    image.save(tmp_path / "mark.png")
    return Mark(tmp_path / "mark.png")


def grey(width: int, height: int, frames: int = 2) -> Planes:
    return rgb_to_yuv420(np.full((frames, height, width, 3), 90, np.uint8))


@pytest.mark.parametrize(("width", "height"), [(256, 256), (512, 288), (256, 1024)])
def test_it_lies_at_the_lower_right_in_the_same_share_of_any_picture(mark: Mark, width: int, height: int) -> None:
    plain = grey(width, height)
    marked = yuv420_to_rgb(mark.on(plain)).astype(int)
    side = min(width, height)
    rows, columns = np.nonzero(np.abs(marked[1] - 90).max(axis=-1) > 8)
    tall, wide = np.ptp(rows) + 1, np.ptp(columns) + 1
    assert abs(tall - side / 12) <= 3
    assert abs(wide - 2 * tall) <= 6
    assert abs(height - 1 - rows.max() - side / 32) <= 2
    assert abs(width - 1 - columns.max() - side / 32) <= 2
    np.testing.assert_array_equal(marked[0], marked[1])
    middle, left, right = rows.min() + tall // 2, columns.min() + wide // 4, columns.max() - wide // 4
    np.testing.assert_allclose(marked[0, middle, left], (220, 30, 40), atol=4)
    half = np.array((220, 30, 40)) * 128 / 255 + 90 * (1 - 128 / 255)
    np.testing.assert_allclose(marked[0, middle, right], half, atol=4)
    assert (plain.y == plain.y[0, 0, 0]).all(), "the pictures that were given stay"


def test_a_long_mark_keeps_to_half_of_a_small_picture(tmp_path: Path) -> None:
    Image.new("RGBA", (4000, 100), (255, 255, 255, 255)).save(tmp_path / "long.png")
    marked = Mark(tmp_path / "long.png").on(grey(64, 64))
    assert np.ptp(np.nonzero(marked.y[0] > 150)[1]) + 1 <= 34


def test_the_smallest_pictures_have_no_room_for_it(mark: Mark) -> None:
    small = grey(16, 64)
    assert mark.on(small) is small
    assert mark.on(grey(32, 32)).y.max() > 0


def test_its_file_is_read_once(mark: Mark, tmp_path: Path) -> None:
    (tmp_path / "mark.png").unlink()
    assert (mark.on(grey(64, 64)).y != grey(64, 64).y).any()


def test_what_is_no_image_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mark.png").write_text("no image", encoding="utf-8")
    for file in (tmp_path / "mark.png", tmp_path / "missing.png"):
        with pytest.raises(InvalidRepository, match=f"The mark {file} is no image"):
            Mark(file)
