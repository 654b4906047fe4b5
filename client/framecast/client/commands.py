"""``framecast generate``, ``plan`` and ``info``."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from framecast.client.channel import DEFAULT_ADDRESS, ChannelOptions
from framecast.client.errors import FramecastClientError, InvalidArgument
from framecast.client.files import VideoWriter, check_output
from framecast.client.report import VideoProgress, counted, one_sentence_errors, print_event, print_json
from framecast.client.sync import VideoClient
from framecast.client.tracing import environment_tracer
from framecast.client.types import Camera, Codec, Scene, VideoOptions

StoryArgument = Annotated[
    str | None, typer.Argument(help="The story, in a language that the server's planner has learnt.")
]
StoryFile = Annotated[Path | None, typer.Option(help="Read the story from a UTF-8 file; - is stdin.", allow_dash=True)]
MaxScenes = Annotated[int, typer.Option(help="At most this many scenes; 0: the server's default.")]
Address = Annotated[str, typer.Option(envvar="FRAMECAST_ADDRESS", help="host:port of the server.")]
Token = Annotated[str, typer.Option(envvar="FRAMECAST_TOKEN", help="Bearer token, where the server wants one.")]
Tls = Annotated[bool, typer.Option("--tls", help="Encrypt the connection.")]
CaFile = Annotated[Path | None, typer.Option(help="PEM roots to check the server against; implies --tls.")]
Timeout = Annotated[float | None, typer.Option(min=0.01, help="Seconds for the whole call.")]
Json = Annotated[bool, typer.Option("--json", help="JSON lines on stdout.")]


@one_sentence_errors()
def generate(
    story: StoryArgument = None,
    story_file: StoryFile = None,
    scene: Annotated[list[str] | None, typer.Option(help="A scene's prompt instead of a story; repeatable.")] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="File; folder of jpeg, png, webp.", show_default="out.mp4 or out"),
    ] = None,
    seconds: Annotated[float, typer.Option(help="Length of each --scene; 0: one segment.")] = 0.0,
    camera: Annotated[Camera, typer.Option(help="Of each --scene.")] = Camera.STATIC,
    negative_prompt: Annotated[str, typer.Option(help="What must not be seen in any --scene.")] = "",
    max_scenes: MaxScenes = 0,
    width: Annotated[int, typer.Option(help="Pixels; 0: the server's default.")] = 0,
    height: Annotated[int, typer.Option(help="Pixels; 0: the server's default.")] = 0,
    fps: Annotated[int, typer.Option(help="Frames per second; 0: the server's default.")] = 0,
    steps: Annotated[int, typer.Option(help="Denoising steps; 0: the server's default.")] = 0,
    guidance: Annotated[float | None, typer.Option(help="Classifier-free guidance.")] = None,
    seed: Annotated[int | None, typer.Option(help="Same seed, same video.")] = None,
    codec: Annotated[Codec, typer.Option(help="How frames are encoded.")] = Codec.H264,
    address: Address = DEFAULT_ADDRESS,
    token: Token = "",
    tls: Tls = False,
    ca_file: CaFile = None,
    timeout: Timeout = None,
    json: Json = False,
) -> None:
    """Make a video of a story or of scenes."""
    text = None if scene else _story(story, story_file)
    if scene and (story is not None or story_file is not None):
        raise InvalidArgument("--scene: give either a story or scenes")
    if (camera is not Camera.STATIC or negative_prompt) and not scene:
        raise InvalidArgument("--camera: and --negative-prompt are of each --scene; a story says them itself")
    if seconds and not scene:
        raise InvalidArgument("--seconds: is the length of each --scene; the planner times the scenes of a story")
    target = output or Path("out" if codec.is_image else "out.mp4")
    check_output(target, codec)
    options = VideoOptions(
        width=width, height=height, fps=fps, seed=seed, steps=steps, guidance_scale=guidance, codec=codec
    )
    scenes = [Scene(prompt, seconds, camera, negative_prompt) for prompt in scene] if scene else None

    with _client(address, token, tls, ca_file) as client:
        with (
            VideoProgress(seconds * len(scenes or ()), tells_scenes=scenes is None and not json) as progress,
            VideoWriter(target) as writer,
        ):
            for event in client.generate(text, scenes=scenes, options=options, max_scenes=max_scenes, timeout=timeout):
                progress.see(event)
                writer.write(event)
                if json:
                    print_event(event)
        if scenes is None and not max_scenes:
            _tell_full(client, progress.scenes)
    total, first = progress.elapsed, progress.first_frame_seconds or 0.0
    if json:
        print_json("saved", path=str(target), first_frame_seconds=first, total_seconds=total, **_size(writer))
    else:
        drawn = "" if progress.seed is None else f"; seed {progress.seed}"
        length = f"{writer.frames / progress.fps:.1f} s" if progress.fps else "unknown length"
        typer.echo(
            f"{target}: {counted(writer.frames, 'frame')}, {length}, {counted(progress.scenes, 'scene')};"
            f" first frame after {first:.2f} s, total {total:.2f} s{drawn}"
        )


@one_sentence_errors()
def plan(
    story: StoryArgument = None,
    story_file: StoryFile = None,
    max_scenes: MaxScenes = 0,
    address: Address = DEFAULT_ADDRESS,
    token: Token = "",
    tls: Tls = False,
    ca_file: CaFile = None,
    timeout: Timeout = None,
    json: Json = False,
) -> None:
    """Plan a story's scenes without filming them."""
    text = _story(story, story_file)
    with _client(address, token, tls, ca_file) as client:
        count = 0
        for count, scene in enumerate(client.plan(text, max_scenes=max_scenes, timeout=timeout), start=1):
            if json:
                print_json("scene", index=count - 1, **asdict(scene))
            else:
                typer.echo(f"{count}. {scene.prompt} ({scene.seconds:g} s, {scene.camera.value})")
        if not max_scenes:
            _tell_full(client, count)


@one_sentence_errors()
def info(
    address: Address = DEFAULT_ADDRESS,
    token: Token = "",
    tls: Tls = False,
    ca_file: CaFile = None,
    timeout: Timeout = 10.0,
    json: Json = False,
) -> None:
    """Show what a server makes, and its limits."""
    with _client(address, token, tls, ca_file) as client:
        answer = client.server_info(timeout=timeout)
    if json:
        print_json("server_info", **asdict(answer))
        return
    defaults = answer.defaults
    typer.echo(f"Framecast {answer.version} serving {answer.bundle} at {address}")
    typer.echo(f"  size      {defaults.width}x{defaults.height}, at most {answer.max_width}x{answer.max_height},"
               f" multiples of {answer.size_multiple}")  # fmt: skip
    typer.echo(f"  length    {answer.segment_seconds:g} s a segment, at most {answer.max_scene_seconds:g} s a scene,"
               f" {answer.max_video_seconds:g} s and {answer.max_scenes} scenes a video"
               + (f", {answer.max_story_scenes} of a story" if answer.max_story_scenes else ""))  # fmt: skip
    typer.echo(f"  steps     {defaults.steps}, from {answer.min_steps} to {answer.max_steps};"
               f" guidance {defaults.guidance_scale:g}; {defaults.fps} fps")  # fmt: skip
    typer.echo(f"  codecs    {', '.join(codec.value for codec in answer.codecs)}")


@contextmanager
def _client(address: str, token: str, tls: bool, ca_file: Path | None) -> Iterator[VideoClient]:
    channel = ChannelOptions.secured(tls, ca_file)
    with (
        environment_tracer("framecast-client") as tracer,
        VideoClient(address, token=token, channel=channel, tracer=tracer) as client,
    ):
        yield client


def _story(argument: str | None, file: Path | None) -> str:
    if (argument is None) == (file is None):
        raise InvalidArgument("story: give a story, a --story-file or, to film them, one --scene or more")
    if file is None:
        return argument or ""
    try:
        if str(file) == "-" and sys.stdin is None:
            raise InvalidArgument("--story-file: standard input is closed; name a file")
        raw = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
        return raw.decode("utf-8-sig").strip()
    except OSError as error:
        raise InvalidArgument(f"--story-file: {file}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InvalidArgument(f"--story-file: {file} is not UTF-8 text") from None


def _tell_full(client: VideoClient, scenes: int) -> None:
    """A story that fills as many scenes as it may have may tell more than they show, and only its author knows."""
    with suppress(FramecastClientError):  # what was asked for is there already
        if scenes and scenes == client.server_info(timeout=2.0).max_story_scenes:
            typer.echo(
                f"framecast: a story is planned in at most {counted(scenes, 'scene')} here, and this one has as many;"
                " what it may tell after them can be a story of its own",
                err=True,
            )


def _size(writer: VideoWriter) -> dict[str, int]:
    return {"frames": writer.frames, "bytes": writer.bytes}
