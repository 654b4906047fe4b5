import av
import numpy as np
import pytest
from av.video.reformatter import ColorRange, Colorspace, Interpolation
from numpy.typing import NDArray

from framecast.media.colour import rgb_to_yuv420, yuv420_to_bt601, yuv420_to_rgb
from framecast.media.errors import InvalidPlanes
from framecast.media.planes import Planes

# 8-bit codes of the 100 % colour bars in BT.709, as test generators put them out.
BARS = {
    (255, 255, 255): (235, 128, 128),
    (255, 255, 0): (219, 16, 138),
    (0, 255, 255): (188, 154, 16),
    (0, 255, 0): (173, 42, 26),
    (255, 0, 255): (78, 214, 230),
    (255, 0, 0): (63, 102, 240),
    (0, 0, 255): (32, 240, 118),
    (0, 0, 0): (16, 128, 128),
}


def blocks(frames: int, height: int, width: int) -> NDArray[np.uint8]:
    """Random colours, the same within each 2×2 block, so that the place of the chroma sample does not matter."""
    colours = np.random.default_rng(7).integers(0, 256, (frames, height // 2, width // 2, 3), dtype=np.uint8)
    return colours.repeat(2, axis=1).repeat(2, axis=2)


@pytest.mark.parametrize(("rgb", "yuv"), BARS.items())
def test_colour_bars_have_their_standard_codes(rgb: tuple[int, ...], yuv: tuple[int, ...]) -> None:
    planes = rgb_to_yuv420(np.full((1, 16, 16, 3), rgb, np.uint8))
    assert (planes.y[0, 0, 0], planes.u[0, 0, 0], planes.v[0, 0, 0]) == yuv


def test_agrees_with_libswscale_from_rgb() -> None:
    [rgb] = blocks(1, 64, 96)
    frame = av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(
        format="yuv420p",
        dst_colorspace=Colorspace.ITU709,
        dst_color_range=ColorRange.MPEG,
        interpolation=Interpolation.AREA | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INP,
    )
    ours = rgb_to_yuv420(rgb[None]).packed(0).astype(int)
    assert abs(ours - frame.to_ndarray()).max() <= 1


def test_agrees_with_libswscale_to_rgb() -> None:
    planes = rgb_to_yuv420(blocks(1, 64, 96))
    frame = av.VideoFrame.from_ndarray(planes.packed(0), format="yuv420p")
    theirs = frame.reformat(
        format="rgb24",
        src_colorspace=Colorspace.ITU709,
        src_color_range=ColorRange.MPEG,
        interpolation=Interpolation.POINT | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT,
    ).to_ndarray()
    assert abs(yuv420_to_rgb(planes)[0].astype(int) - theirs).max() <= 1


def test_chroma_is_the_mean_of_its_block() -> None:
    rgb = np.zeros((1, 16, 16, 3), np.uint8)
    rgb[:, ::2, ::2] = (0, 0, 255)  # one pixel in four is blue
    planes = rgb_to_yuv420(rgb)
    assert set(planes.u.ravel()) == {round(128 + (240 - 128) / 4)}
    assert set(planes.v.ravel()) == {round(128 + 224 * (-0.0722 / 1.5748) / 4)}


def test_there_and_back_stays_within_rounding() -> None:
    rgb = blocks(2, 32, 48)
    back = yuv420_to_rgb(rgb_to_yuv420(rgb)).astype(int)
    assert abs(back - rgb).max() <= 3  # a step of u is 2.1 levels of blue, one of y 1.2
    assert abs((back - rgb).mean()) < 0.1


def test_codes_outside_the_rgb_cube_are_clipped() -> None:
    chroma = np.full((1, 8, 8), 240, np.uint8)
    rgb = yuv420_to_rgb(Planes(np.full((1, 16, 16), 235, np.uint8), chroma, chroma))
    assert rgb[0, 0, 0].tolist()[::2] == [255, 255]


@pytest.mark.parametrize("full_range", [True, False])
def test_agrees_with_libswscale_to_bt601(full_range: bool) -> None:
    planes = rgb_to_yuv420(
        (blocks(1, 64, 96) // 2 + 64).astype(np.uint8)
    )  # no colour that rounding could push out of the RGB cube
    frame = av.VideoFrame.from_ndarray(yuv420_to_bt601(planes, full_range=full_range)[0], format="yuv420p")
    back = frame.reformat(
        format="rgb24",
        src_colorspace=Colorspace.ITU601,
        src_color_range=ColorRange.JPEG if full_range else ColorRange.MPEG,
        interpolation=Interpolation.POINT | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT,
    ).to_ndarray()
    difference = yuv420_to_rgb(planes)[0].astype(int) - back
    assert abs(difference).max() <= 3
    assert abs(difference.mean()) < 0.1


@pytest.mark.parametrize("full_range", [True, False])
def test_grey_stays_grey_in_bt601(full_range: bool) -> None:
    greys = np.array([0, 64, 128, 255], np.uint8)
    planes = rgb_to_yuv420(np.broadcast_to(greys[:, None, None, None], (4, 16, 16, 3)).copy())
    packed = yuv420_to_bt601(planes, full_range=full_range)
    assert packed.shape == (4, 24, 16)
    assert (packed[:, 16:] == 128).all()
    assert packed[:, 0, 0].tolist() == ([0, 64, 128, 255] if full_range else planes.y[:, 0, 0].tolist())


@pytest.mark.parametrize(
    "rgb", [np.zeros((1, 16, 16, 3)), np.zeros((16, 16, 3), np.uint8), np.zeros((1, 16, 16, 4), np.uint8)]
)
def test_refuses_what_is_not_rgb(rgb: NDArray[np.uint8]) -> None:
    with pytest.raises(InvalidPlanes, match="RGB pictures must be uint8"):
        rgb_to_yuv420(rgb)


def test_refuses_odd_sizes_by_name() -> None:
    with pytest.raises(InvalidPlanes, match="must be even, not 17 and 16"):
        rgb_to_yuv420(np.zeros((1, 17, 16, 3), np.uint8))
