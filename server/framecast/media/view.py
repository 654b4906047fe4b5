"""Pictures seen through a view that moves over them: what a camera that pans or zooms would show."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from framecast.media.errors import InvalidViews
from framecast.media.planes import Planes

Floats = NDArray[np.float32]

SMALLEST_VIEW = 0.125  # of a side; what is enlarged more shows nothing but its samples
_WHOLE = np.array([0, 0, 1, 1], np.float32)
_THREADS = 4
_LUMA, _CHROMA = (16, 235), (16, 240)  # limited range, which the overshoot at an edge must not leave


def seen_through(planes: Planes, views: Floats) -> Planes:
    """The part of each picture that its view shows, enlarged to the whole picture.

    Samples are interpolated by cubic convolution (Keys 1981, a = -1/2), so a view may begin between two of them.

    Args:
        planes: F pictures.
        views: float32 [F, 4], the left, top, right and bottom of each view in shares of the picture's sides.

    Returns:
        Pictures of the same size. Where every view is the whole picture, `planes` itself.

    Raises:
        InvalidViews: there is not one view a picture, or one leaves the picture or is too small.
    """
    _check(views, len(planes))
    if np.array_equal(views, np.tile(_WHOLE, (len(views), 1))):
        return planes
    found = Planes(*(np.empty_like(plane) for plane in (planes.y, planes.u, planes.v)))
    with ThreadPoolExecutor(_THREADS) as pool:  # Pillow works without Python's lock
        list(pool.map(partial(_see, planes, found), range(len(planes)), views.tolist()))
    return found


def _check(views: Floats, frames: int) -> None:
    if views.shape != (frames, 4):
        raise InvalidViews(f"The views must be float32 [{frames}, 4], not {list(views.shape)}.")
    near, far = views[:, :2], views[:, 2:]
    # Written so that what is no number fails.
    if not (np.all(near >= 0) and np.all(far <= 1) and np.all(far - near >= SMALLEST_VIEW)):
        raise InvalidViews(f"A view must lie inside its picture and have at least {SMALLEST_VIEW:g} of each side.")


def _see(planes: Planes, found: Planes, frame: int, view: tuple[float, float, float, float]) -> None:
    """Fills one frame of `found`."""
    left, top, right, bottom = view
    for plane, into, levels in (
        (planes.y, found.y, _LUMA),
        (planes.u, found.u, _CHROMA),
        (planes.v, found.v, _CHROMA),
    ):
        height, width = plane[frame].shape
        box = (left * width, top * height, right * width, bottom * height)
        seen = Image.fromarray(plane[frame]).resize((width, height), Image.Resampling.BICUBIC, box=box)
        np.clip(np.asarray(seen), *levels, out=into[frame])
