"""Somebody's own clips and stories go through the recipes in the place of the world's."""

import json
import random
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image
from transformers import CLIPTokenizer
from typer.testing import CliRunner

from framecast.train import diffusion, drafts, latents, own, planner, tokenizers, tune, vae
from framecast.train.cli import app
from framecast.train.folding import FOLD
from framecast.train.latents import CacheConfig, LatentCache
from framecast.train.parallel import Crew

from .conftest import DIFFUSION, PLANNER, VAE, even

CAPTIONS = ("a grey square brightens", "一个红色的方块", "a dark square")
SCENES = [{"prompt": "a grey square brightens", "seconds": 2, "camera": "static"}, {"prompt": "一个红色的方块"}]


def film(path: Path, levels: list[int], fps: int, size: tuple[int, int] = (320, 256)) -> None:
    """A lossless film, one grey level a frame."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("ffv1", rate=fps)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv444p"
        for level in levels:
            picture = np.full((size[1], size[0], 3), level, np.uint8)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        out.mux(stream.encode())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("own")
    film(found / "brighter.mkv", list(range(40, 240, 4)), 12)  # 50 frames, 4.2 s
    Image.new("RGB", (300, 400), (200, 30, 30)).save(found / "red.png")
    film(found / "dark.mkv", [20] * 6, 24)
    files = ("brighter.mkv", "red.png", "dark.mkv")
    clips = [{"file": file, "caption": caption} for file, caption in zip(files, CAPTIONS, strict=True)]
    write(found / "clips.jsonl", clips)
    write(found / "stories.jsonl", [{"story": f"Story {i} of a square.", "scenes": SCENES} for i in range(12)])
    (found / "corpus.txt").write_text("Squares have four sides.\n\n方块有四条边。\n", encoding="utf-8")
    return found


def copied(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "copy"))


def write(path: Path, lines: list[object]) -> None:
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")


def test_frames_are_what_is_shown_at_their_time(folder: Path) -> None:
    brighter, red, dark = own.OwnData(folder).clips
    for start in (0.0, 0.5, 2.25):
        frames = brighter.frames(start, 12)
        assert frames.shape == (12, 256, 256, 3)
        shown = [40 + 4 * int((start + k / 24 + 2e-3) * 12) for k in range(12)]
        np.testing.assert_allclose(frames.mean(axis=(1, 2, 3)), shown, atol=1.5)
    np.testing.assert_allclose(red.frames(0.0, 3).mean(axis=(0, 1, 2)), (200, 30, 30), atol=1.5)
    assert dark.frames(0.0, 48).shape == (48, 256, 256, 3), "the last picture is held"


def test_the_recipes_learn_from_it(folder: Path, tmp_path: Path) -> None:
    runner = CliRunner()
    told = runner.invoke(app, ["data", str(folder), "--runs", str(tmp_path)])
    assert (told.exit_code, "learns from 3 clips and 12 stories" in told.output) == (0, True)
    assert runner.invoke(app, ["tokenizers", "--runs", str(tmp_path)]).exit_code == 0
    data = own.of(tmp_path)
    assert data is not None
    clip, story = tokenizers.text_tokenizer(tmp_path), tokenizers.planner_tokenizer(tmp_path)
    assert clip.decode(clip(CAPTIONS[0]).input_ids, skip_special_tokens=True).strip() == CAPTIONS[0]
    assert "square" in " ".join(clip.convert_ids_to_tokens(clip(CAPTIONS[0]).input_ids)), "a word of its own"

    code = vae.linear_code(VAE, tmp_path / "vae", data)
    config = CacheConfig(samples=4, data=str(folder))
    assert latents.build(config, code, tmp_path / "cache", crew=Crew(), data=data) == 4
    cache = LatentCache(tmp_path / "cache")
    assert [sample.caption for sample in cache.samples] == [CAPTIONS[i] for i in (0, 1, 2, 0)]
    first = cache.samples[0]
    expected = latents.encode(data.clips[0].frames(first.start, 48), code)
    np.testing.assert_array_equal(cache.clip(0)[0].numpy(), expected.astype(np.float32))

    batch = diffusion.draw_batch(cache, clip, DIFFUSION, 8, random.Random(0))
    read = {text.replace(" ", "") for text in clip.batch_decode(batch.tokens, skip_special_tokens=True)}
    assert read - {""} <= {caption.replace(" ", "") for caption in CAPTIONS}
    diffusion.train(DIFFUSION, cache, clip, even(VAE.latent_channels), tmp_path / "unet")
    vae.train(VAE, tmp_path / "vae", data=data)
    assert {len(told) for told in (data.learnt, data.held)} == {11, 1}
    ids, labels = planner.finetuning_batch(PLANNER, story, 0, data)
    answers = [story.decode([i for i in row if i >= 0], skip_special_tokens=True) for row in labels.tolist()]
    assert {tuple(s["prompt"] for s in json.loads(answer)["scenes"]) for answer in answers} == {
        (CAPTIONS[0], CAPTIONS[1])
    }
    assert ids.shape == labels.shape
    packed = story.decode(planner.pretraining_batch(PLANNER, story, 1, data)[0].flatten().tolist())
    assert "quare" in packed or "方" in packed
    model = planner.train(PLANNER, story, tmp_path / "planner", data=data)
    assert planner.exact_own(model, story, data) == 0, "after six steps"


def test_a_planner_that_is_right_is_scored_so(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It answers in what its tokenizer reads: no capitals, no traditional characters."""
    spoken = [{"prompt": "A Big 貓", "seconds": 2, "camera": "static"}]
    copy = copied(folder, tmp_path)
    write(copy / "stories.jsonl", [{"story": f"Story {i}.", "scenes": spoken} for i in range(10)])
    data = own.OwnData(copy)
    tokenizer = tokenizers.train_planner_tokenizer(tmp_path / "planner", data=data)
    board = tokenizer.decode(tokenizer(data.held[0].board).input_ids)
    monkeypatch.setattr(planner, "plan", lambda _model, _tokenizer, stories, longest: [board] * len(stories))
    assert planner.exact_own(None, tokenizer, data) == 1  # type: ignore[arg-type]


def test_films_begin_later_are_turned_and_have_longer_sound(folder: Path, tmp_path: Path) -> None:
    copy = copied(folder, tmp_path)
    half = Image.new("RGB", (320, 320), (0, 0, 0))
    half.paste((255, 255, 255), (0, 0, 160, 320))
    half.save(copy / "half.png")
    sound = ["-f", "lavfi", "-i", "sine=duration=9"]
    late = ["-c:v", "mpeg2video", "-q:v", "2", "-pix_fmt", "yuv420p", "-output_ts_offset", "5", "late.ts"]
    for arguments in (
        ["-i", "brighter.mkv", *late],
        ["-i", "brighter.mkv", *sound, "-c:v", "copy", "long.mkv"],
        ["-i", "half.png", "-c:v", "mjpeg", "-q:v", "1", "-pix_fmt", "yuvj444p", "half.mp4"],
        ["-i", "half.mp4", "-c", "copy", "-metadata:s:v:0", "rotate=90", "turned.mp4"],
        ["-i", "turned.mp4", "-frames:v", "1", "turned.png"],  # which turns it
    ):
        subprocess.run(["ffmpeg", "-loglevel", "error", "-y", *arguments], cwd=copy, check=True)
    write(copy / "clips.jsonl", [{"file": f, "caption": "a\u2028b"} for f in ("late.ts", "long.mkv", "turned.mp4")])
    late_film, long_film, turned = own.OwnData(copy).clips
    assert late_film.caption == "a\u2028b"
    assert late_film.seconds == pytest.approx(4.17, abs=0.15)
    assert long_film.seconds == pytest.approx(4.17, abs=0.1)
    levels = late_film.frames(0.0, 48).mean(axis=(1, 2, 3))
    assert levels[0] == pytest.approx(40, abs=4)
    assert levels[-1] == pytest.approx(40 + 4 * 23, abs=8)
    expected = np.asarray(Image.open(copy / "turned.png").convert("RGB").resize((256, 256)), int)
    assert np.abs(expected[20].mean() - expected[-20].mean()) > 200, "upper and lower half"
    assert np.abs(turned.frames(0.0, 1)[0] - expected).mean() < 4


def test_its_drafts_are_of_its_frames_and_tuning_says_what_it_needs(folder: Path, tmp_path: Path) -> None:
    data = own.OwnData(folder)
    code = vae.linear_code(VAE, tmp_path / "vae", data)
    latents.build(CacheConfig(samples=2, data=str(folder)), code, tmp_path / "cache", crew=Crew(), data=data)
    cache = LatentCache(tmp_path / "cache")
    tokenizer = tokenizers.train_text_tokenizer(tmp_path / "text", data=data)
    models = (diffusion.build(DIFFUSION, 4).eval(), diffusion.text.build(DIFFUSION.text, tokenizer).eval(), tokenizer)
    config = drafts.DraftConfig(clips=2, last=2)
    assert drafts.build(config, cache, models, 0.3, tmp_path / "drafts", crew=Crew()) == 2
    maps, drafted = drafts.Drafts(tmp_path / "drafts").draw(random.Random(3))
    clean = code.encode(maps)
    cached = [cache.clip(i)[0][m] for i in range(2) for m in range(12)]
    assert min(float((clean[0] - latent).abs().max()) for latent in cached) < 0.02
    assert drafted.shape == clean.shape
    with pytest.raises(ValueError, match="scenes of the world, and this cache is of your own clips"):
        tune.planned_captions(*[None] * 2, cache, tune.TuneConfig(), tmp_path / "tune", Crew())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda f: (f / "clips.jsonl").unlink(), "clips.jsonl is missing"),
        (lambda f: (f / "clips.jsonl").write_text("\n"), "clips.jsonl has no line"),
        (lambda f: (f / "clips.jsonl").write_text("{\n"), "clips.jsonl:1: Expecting"),
        (lambda f: write(f / "clips.jsonl", [["a"]]), "clips.jsonl:1: expected an object"),
        (lambda f: write(f / "clips.jsonl", [{"file": "red.png"}]), "clips.jsonl:1: expected"),
        (lambda f: write(f / "clips.jsonl", [{"file": "no.mp4", "caption": "a"}]), "no.mp4 is no film and no picture"),
        (lambda f: write(f / "clips.jsonl", [{"file": "corpus.txt", "caption": "a"}]), "is no film and no picture"),
        (lambda f: write(f / "stories.jsonl", [{"story": "a", "scenes": []}]), "has 1 to 6 scenes, not 0"),
        (lambda f: _story(f, prompt=""), "stories.jsonl:1: scene 1: its prompt has 1 to 300 characters"),
        (lambda f: _story(f, prompt=" "), "stories.jsonl:1: scene 1: its prompt has 1 to 300 characters"),
        (lambda f: _story(f, second=3), "scene 1 has 'second', which means nothing here; known are prompt, seconds"),
        (lambda f: write(f / "stories.jsonl", [{"story": "a", "scenes": ["b"]}]), "scene 1 is no object like"),
        (
            lambda f: (f / "clips.jsonl").write_text('{"file": "red.png", "caption": "\\ud800"}'),
            "clips.jsonl:1: 'utf-8'",
        ),
        (lambda f: (f / "clips.jsonl").write_text("[" * 100_000), "clips.jsonl:1: "),
        (lambda f: _story(f, seconds=2.55), "seconds are 0.5 to 8.0 in tenths, not 2.55"),
        (lambda f: _story(f, seconds=True), "seconds are 0.5 to 8.0 in tenths, not True"),
        (lambda f: _story(f, camera="drone"), "camera is 'drone'; it is one of static"),
        (lambda f: (f / "corpus.txt").write_bytes(b"\xff\xfe"), "corpus.txt is not UTF-8 text"),
    ],
)
def test_what_is_wrong_with_it_is_told_in_one_sentence(
    folder: Path, tmp_path: Path, spoil: Callable[[Path], object], said: str
) -> None:
    copy = copied(folder, tmp_path)
    spoil(copy)
    found = CliRunner().invoke(app, ["data", str(copy), "--runs", str(tmp_path / "runs")])
    assert found.exit_code in (1, 2)
    assert said in " ".join(found.stderr.split())
    assert "Traceback" not in found.stderr
    assert not (tmp_path / "runs").exists()


def _story(folder: Path, **fields: object) -> None:
    write(folder / "stories.jsonl", [{"story": "a", "scenes": [{"prompt": "a", **fields}]}])


def test_a_story_that_the_planner_cannot_read_is_named(folder: Path, tmp_path: Path) -> None:
    copy = copied(folder, tmp_path)
    write(copy / "stories.jsonl", [{"story": "1 " * 2000, "scenes": SCENES}])
    data = own.OwnData(copy)
    tokenizer = tokenizers.train_planner_tokenizer(tmp_path / "planner", data=data)
    with pytest.raises(ValueError, match=r"stories.jsonl:1: the story .* tokens, and the planner reads 1024; shorten"):
        planner.train(PLANNER, tokenizer, tmp_path / "planner", data=data)


def test_files_may_begin_with_a_mark_and_lines_be_long(folder: Path, tmp_path: Path) -> None:
    copy = copied(folder, tmp_path)
    for name in ("clips.jsonl", "stories.jsonl", "corpus.txt"):
        (copy / name).write_text((copy / name).read_text(encoding="utf-8"), encoding="utf-8-sig")
    (copy / "corpus.txt").write_text("ab" * 3000, encoding="utf-8-sig")
    data = own.OwnData(copy)
    assert (len(data.clips), len(data.stories)) == (3, 12)
    assert list(map(len, data.corpus)) == [2000, 2000, 2000]
    assert data.corpus[0].startswith("ab")


def movie(path: Path, *options: str) -> bytes:
    """Six seconds of a test picture, a key frame every second."""
    source = ["-f", "lavfi", "-i", "testsrc2=duration=6:size=320x240:rate=24", "-g", "24", "-pix_fmt", "yuv420p"]
    subprocess.run(["ffmpeg", "-v", "error", "-y", *source, *options, str(path)], check=True)
    return path.read_bytes()


def test_a_film_that_is_cut_short_is_told(folder: Path, tmp_path: Path) -> None:
    copy = copied(folder, tmp_path)
    whole = movie(copy / "film.mp4", "-movflags", "+faststart")
    write(copy / "clips.jsonl", [{"file": "film.mp4", "caption": "a"}])
    assert own.OwnData(copy, whole=True).clips[0].seconds == pytest.approx(6.0)
    (copy / "film.mp4").write_bytes(whole[: len(whole) // 3])
    with pytest.raises(ValueError, match=r"clips.jsonl:1: .*film.mp4 is cut short: of 6.0 s [0-5]\.\d can be read"):
        own.OwnData(copy, whole=True)


def test_a_film_is_read_around_what_is_broken_in_it(tmp_path: Path) -> None:
    whole = bytearray(movie(tmp_path / "film.mp4"))
    at = whole.index(b"mdat") + 4
    middle = at + (len(whole) - at) // 2
    whole[middle : middle + 20_000] = bytes(20_000)
    (tmp_path / "film.mp4").write_bytes(whole)
    clip = own.Clip(tmp_path / "film.mp4", "a", 6.0)
    for start in (0.0, 2.9, 3.5, 5.5):
        assert clip.frames(start, 12).shape == (12, 256, 256, 3)


@pytest.mark.parametrize("start", [0.0, 0.5, 2.0])
def test_a_camcorders_film_is_read_from_where_it_begins(tmp_path: Path, start: float) -> None:
    """To seek in a transport stream leads behind its only key frame."""
    movie(tmp_path / "film.ts", "-g", "1000")
    movie(tmp_path / "film.mkv", "-g", "1000")
    ts, mkv = (own.Clip(tmp_path / name, "a", 6.0).frames(start, 12).astype(int) for name in ("film.ts", "film.mkv"))
    assert len({frame.tobytes() for frame in ts}) > 6
    assert np.abs(ts - mkv).mean() < 8


def test_clips_that_have_changed_are_another_cache(folder: Path, tmp_path: Path) -> None:
    copy, runs = copied(folder, tmp_path), tmp_path / "runs"
    run, small = CliRunner().invoke, ["--samples", "2", "--runs", str(runs)]
    assert run(app, ["data", str(copy), "--runs", str(runs)]).exit_code == 0
    vae.linear_code(VAE, runs / "vae", own.OwnData(copy))
    assert run(app, ["cache", *small]).exit_code == 0
    assert run(app, ["cache", *small]).exit_code == 0
    write(copy / "clips.jsonl", [{"file": "red.png", "caption": "something else"}])
    told = run(app, ["cache", *small])
    assert told.exit_code == 2
    assert "cache was drawn with data" in " ".join(told.stderr.split())


def test_nothing_is_worked_out_of_the_world_before_its_time(folder: Path, tmp_path: Path) -> None:
    run, runs = CliRunner().invoke, ["--runs", str(tmp_path)]
    assert run(app, ["data", str(folder), *runs]).exit_code == 0
    assert run(app, ["tokenizers", *runs]).exit_code == 0
    told = run(app, ["unet", *runs])
    assert (told.exit_code, "no code of latents" in told.stderr) == (1, True)
    assert not (tmp_path / "vae").exists()
    (tmp_path / "planner" / "last").mkdir(parents=True)
    told = run(app, ["tokenizers", *runs])
    assert (told.exit_code, "has learnt with the tokenizers that are there" in told.stderr) == (2, True)
    told = run(app, ["bundle", *runs])
    assert (told.exit_code, "--out: name a folder for your bundle" in " ".join(told.stderr.split())) == (2, True)


def test_the_tokenizer_of_a_caption_is_clips(folder: Path, tmp_path: Path) -> None:
    """Any other words are read as well, and each Chinese character is a token."""
    tokenizer: CLIPTokenizer = tokenizers.train_text_tokenizer(tmp_path / "text", data=own.OwnData(folder))
    assert len(tokenizer("红", add_special_tokens=False).input_ids) == 1
    assert tokenizer.decode(tokenizer("zebra!", add_special_tokens=False).input_ids) == "zebra !"
    assert FOLD.frames == 4
