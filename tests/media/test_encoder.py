import dataclasses
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import pytest

from framecast.media import encoder, movie
from framecast.media.codecs import Codec, find_codec
from framecast.media.encoder import encode_chunk
from framecast.media.errors import EncodingFailed, InvalidTiming, MediaError, UnknownCodec
from framecast.media.planes import Planes

PLACE = {"fps": 24, "first_frame": 0, "sequence": 1, "include_header": True}


def broken(codec: str, **changes: object) -> Codec:
    return dataclasses.replace(find_codec(codec), **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"fps": 0}, "fps must be from 1 to 120, not 0"),
        ({"fps": 121}, "fps must be from 1 to 120, not 121"),
        ({"fps": 23.976}, "fps must be a whole number, not 23.976"),
        ({"first_frame": -1}, "first_frame must be from 0"),
        ({"sequence": 0}, "sequence must be from 1"),
        ({"sequence": 2**32}, "sequence must be from 1 to 4294967295"),
    ],
)
def test_timing_out_of_range(changes: dict[str, int], sentence: str, cartoon: Callable[..., Planes]) -> None:
    with pytest.raises(InvalidTiming, match=sentence) as caught:
        encode_chunk(cartoon(1), codec="png", **{**PLACE, **changes})  # type: ignore[arg-type]
    assert isinstance(caught.value, ValueError)


def test_an_unknown_codec(cartoon: Callable[..., Planes]) -> None:
    with pytest.raises(UnknownCodec, match="no codec 'h265'"):
        encode_chunk(cartoon(1), codec="h265", **PLACE)  # type: ignore[arg-type]


def test_numpy_integers_are_whole_numbers(cartoon: Callable[..., Planes]) -> None:
    planes = cartoon(1)
    place = {"fps": 24, "first_frame": 2**20, "sequence": 7}  # times the timescale this is beyond 32 bits
    scalars: dict[str, Any] = {name: np.int32(value) for name, value in place.items()}
    assert encode_chunk(planes, codec="h264", include_header=True, **scalars) == encode_chunk(
        planes, codec="h264", include_header=True, **place
    )


@pytest.mark.parametrize(
    ("codec", "sentence"),
    [
        (broken("h264", encoder="libnothing"), "The encoder libnothing failed on 2 frames"),
        (broken("h264", options={"no-such-option": "1"}), "libx264 has no option 'no-such-option'"),
        (broken("vp9", options={"deadline": "whenever"}), "The encoder libvpx-vp9 failed on 2 frames"),
        (broken("vp9", pixels="rgb24"), "The encoder libvpx-vp9 failed on 2 frames"),
        (broken("h264", encoder="mpeg4", options={}), "mpeg4 wrote a movie that cannot be cut"),
        (broken("png", encoder="libnothing"), "The encoder libnothing failed on 2 frames"),
        (broken("png", options={"no-such-option": "1"}), "png has no option 'no-such-option'"),
        (broken("png", options={"pred": "astrology"}), "The encoder png failed on 2 frames"),
    ],
)
def test_an_encoder_that_fails_says_so(codec: Codec, sentence: str, cartoon: Callable[..., Planes]) -> None:
    with pytest.raises(EncodingFailed, match=sentence) as caught:
        encode_chunk(cartoon(2), codec=codec, **PLACE)  # type: ignore[arg-type]
    assert isinstance(caught.value, RuntimeError)
    assert isinstance(caught.value, MediaError)


def test_a_failure_leaves_the_chunks_before_it_good(
    cartoon: Callable[..., Planes], decode: Callable[[bytes], list[av.VideoFrame]]
) -> None:
    planes = cartoon(8)
    delivered = b""
    for index, codec in enumerate((find_codec("h264"), find_codec("h264"), broken("h264", pixels="rgb24"))):
        place = {"fps": 24, "first_frame": 3 * index, "sequence": index + 1, "include_header": index == 0}
        if index == 2:
            with pytest.raises(EncodingFailed):
                encode_chunk(planes[6:], codec=codec, **place)  # type: ignore[arg-type]
        else:
            delivered += encode_chunk(planes[3 * index : 3 * index + 3], codec=codec, **place).parts[0]  # type: ignore[arg-type]
    assert len(decode(delivered)) == 6


class Clock:
    """A clock that stands until it is told otherwise."""

    def __init__(self) -> None:
        self.now = 0.0

    def after(self, seconds: float, work: Callable[..., Any]) -> Callable[..., Any]:
        """`work`, and it takes `seconds`."""

        def slow(*args: Any, **kwargs: Any) -> Any:
            self.now += seconds
            return work(*args, **kwargs)

        return slow


class Muxer:
    """FFmpeg's muxer; each of its calls takes 10 s and closing 100 s."""

    def __init__(self, clock: Clock, container: Any) -> None:
        self.add_stream = container.add_stream
        self.mux = clock.after(10, container.mux)
        self._close = clock.after(100, container.close)

    def __enter__(self) -> "Muxer":
        return self

    def __exit__(self, *_: object) -> None:
        self._close()


@pytest.mark.parametrize(("codec", "muxing"), [("h264", 4 * 10 + 100 + 1000), ("png", 0)])
def test_only_the_container_counts_as_muxing(
    codec: str, muxing: float, cartoon: Callable[..., Planes], monkeypatch: pytest.MonkeyPatch
) -> None:
    planes, clock, opened = cartoon(3), Clock(), av.open
    for module in (movie, encoder):
        monkeypatch.setattr(module, "time", SimpleNamespace(perf_counter=lambda: clock.now))
    monkeypatch.setattr(av, "open", lambda *args, **kwargs: Muxer(clock, opened(*args, **kwargs)))
    monkeypatch.setattr(encoder, "place_movie", clock.after(1000, encoder.place_movie))
    monkeypatch.setattr(Planes, "packed", clock.after(1, Planes.packed))  # what the codec is given
    chunk = encode_chunk(planes, codec=codec, **PLACE)  # type: ignore[arg-type]
    assert chunk.mux_seconds == muxing
    assert clock.now == muxing + (3 if codec == "h264" else 0)


@pytest.mark.parametrize("codec", ["h264", "vp9", "av1"])
def test_a_movie_is_muxed_within_its_call(codec: str, cartoon: Callable[..., Planes]) -> None:
    planes, started = cartoon(2), time.perf_counter()
    chunk = encode_chunk(planes, codec=codec, **PLACE)  # type: ignore[arg-type]
    assert 0 < chunk.mux_seconds < time.perf_counter() - started
