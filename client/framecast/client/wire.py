"""Callers' data to protobuf and back; nothing else in the client touches messages."""

import uuid
from collections.abc import Sequence
from dataclasses import replace
from enum import Enum
from typing import Any, TypeVar

from google.protobuf.message import Message

from framecast.client.errors import InvalidArgument, ServerError
from framecast.client.types import (
    Accepted,
    Camera,
    Chunk,
    Codec,
    Done,
    Event,
    Scene,
    SceneStarted,
    ServerInfo,
    Stats,
    VideoOptions,
)
from framecast.client.v1 import video_pb2 as pb

M = TypeVar("M", bound=Message)


def named(options: VideoOptions | None) -> VideoOptions:
    """`options` with a request id, so that the server recognises a retry."""
    options = options or VideoOptions()
    return options if options.request_id else replace(options, request_id=uuid.uuid4().hex)


def options_to_wire(options: VideoOptions) -> pb.VideoOptions:
    """Raises InvalidArgument where a value does not fit its field."""
    return _message(
        pb.VideoOptions,
        "options",
        request_id=options.request_id,
        width=options.width,
        height=options.height,
        fps=options.fps,
        seed=options.seed,
        steps=options.steps,
        guidance_scale=options.guidance_scale,
        codec=_number(pb.Codec, Codec, "options.codec", options.codec) if options.codec else None,
    )


def story_to_wire(text: str, max_scenes: int) -> pb.Story:
    """Raises InvalidArgument where a value does not fit its field."""
    return _message(pb.Story, "story", text=text, max_scenes=max_scenes)


def plan_to_wire(text: str, max_scenes: int) -> pb.PlanRequest:
    """Raises InvalidArgument where a value does not fit its field."""
    return _message(pb.PlanRequest, "story", text=text, max_scenes=max_scenes)


def scene_to_wire(scene: Scene) -> pb.Scene:
    """Raises InvalidArgument where a value does not fit its field."""
    return _message(
        pb.Scene,
        "scene",
        prompt=scene.prompt,
        negative_prompt=scene.negative_prompt,
        seconds=scene.seconds,
        camera=_number(pb.Camera, Camera, "scene.camera", scene.camera),
        seed=scene.seed,
    )


def event_from_wire(message: pb.GenerateEvent) -> Event:
    """Raises ServerError for an event that this client does not know."""
    kind = message.WhichOneof("event")
    if kind == "chunk":
        chunk = message.chunk
        return Chunk(
            index=chunk.index,
            scene=chunk.scene,
            first_frame=chunk.pts,
            frames=chunk.frames,
            keyframe=chunk.keyframe,
            data=chunk.data,
            mime=chunk.mime,
        )
    if kind == "scene_started":
        started = message.scene_started
        return SceneStarted(started.index, scene_from_wire(started.scene), started.first_frame)
    if kind == "accepted":
        accepted = message.accepted
        return Accepted(accepted.request_id, options_from_wire(accepted.options), accepted.seconds_to_first_frame)
    if kind == "done":
        return Done(_stats_from_wire(message.done.stats))
    raise ServerError("the server sent an event that this client does not know; a newer client is needed")


def options_from_wire(message: pb.VideoOptions) -> VideoOptions:
    """The inverse of `options_to_wire`."""
    return VideoOptions(
        width=message.width,
        height=message.height,
        fps=message.fps,
        seed=message.seed if message.HasField("seed") else None,
        steps=message.steps,
        guidance_scale=message.guidance_scale if message.HasField("guidance_scale") else None,
        codec=next(iter(_codecs([message.codec])), None),
        request_id=message.request_id,
    )


def scene_from_wire(message: pb.Scene) -> Scene:
    """The inverse of `scene_to_wire`."""
    known = message.camera in pb.Camera.values() and message.camera != pb.CAMERA_UNSPECIFIED
    return Scene(
        prompt=message.prompt,
        seconds=message.seconds,
        camera=Camera[pb.Camera.Name(message.camera)] if known else Camera.STATIC,
        negative_prompt=message.negative_prompt,
        seed=message.seed if message.HasField("seed") else None,
    )


def info_from_wire(message: pb.ServerInfo) -> ServerInfo:
    """What the server says about itself; codecs that this client does not know are left out."""
    return ServerInfo(
        version=message.version,
        bundle=message.bundle,
        defaults=options_from_wire(message.defaults),
        size_multiple=message.size_multiple,
        max_width=message.max_width,
        max_height=message.max_height,
        max_scenes=message.max_scenes,
        max_scene_seconds=message.max_scene_seconds,
        max_video_seconds=message.max_video_seconds,
        max_story_characters=message.max_story_characters,
        max_story_scenes=message.max_story_scenes,
        min_steps=message.min_steps,
        max_steps=message.max_steps,
        segment_seconds=message.segment_seconds,
        codecs=_codecs(message.codecs),
        source=message.source,
    )


def _stats_from_wire(message: pb.Stats) -> Stats:
    return Stats(
        scenes=message.scenes,
        segments=message.segments,
        chunks=message.chunks,
        frames=message.frames,
        bytes=message.bytes,
        first_chunk_seconds=message.first_chunk_seconds,
        total_seconds=message.total_seconds,
        engine_seconds=dict(message.engine_seconds),
    )


def _codecs(numbers: Sequence[int]) -> tuple[Codec, ...]:
    return tuple(Codec[pb.Codec.Name(n)] for n in numbers if n in pb.Codec.values() and n != pb.CODEC_UNSPECIFIED)


def _number(wire: Any, kind: type[Enum], name: str, value: str) -> int:
    try:
        return int(wire.Value(kind(value).name))
    except ValueError:
        raise InvalidArgument(f"{name}: {value!r:.60} is none of {', '.join(m.value for m in kind)}") from None


def _message(kind: type[M], name: str, **fields: Any) -> M:
    """Sets the fields one by one so that the error can name the one that does not fit."""
    message = kind()
    for field, value in fields.items():
        if value is None:
            continue
        try:
            setattr(message, field, value)
        except UnicodeError:
            raise InvalidArgument(f"{name}.{field}: is not UTF-8 text; set LANG=C.UTF-8, or use a file") from None
        except (TypeError, ValueError):
            raise InvalidArgument(f"{name}.{field}: {value!r:.60} does not fit this field") from None
    return message
