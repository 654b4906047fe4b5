"""The director's data to wire messages; the way in is `validate`."""

from importlib.metadata import version

from framecast.client.v1 import video_pb2 as pb
from framecast.director.model import ServedModel
from framecast.director.video import Chunk, Event, SceneStarted, Stats, VideoSpec
from framecast.gateway.config import Limits
from framecast.planner.storyboard import Scene


def accepted(spec: VideoSpec, first_frame_seconds: float) -> pb.GenerateEvent:
    """The first event of a video: its options as they will be used, and an estimate."""
    options = pb.VideoOptions(
        request_id=spec.request_id,
        width=spec.width,
        height=spec.height,
        fps=spec.fps,
        seed=spec.seed,
        steps=spec.steps,
        guidance_scale=spec.guidance_scale,
        codec=spec.codec.upper(),
    )
    message = pb.Accepted(request_id=spec.request_id, options=options, seconds_to_first_frame=first_frame_seconds)
    return pb.GenerateEvent(accepted=message)


def event(value: Event) -> pb.GenerateEvent:
    """One event of the director."""
    if isinstance(value, Chunk):
        chunk = pb.Chunk(
            index=value.index,
            scene=value.scene,
            pts=value.first_frame,
            frames=value.frames,
            keyframe=True,  # the director's chunks are closed groups of pictures
            data=value.data,
            mime=value.mime,
        )
        return pb.GenerateEvent(chunk=chunk)
    if isinstance(value, SceneStarted):
        started = pb.SceneStarted(index=value.index, scene=scene(value.scene), first_frame=value.first_frame)
        return pb.GenerateEvent(scene_started=started)
    return pb.GenerateEvent(done=pb.Done(stats=_stats(value.stats)))


def scene(value: Scene) -> pb.Scene:
    """One scene."""
    return pb.Scene(
        prompt=value.prompt,
        negative_prompt=value.negative_prompt,
        seconds=value.seconds,
        camera=value.camera.upper().replace(" ", "_"),
        seed=value.seed,
    )


def server_info(model: ServedModel, limits: Limits) -> pb.ServerInfo:
    """What the server makes, and its limits."""
    defaults = pb.VideoOptions(
        width=model.width,
        height=model.height,
        fps=model.fps,
        steps=model.steps,
        guidance_scale=model.guidance_scale,
        codec=limits.codecs[0].upper(),
    )
    return pb.ServerInfo(
        version=version("framecast"),
        bundle=model.bundle,
        defaults=defaults,
        size_multiple=model.size_multiple,
        max_width=limits.width,
        max_height=limits.height,
        max_scenes=limits.scenes,
        max_scene_seconds=limits.scene_seconds,
        max_video_seconds=limits.video_seconds,
        max_story_characters=limits.story_characters,
        max_story_scenes=limits.story_scenes(model.max_scenes),
        min_steps=min(model.step_counts),
        max_steps=max(model.step_counts),
        segment_seconds=model.segment_frames / model.fps,
        codecs=[name.upper() for name in limits.codecs],
        source=model.source,
    )


def _stats(value: Stats) -> pb.Stats:
    return pb.Stats(
        scenes=value.scenes,
        segments=value.segments,
        chunks=value.chunks,
        frames=value.frames,
        bytes=value.bytes,
        first_chunk_seconds=value.first_chunk_seconds,
        total_seconds=value.total_seconds,
        engine_seconds=value.engine_seconds,
    )
