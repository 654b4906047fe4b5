"""Events to files."""

import errno
import io
import os
import stat
from pathlib import Path

import pytest

from framecast.client import (
    Accepted,
    Chunk,
    Codec,
    InvalidArgument,
    Saved,
    VideoOptions,
    VideoWriter,
    files,
    save,
    save_async,
)
from framecast.client.files import check_output


def video(codec, *datas):
    yield Accepted("id", VideoOptions(codec=codec), 0.0)
    for index, data in enumerate(datas):
        yield Chunk(index, 0, index, 1, True, data, "")


def test_a_video_is_the_concatenation_of_its_chunks(tmp_path):
    target = tmp_path / "new" / "a.mp4"
    assert save(video(Codec.VP9, b"head", b"tail"), target) == Saved(target, 2, 8)
    assert target.read_bytes() == b"headtail"
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize("keep", [True, False])
def test_an_unfinished_video_never_has_the_final_name(tmp_path, keep):
    target = tmp_path / "a.mp4"
    target.write_bytes(b"before")

    def broken():
        yield from video(Codec.H264, b"head")
        assert (tmp_path / "a.mp4.part").read_bytes() == b"head"
        raise RuntimeError("cut")

    with pytest.raises(RuntimeError, match="cut"):
        save(broken(), target, keep_partial=keep)
    assert target.read_bytes() == b"before"
    assert (tmp_path / "a.mp4.part").exists() == keep


def test_pictures_are_numbered_in_a_folder(tmp_path):
    save(video(Codec.JPEG, b"one", b"two"), tmp_path / "frames")
    assert {path.name: path.read_bytes() for path in (tmp_path / "frames").iterdir()} == {
        "000000.jpg": b"one",
        "000001.jpg": b"two",
    }


def test_a_picture_that_does_not_fit_leaves_nothing_half_written(tmp_path, monkeypatch):
    class Full(io.BytesIO):
        def write(self, data):
            raise OSError(errno.ENOSPC, "No space left on device")

    def full(target):
        part = target.with_name("part")
        part.touch()
        return Full(), part

    monkeypatch.setattr("framecast.client.files._new_part", full)
    with pytest.raises(OSError, match="No space left"):
        save(video(Codec.PNG, b"one"), tmp_path / "frames")
    assert list((tmp_path / "frames").iterdir()) == []


async def test_the_async_form(tmp_path):
    async def events():
        for event in video(Codec.AV1, b"a"):
            yield event

    assert (await save_async(events(), tmp_path / "a.mp4")).bytes == 1


def test_an_output_that_cannot_hold_the_codec(tmp_path):
    with pytest.raises(InvalidArgument, match="folder of pictures"):
        save(video(Codec.PNG, b"a"), tmp_path / "a.mp4")
    with pytest.raises(InvalidArgument, match="is a folder"):
        save(video(Codec.H264, b"a"), tmp_path)


def test_nothing_received_nothing_written(tmp_path):
    with VideoWriter(tmp_path / "a.mp4") as writer:
        pass
    assert writer.saved.frames == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "codec", "said"),
    [
        ("-", Codec.H264, "- is no file"),
        ("a.png", Codec.H264, "h264 is written as MP4, and a.png names something else; use .mp4"),
        ("a.webm", Codec.AV1, "av1 is written as MP4"),
        ("a.mp4", Codec.PNG, "png makes a folder of pictures, and a.mp4 names a file"),
        ("a.png", Codec.PNG, "png makes a folder of pictures, and a.png names a file"),
    ],
)
def test_a_name_that_says_something_else_is_refused(name: str, codec: Codec, said: str) -> None:
    with pytest.raises(InvalidArgument, match=said):
        check_output(Path(name), codec)
    for fine in ("a.mp4", "a.MOV", "a", "a.v2") if not codec.is_image else ("a", "frames.v2"):
        check_output(Path(fine), codec)


def test_two_videos_of_one_name_are_each_whole(tmp_path):
    target = tmp_path / "a.mp4"
    with VideoWriter(target) as first, VideoWriter(target) as second:
        for writer, codes in ((first, b"12"), (second, b"345")):
            for event in video(Codec.H264, *(bytes([code]) for code in codes)):
                writer.write(event)
        assert {path.name for path in tmp_path.iterdir()} == {"a.mp4.part", "a.mp4.2.part"}
        assert (first.part.read_bytes(), second.part.read_bytes()) == (b"12", b"345")
    assert target.read_bytes() == b"12", "who ends last"
    assert list(tmp_path.iterdir()) == [target]


def test_a_part_that_gets_its_name_before_it_is_claimed_is_left_alone(tmp_path, monkeypatch):
    """Another command opens the part file just before ours gives it its name, and locks it just after."""
    target = tmp_path / "a.mp4"
    first, second = VideoWriter(target), VideoWriter(target)
    for event in video(Codec.H264, b"first"):
        first.write(event)
    claimed, ends = files._claimed, iter([first])

    def late(file):
        for writer in ends:
            writer.__exit__(None, None, None)
        return claimed(file)

    monkeypatch.setattr(files, "_claimed", late)
    for event in video(Codec.H264, b"second"):
        second.write(event)
    assert target.read_bytes() == b"first"
    second.__exit__(None, None, None)
    assert target.read_bytes() == b"second"
    assert list(tmp_path.iterdir()) == [target]


def test_where_files_have_no_locks_the_same_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "fcntl", None)
    save(video(Codec.H264, b"head", b"tail"), tmp_path / "a.mp4")
    assert (tmp_path / "a.mp4").read_bytes() == b"headtail"
    save(video(Codec.PNG, b"one"), tmp_path / "frames")
    assert (tmp_path / "frames" / "000000.png").read_bytes() == b"one"
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["000000.png", "a.mp4", "frames"]


def test_a_picture_that_cannot_take_its_name_leaves_nothing(tmp_path):
    (tmp_path / "frames" / "000000.png").mkdir(parents=True)
    writer = VideoWriter(tmp_path / "frames")
    writer._codec = Codec.PNG
    with pytest.raises(OSError, match="000000"):
        writer.write(Chunk(0, 0, 0, 1, True, b"one", ""))
    assert [path.name for path in (tmp_path / "frames").iterdir()] == ["000000.png"]


def test_a_pipe_is_no_file_and_stays_one(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for codec in (Codec.H264, Codec.PNG):
        with pytest.raises(InvalidArgument, match="is a device or a pipe, and no file"):
            save(video(codec, b"a"), tmp_path / "pipe")
    with pytest.raises(InvalidArgument, match="is a device or a pipe"):
        save(video(Codec.H264, b"a"), "/dev/null")
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


def test_a_link_stays_one(tmp_path):
    (tmp_path / "real.mp4").write_bytes(b"old")
    (tmp_path / "link.mp4").symlink_to("real.mp4")
    save(video(Codec.H264, b"new"), tmp_path / "link.mp4")
    assert (tmp_path / "link.mp4").is_symlink()
    assert (tmp_path / "real.mp4").read_bytes() == b"new"


@pytest.mark.parametrize("here", [".", ""])
def test_pictures_go_to_this_folder_too(tmp_path, monkeypatch, here):
    monkeypatch.chdir(tmp_path)
    save(video(Codec.JPEG, b"a"), here)
    assert (tmp_path / "000000.jpg").read_bytes() == b"a"


def test_a_part_that_nobody_writes_any_more_is_taken(tmp_path):
    (tmp_path / "a.mp4.part").write_bytes(b"of one who was killed")
    with VideoWriter(tmp_path / "a.mp4") as writer:
        for event in video(Codec.H264, b"new"):
            writer.write(event)
        assert writer.part.name == "a.mp4.part"
        assert writer.part.read_bytes() == b"new"
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]
