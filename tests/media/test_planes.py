import numpy as np
import pytest
from numpy.typing import NDArray

from framecast.media.errors import InvalidPlanes, MediaError
from framecast.media.planes import Planes


def blank(frames: int = 2, height: int = 16, width: int = 18) -> dict[str, NDArray[np.uint8]]:
    chroma = (frames, height // 2, width // 2)
    return {
        "y": np.zeros((frames, height, width), np.uint8),
        "u": np.zeros(chroma, np.uint8),
        "v": np.zeros(chroma, np.uint8),
    }


def test_size_and_length() -> None:
    planes = Planes(**blank(3, 16, 18))
    assert (len(planes), planes.height, planes.width) == (3, 16, 18)


def test_a_slice_keeps_the_frames_it_names() -> None:
    arrays = blank(4)
    for index in range(4):
        arrays["y"][index], arrays["u"][index], arrays["v"][index] = index, 10 + index, 20 + index
    cut = Planes(**arrays)[1:3]
    assert cut.y[:, 0, 0].tolist() == [1, 2]
    assert cut.u[:, 0, 0].tolist() == [11, 12]
    assert cut.v[:, 0, 0].tolist() == [21, 22]


def test_an_index_is_not_a_slice() -> None:
    with pytest.raises(TypeError, match="slice"):
        Planes(**blank())[0]  # type: ignore[index]


def test_packed_is_y_then_u_then_v() -> None:
    arrays = blank(1, 16, 18)
    arrays["y"][:], arrays["u"][:], arrays["v"][:] = 1, 2, 3
    packed = Planes(**arrays).packed(0)
    assert packed.shape == (24, 18)
    assert packed.ravel().tolist() == [1] * 288 + [2] * 72 + [3] * 72


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"y": np.zeros((2, 16, 18), np.float32)}, r"Plane y must be uint8 .* not float32 \[2, 16, 18\]\."),
        ({"u": [[0]]}, r"Plane u must be uint8 .* not list\."),
        ({"y": np.zeros((16, 18), np.uint8)}, r"Plane y must be uint8 \[frames, height, width\]"),
        (blank(frames=0), r"hold no frame"),
        (blank(height=17), r"The height must be even and at least 16 pixels, not 17\."),
        (blank(width=33), r"The width must be even and at least 16 pixels, not 33\."),
        (blank(width=14), r"The width must be even and at least 16 pixels, not 14\."),
        ({"u": np.zeros((2, 16, 18), np.uint8)}, r"Plane u must be \[2, 8, 9\] beside a luma of \[2, 16, 18\]"),
        ({"v": np.zeros((1, 8, 9), np.uint8)}, r"Plane v must be \[2, 8, 9\] .* not \[1, 8, 9\]\."),
    ],
)
def test_refuses_what_is_not_pictures(changes: dict[str, NDArray[np.uint8]], sentence: str) -> None:
    with pytest.raises(InvalidPlanes, match=sentence) as caught:
        Planes(**{**blank(), **changes})
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, MediaError)


def test_an_empty_slice_is_refused() -> None:
    with pytest.raises(InvalidPlanes, match="no frame"):
        Planes(**blank())[2:]
