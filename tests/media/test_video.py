"""Chunks of video, judged by decoders that know nothing of how they were made."""

import io
import json
import shutil
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.reformatter import ColorRange, Colorspace

from framecast.media.colour import rgb_to_yuv420
from framecast.media.fragments import split_movie
from framecast.media.planes import Planes

VIDEO_CODECS = ("h264", "vp9", "av1")
SIZES = (12, 12, 7, 1)
ROUNDS = {"h264": 40, "vp9": 8, "av1": 4}  # what fails, fails seldom; x264 is the quickest
FRAMES = sum(SIZES)
EVERY = [("h264", fps) for fps in (1, 23, 24, 25, 30, 60, 120)] + [("vp9", 24), ("vp9", 23), ("av1", 24), ("av1", 25)]

Cartoon = Callable[..., Planes]
EncodeVideo = Callable[..., list[bytes]]
Decode = Callable[[bytes], list[av.VideoFrame]]
Psnr = Callable[..., float]


@pytest.mark.parametrize(("codec", "fps"), EVERY)
def test_all_chunks_are_one_movie(codec: str, fps: int, cartoon: Cartoon, encode_video: EncodeVideo) -> None:
    movie = b"".join(encode_video(cartoon(FRAMES), SIZES, codec, fps))
    with av.open(io.BytesIO(movie), "r") as container:
        stream = container.streams.video[0]
        ticks = [packet.pts for packet in container.demux(stream) if packet.size]
        assert stream.average_rate == fps
        assert (stream.codec_context.width, stream.codec_context.height) == (96, 64)
        tick = stream.time_base
    assert tick is not None
    step = 1 / (fps * tick)
    assert step.denominator == 1
    assert ticks == [index * step for index in range(FRAMES)]


@pytest.mark.parametrize("codec", VIDEO_CODECS)
def test_frames_come_back_in_order_and_close(
    codec: str, cartoon: Cartoon, encode_video: EncodeVideo, decode: Decode, psnr: Psnr
) -> None:
    planes = cartoon(FRAMES, 128, 160)
    frames = decode(b"".join(encode_video(planes, SIZES, codec)))
    assert len(frames) == FRAMES
    originals = [planes.packed(index) for index in range(FRAMES)]
    for index, frame in enumerate(frames):
        likeness = [psnr(frame.to_ndarray(), original) for original in originals]
        assert int(np.argmax(likeness)) == index
        assert likeness[index] > 40
    assert max(psnr(originals[0], other) for other in originals[1:]) < 30  # the threshold tells frames apart


@pytest.mark.parametrize("codec", VIDEO_CODECS)
def test_every_chunk_decodes_alone(codec: str, cartoon: Cartoon, encode_video: EncodeVideo, decode: Decode) -> None:
    chunks = encode_video(cartoon(FRAMES), SIZES, codec)
    init, segments = split_movie(b"".join(chunks))
    together = [frame.to_ndarray() for frame in decode(b"".join(chunks))]
    alone = []
    for segment, size in zip(segments, SIZES, strict=True):
        frames = decode(init + segment)
        assert len(frames) == size
        assert frames[0].key_frame
        assert not any(frame.key_frame for frame in frames[1:])
        alone += [frame.to_ndarray() for frame in frames]
    assert all(np.array_equal(a, b) for a, b in zip(alone, together, strict=True))


@pytest.mark.parametrize("codec", VIDEO_CODECS)
def test_the_same_planes_give_the_same_bytes(codec: str, cartoon: Cartoon, encode_video: EncodeVideo) -> None:
    planes = cartoon(9)
    strided = Planes(*(np.repeat(plane, 2, axis=0)[::2] for plane in (planes.y, planes.u, planes.v)))
    assert encode_video(planes, (8, 1), codec) == encode_video(strided, (8, 1), codec)


@pytest.mark.parametrize("codec", VIDEO_CODECS)
def test_what_was_encoded_before_leaves_no_trace(codec: str, cartoon: Cartoon, encode_video: EncodeVideo) -> None:
    # An encoder that reads memory before it writes there sees what the one before it left: x264's macroblock tree
    # did at these sizes.
    sizes = [(16, 16), (16, 64), (34, 18), (32, 32), (48, 80), (64, 96), (256, 256)]
    randoms = np.random.default_rng(1)
    pictures = [cartoon(6, *size) for size in sizes]
    seen: list[set[bytes]] = [set() for _ in sizes]
    for _ in range(ROUNDS[codec]):
        for index in randoms.permutation(len(sizes)):
            height, width = sizes[index]
            noise = rgb_to_yuv420(randoms.integers(0, 256, (6, height, width, 3), dtype=np.uint8))
            for planes in (pictures[index], pictures[index], noise):
                [movie] = encode_video(planes, (6,), codec)
                if planes is not noise:
                    seen[index].add(movie)
    assert [len(movies) for movies in seen] == [1] * len(sizes)


@pytest.mark.parametrize("codec", VIDEO_CODECS)
def test_a_still_picture_stays_still(codec: str, encode_video: EncodeVideo, decode: Decode) -> None:
    busy = np.random.default_rng(2).integers(0, 256, (1, 128, 128, 3), dtype=np.uint8)
    frames = decode(encode_video(rgb_to_yuv420(busy.repeat(24, 0)), (24,), codec)[0])
    changes = [np.abs(a.to_ndarray().astype(int) - b.to_ndarray()).mean() for a, b in pairwise(frames)]
    assert len(changes) == 23
    assert sum(change > 0.5 for change in changes) == 0


def test_threads_do_not_disturb_each_other(cartoon: Cartoon, encode_video: EncodeVideo) -> None:
    planes = cartoon(6)
    with ThreadPoolExecutor(3) as pool:
        for codec in VIDEO_CODECS:
            first, *others = pool.map(lambda codec: encode_video(planes, (5, 1), codec), [codec] * 4)
            assert others == [first] * 3


@pytest.mark.parametrize("codec", VIDEO_CODECS)
@pytest.mark.parametrize("size", [(16, 16), (34, 18), (66, 130)])
def test_sizes_that_are_no_multiple_of_a_block(
    codec: str, size: tuple[int, int], cartoon: Cartoon, encode_video: EncodeVideo, decode: Decode
) -> None:
    frames = decode(b"".join(encode_video(cartoon(3, *size), (2, 1), codec)))
    assert [(frame.height, frame.width) for frame in frames] == [size] * 3


@pytest.mark.parametrize("codec", VIDEO_CODECS)
def test_the_header_does_not_depend_on_the_chunk(codec: str, cartoon: Cartoon, encode_video: EncodeVideo) -> None:
    planes = cartoon(12)
    headers = {split_movie(encode_video(planes[first:], (size,), codec)[0])[0] for first, size in ((0, 12), (3, 1))}
    assert len(headers) == 1


@pytest.mark.parametrize("codec", VIDEO_CODECS)
def test_colours_are_tagged_in_the_stream(
    codec: str, cartoon: Cartoon, encode_video: EncodeVideo, decode: Decode
) -> None:
    [frame] = decode(encode_video(cartoon(1), (1,), codec)[0])
    assert (frame.color_range, frame.colorspace) == (ColorRange.MPEG, Colorspace.ITU709)
    assert (frame.format.name, frame.width, frame.height) == ("yuv420p", 96, 64)


def test_a_scene_cut_inside_a_chunk_makes_no_second_group(
    cartoon: Cartoon, encode_video: EncodeVideo, decode: Decode
) -> None:
    planes = cartoon(36)  # x264 leaves a second between keyframes, so the cut comes later than that
    cut = Planes(planes.y.copy(), planes.u.copy(), planes.v.copy())
    cut.y[30:], cut.u[30:], cut.v[30:] = 255 - cut.y[30:, ::-1], 255 - cut.u[30:], 255 - cut.v[30:]
    for codec in VIDEO_CODECS:
        frames = decode(encode_video(cut, (36,), codec)[0])
        assert [frame.key_frame for frame in frames] == [True] + [False] * 35


def test_encoders_are_silent(cartoon: Cartoon, encode_video: EncodeVideo, capfd: pytest.CaptureFixture[str]) -> None:
    for codec in VIDEO_CODECS:
        encode_video(cartoon(2), (2,), codec)
    assert capfd.readouterr() == ("", "")


def ffprobe(path: Path) -> dict[str, list[dict[str, str]]]:
    program = shutil.which("ffprobe")
    assert program, "ffprobe is missing; install ffmpeg"
    result = subprocess.run(
        [program, "-v", "warning", "-count_frames", "-show_streams", "-show_packets", "-of", "json", str(path)],
        capture_output=True,
        check=True,
    )
    assert result.stderr == b""
    parsed: dict[str, list[dict[str, str]]] = json.loads(result.stdout)
    return parsed


@pytest.mark.parametrize("fps", [23, 24, 60])
def test_ffprobe_reads_one_movie(fps: int, cartoon: Cartoon, encode_video: EncodeVideo, tmp_path: Path) -> None:
    path = tmp_path / "movie.mp4"
    path.write_bytes(b"".join(encode_video(cartoon(FRAMES), SIZES, "h264", fps)))
    report = ffprobe(path)
    [stream] = report["streams"]
    expected = {
        "codec_name": "h264",
        "nb_read_frames": str(FRAMES),
        "width": 96,
        "height": 64,
        "pix_fmt": "yuv420p",
        "avg_frame_rate": f"{fps}/1",
        "r_frame_rate": f"{fps}/1",
        "color_range": "tv",
        "color_space": "bt709",
        "color_transfer": "bt709",
        "color_primaries": "bt709",
        "has_b_frames": 0,
    }
    assert {key: stream[key] for key in expected} == expected
    packets = report["packets"]
    assert len({packet["duration"] for packet in packets}) == 1
    assert [int(packet["pts"]) for packet in packets] == [
        index * int(packets[0]["duration"]) for index in range(FRAMES)
    ]
