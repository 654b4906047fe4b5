"""Chunks through the real Triton: order, validity, equality under load, and the ensemble's answer."""

import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import av
import numpy as np
import pytest
import tritonclient.grpc as triton
from PIL import Image
from tests.support.ffprobe import probe_video
from tests.system.system import System, ensemble_inputs, running

from framecast.client import Chunk, Codec, Done, Scene, SceneStarted, VideoClient, VideoOptions

SCENES = [Scene("a white kitten plays in the courtyard", 1.0), Scene("a red car moves left", 1.5)]


def chunks_of(system: System, scenes: list[Scene], options: VideoOptions) -> list[Chunk]:
    with VideoClient(system.address) as client:
        return [e for e in client.generate(scenes=scenes, options=options, timeout=120) if isinstance(e, Chunk)]


def pictures(data: bytes) -> list[np.ndarray]:
    with av.open(io.BytesIO(data)) as movie:
        return [frame.to_ndarray(format="rgb24") for frame in movie.decode(video=0)]


def test_two_scenes_are_one_fragmented_mp4(tiny_system: System, tmp_path: Path) -> None:
    with VideoClient(tiny_system.address) as client:
        events = list(client.generate(scenes=SCENES, options=VideoOptions(seed=1), timeout=120))
    chunks = [event for event in events if isinstance(event, Chunk)]
    movie = b"".join(chunk.data for chunk in chunks)
    assert len(pictures(movie)) == 20  # 8 fps
    assert [e.first_frame for e in events if isinstance(e, SceneStarted)] == [0, 8]
    assert [c.first_frame for c in chunks] == list(np.cumsum([0, *(c.frames for c in chunks)])[:-1])

    path = tmp_path / "movie.mp4"
    path.write_bytes(movie)
    probe = probe_video(path)
    assert (probe["nb_read_frames"], probe["width"], probe["avg_frame_rate"]) == ("20", 32, "8/1")

    done = events[-1]
    assert isinstance(done, Done)
    assert (done.stats.frames, done.stats.scenes, done.stats.bytes) == (20, 2, len(movie))
    assert set(done.stats.engine_seconds) == {"text", "denoise", "decode", "encode", "mux"}


@pytest.mark.parametrize("codec", [Codec.H264, Codec.PNG])
def test_only_movies_are_muxed(tiny_system: System, codec: Codec) -> None:
    with VideoClient(tiny_system.address) as client:
        *_, done = client.generate(scenes=SCENES[:1], options=VideoOptions(seed=1, codec=codec), timeout=120)
    assert isinstance(done, Done)
    seconds = done.stats.engine_seconds
    assert seconds["encode"] > 0
    assert seconds["mux"] == 0 if codec.is_image else seconds["mux"] > 0
    assert seconds["decode"] + seconds["encode"] + seconds["mux"] <= done.stats.total_seconds  # one chunk at a time


def test_every_chunk_decodes_alone_after_the_init_segment(tiny_system: System) -> None:
    chunks = chunks_of(tiny_system, SCENES, VideoOptions(seed=1))
    first = chunks[0].data
    init = first[: first.index(b"moof") - 4]
    assert len(chunks) > 3
    for chunk in chunks[1:]:
        assert len(pictures(init + chunk.data)) == chunk.frames


@pytest.mark.parametrize("codec", [Codec.VP9, Codec.PNG])
def test_other_codecs(tiny_system: System, codec: Codec) -> None:
    chunks = chunks_of(tiny_system, SCENES[:1], VideoOptions(seed=1, codec=codec))
    if codec.is_image:
        assert [chunk.frames for chunk in chunks] == [1] * 8
        assert {chunk.mime for chunk in chunks} == {"image/png"}
        assert all(chunk.data.startswith(b"\x89PNG") for chunk in chunks)
    else:
        assert len(pictures(b"".join(chunk.data for chunk in chunks))) == 8


def test_videos_at_once_are_the_videos_one_by_one(tiny_system: System) -> None:
    videos = [VideoOptions(seed=seed, steps=20 + seed) for seed in range(4)]
    alone = [b"".join(c.data for c in chunks_of(tiny_system, SCENES, options)) for options in videos]
    before = tiny_system.metrics()
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda options: chunks_of(tiny_system, SCENES, options), videos))
    assert [b"".join(c.data for c in chunks) for chunks in together] == alone

    after = tiny_system.metrics()
    mixed = "framecast_denoiser_mixed_steps_total"
    alone_steps = 'framecast_denoiser_batch_size_bucket{le="1"}'
    steps = "framecast_denoiser_batch_size_count"
    assert after[mixed] > before[mixed]
    assert after[steps] - before[steps] > after[alone_steps] - before[alone_steps]  # some step had a batch > 1


def test_the_ensemble_gives_the_gateways_bytes(tiny_system: System) -> None:
    seed, prompt = 7, SCENES[0].prompt
    through_gateway = chunks_of(tiny_system, [Scene(prompt, 1.0, seed=seed)], VideoOptions(seed=3, codec=Codec.PNG))
    movie = chunks_of(tiny_system, [Scene(prompt, 1.0)], VideoOptions(seed=seed))
    assert len(movie) == 2
    with triton.InferenceServerClient(tiny_system.triton_address) as client:
        result = client.infer("text_to_video", ensemble_inputs(prompt, seed=seed, steps=4))
        whole = client.infer("text_to_video", ensemble_inputs(prompt, seed=seed, steps=4, codec="h264"))
    assert whole.as_numpy("DATA").tobytes() == b"".join(chunk.data for chunk in movie)
    assert whole.as_numpy("PART_SIZES").tolist() == [len(chunk.data) for chunk in movie]
    data, sizes = result.as_numpy("DATA").tobytes(), result.as_numpy("PART_SIZES")
    ends = np.cumsum(sizes)
    frames = [data[end - size : end] for size, end in zip(sizes, ends, strict=True)]
    assert frames == [chunk.data for chunk in through_gateway]
    assert result.as_numpy("ENCODE_SECONDS")[0] > 0
    assert result.as_numpy("MUX_SECONDS")[0] == 0  # pictures


def test_a_mark_is_on_every_picture_that_is_served(tiny_system: System, tiny_repository: Path, tmp_path: Path) -> None:
    Image.new("RGBA", (40, 40), (255, 0, 0, 255)).save(tmp_path / "mark.png")
    asked = [Scene("a", 1.0)], VideoOptions(seed=1, codec=Codec.PNG)
    plain = [decoded(chunk.data) for chunk in chunks_of(tiny_system, *asked)]
    with running(tiny_repository, tmp_path / "log", "--mark", str(tmp_path / "mark.png")) as system:
        marked = [decoded(chunk.data) for chunk in chunks_of(system, *asked)]
    assert len(marked) == len(plain) == 8
    for with_mark, without in zip(marked, plain, strict=True):
        np.testing.assert_array_equal(with_mark[:12], without[:12])
        np.testing.assert_allclose(with_mark[-6, -6], (255, 0, 0), atol=4)


def decoded(picture: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(picture)).convert("RGB"))


def test_a_gateway_in_front_of_a_triton_that_runs_already(
    tiny_system: System, tiny_repository: Path, tmp_path: Path
) -> None:
    expected = chunks_of(tiny_system, SCENES, VideoOptions(seed=1))
    with running(tmp_path, tmp_path / "log", "--triton-address", tiny_system.triton_address) as second:
        assert chunks_of(second, SCENES, VideoOptions(seed=1)) == expected
