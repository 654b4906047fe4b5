import dataclasses

import pytest

from framecast.media.codecs import CODECS, find_codec
from framecast.media.errors import UnknownCodec


def test_the_registry() -> None:
    assert list(CODECS) == ["h264", "vp9", "av1", "jpeg", "png", "webp"]
    assert [name for name, codec in CODECS.items() if codec.is_video] == ["h264", "vp9", "av1"]
    assert find_codec("h264").encoder == "libx264"


def test_an_unknown_name_gets_the_list() -> None:
    with pytest.raises(UnknownCodec, match="no codec 'gif', only h264, vp9, av1, jpeg, png, webp"):
        find_codec("gif")


def test_codecs_do_not_change() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        CODECS["h264"].encoder = "h264_nvenc"  # type: ignore[misc]
    with pytest.raises(TypeError):
        CODECS["h264"] = CODECS["vp9"]  # type: ignore[index]
