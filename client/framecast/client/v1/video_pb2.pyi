from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Codec(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CODEC_UNSPECIFIED: _ClassVar[Codec]
    H264: _ClassVar[Codec]
    VP9: _ClassVar[Codec]
    AV1: _ClassVar[Codec]
    JPEG: _ClassVar[Codec]
    PNG: _ClassVar[Codec]
    WEBP: _ClassVar[Codec]

class Camera(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CAMERA_UNSPECIFIED: _ClassVar[Camera]
    STATIC: _ClassVar[Camera]
    PAN_LEFT: _ClassVar[Camera]
    PAN_RIGHT: _ClassVar[Camera]
    ZOOM_IN: _ClassVar[Camera]
    ZOOM_OUT: _ClassVar[Camera]
CODEC_UNSPECIFIED: Codec
H264: Codec
VP9: Codec
AV1: Codec
JPEG: Codec
PNG: Codec
WEBP: Codec
CAMERA_UNSPECIFIED: Camera
STATIC: Camera
PAN_LEFT: Camera
PAN_RIGHT: Camera
ZOOM_IN: Camera
ZOOM_OUT: Camera

class VideoOptions(_message.Message):
    __slots__ = ("request_id", "width", "height", "fps", "seed", "steps", "guidance_scale", "codec")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    FPS_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    GUIDANCE_SCALE_FIELD_NUMBER: _ClassVar[int]
    CODEC_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    width: int
    height: int
    fps: int
    seed: int
    steps: int
    guidance_scale: float
    codec: Codec
    def __init__(self, request_id: _Optional[str] = ..., width: _Optional[int] = ..., height: _Optional[int] = ..., fps: _Optional[int] = ..., seed: _Optional[int] = ..., steps: _Optional[int] = ..., guidance_scale: _Optional[float] = ..., codec: _Optional[_Union[Codec, str]] = ...) -> None: ...

class Story(_message.Message):
    __slots__ = ("text", "max_scenes")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    MAX_SCENES_FIELD_NUMBER: _ClassVar[int]
    text: str
    max_scenes: int
    def __init__(self, text: _Optional[str] = ..., max_scenes: _Optional[int] = ...) -> None: ...

class Scene(_message.Message):
    __slots__ = ("prompt", "negative_prompt", "seconds", "camera", "seed")
    PROMPT_FIELD_NUMBER: _ClassVar[int]
    NEGATIVE_PROMPT_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    CAMERA_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    prompt: str
    negative_prompt: str
    seconds: float
    camera: Camera
    seed: int
    def __init__(self, prompt: _Optional[str] = ..., negative_prompt: _Optional[str] = ..., seconds: _Optional[float] = ..., camera: _Optional[_Union[Camera, str]] = ..., seed: _Optional[int] = ...) -> None: ...

class GenerateRequest(_message.Message):
    __slots__ = ("options", "story", "scene")
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    STORY_FIELD_NUMBER: _ClassVar[int]
    SCENE_FIELD_NUMBER: _ClassVar[int]
    options: VideoOptions
    story: Story
    scene: Scene
    def __init__(self, options: _Optional[_Union[VideoOptions, _Mapping]] = ..., story: _Optional[_Union[Story, _Mapping]] = ..., scene: _Optional[_Union[Scene, _Mapping]] = ...) -> None: ...

class GenerateEvent(_message.Message):
    __slots__ = ("accepted", "scene_started", "chunk", "done")
    ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    SCENE_STARTED_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    DONE_FIELD_NUMBER: _ClassVar[int]
    accepted: Accepted
    scene_started: SceneStarted
    chunk: Chunk
    done: Done
    def __init__(self, accepted: _Optional[_Union[Accepted, _Mapping]] = ..., scene_started: _Optional[_Union[SceneStarted, _Mapping]] = ..., chunk: _Optional[_Union[Chunk, _Mapping]] = ..., done: _Optional[_Union[Done, _Mapping]] = ...) -> None: ...

class Accepted(_message.Message):
    __slots__ = ("request_id", "options", "seconds_to_first_frame")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    SECONDS_TO_FIRST_FRAME_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    options: VideoOptions
    seconds_to_first_frame: float
    def __init__(self, request_id: _Optional[str] = ..., options: _Optional[_Union[VideoOptions, _Mapping]] = ..., seconds_to_first_frame: _Optional[float] = ...) -> None: ...

class SceneStarted(_message.Message):
    __slots__ = ("index", "scene", "first_frame")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    SCENE_FIELD_NUMBER: _ClassVar[int]
    FIRST_FRAME_FIELD_NUMBER: _ClassVar[int]
    index: int
    scene: Scene
    first_frame: int
    def __init__(self, index: _Optional[int] = ..., scene: _Optional[_Union[Scene, _Mapping]] = ..., first_frame: _Optional[int] = ...) -> None: ...

class Chunk(_message.Message):
    __slots__ = ("index", "scene", "pts", "frames", "keyframe", "data", "mime")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    SCENE_FIELD_NUMBER: _ClassVar[int]
    PTS_FIELD_NUMBER: _ClassVar[int]
    FRAMES_FIELD_NUMBER: _ClassVar[int]
    KEYFRAME_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    MIME_FIELD_NUMBER: _ClassVar[int]
    index: int
    scene: int
    pts: int
    frames: int
    keyframe: bool
    data: bytes
    mime: str
    def __init__(self, index: _Optional[int] = ..., scene: _Optional[int] = ..., pts: _Optional[int] = ..., frames: _Optional[int] = ..., keyframe: _Optional[bool] = ..., data: _Optional[bytes] = ..., mime: _Optional[str] = ...) -> None: ...

class Done(_message.Message):
    __slots__ = ("stats",)
    STATS_FIELD_NUMBER: _ClassVar[int]
    stats: Stats
    def __init__(self, stats: _Optional[_Union[Stats, _Mapping]] = ...) -> None: ...

class Stats(_message.Message):
    __slots__ = ("scenes", "segments", "chunks", "frames", "bytes", "first_chunk_seconds", "total_seconds", "engine_seconds")
    class EngineSecondsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    SCENES_FIELD_NUMBER: _ClassVar[int]
    SEGMENTS_FIELD_NUMBER: _ClassVar[int]
    CHUNKS_FIELD_NUMBER: _ClassVar[int]
    FRAMES_FIELD_NUMBER: _ClassVar[int]
    BYTES_FIELD_NUMBER: _ClassVar[int]
    FIRST_CHUNK_SECONDS_FIELD_NUMBER: _ClassVar[int]
    TOTAL_SECONDS_FIELD_NUMBER: _ClassVar[int]
    ENGINE_SECONDS_FIELD_NUMBER: _ClassVar[int]
    scenes: int
    segments: int
    chunks: int
    frames: int
    bytes: int
    first_chunk_seconds: float
    total_seconds: float
    engine_seconds: _containers.ScalarMap[str, float]
    def __init__(self, scenes: _Optional[int] = ..., segments: _Optional[int] = ..., chunks: _Optional[int] = ..., frames: _Optional[int] = ..., bytes: _Optional[int] = ..., first_chunk_seconds: _Optional[float] = ..., total_seconds: _Optional[float] = ..., engine_seconds: _Optional[_Mapping[str, float]] = ...) -> None: ...

class PlanRequest(_message.Message):
    __slots__ = ("text", "max_scenes")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    MAX_SCENES_FIELD_NUMBER: _ClassVar[int]
    text: str
    max_scenes: int
    def __init__(self, text: _Optional[str] = ..., max_scenes: _Optional[int] = ...) -> None: ...

class GetServerInfoRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ServerInfo(_message.Message):
    __slots__ = ("version", "bundle", "defaults", "size_multiple", "max_width", "max_height", "max_scenes", "max_scene_seconds", "max_video_seconds", "max_story_characters", "min_steps", "max_steps", "segment_seconds", "codecs", "source", "max_story_scenes")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    BUNDLE_FIELD_NUMBER: _ClassVar[int]
    DEFAULTS_FIELD_NUMBER: _ClassVar[int]
    SIZE_MULTIPLE_FIELD_NUMBER: _ClassVar[int]
    MAX_WIDTH_FIELD_NUMBER: _ClassVar[int]
    MAX_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    MAX_SCENES_FIELD_NUMBER: _ClassVar[int]
    MAX_SCENE_SECONDS_FIELD_NUMBER: _ClassVar[int]
    MAX_VIDEO_SECONDS_FIELD_NUMBER: _ClassVar[int]
    MAX_STORY_CHARACTERS_FIELD_NUMBER: _ClassVar[int]
    MIN_STEPS_FIELD_NUMBER: _ClassVar[int]
    MAX_STEPS_FIELD_NUMBER: _ClassVar[int]
    SEGMENT_SECONDS_FIELD_NUMBER: _ClassVar[int]
    CODECS_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    MAX_STORY_SCENES_FIELD_NUMBER: _ClassVar[int]
    version: str
    bundle: str
    defaults: VideoOptions
    size_multiple: int
    max_width: int
    max_height: int
    max_scenes: int
    max_scene_seconds: float
    max_video_seconds: float
    max_story_characters: int
    min_steps: int
    max_steps: int
    segment_seconds: float
    codecs: _containers.RepeatedScalarFieldContainer[Codec]
    source: str
    max_story_scenes: int
    def __init__(self, version: _Optional[str] = ..., bundle: _Optional[str] = ..., defaults: _Optional[_Union[VideoOptions, _Mapping]] = ..., size_multiple: _Optional[int] = ..., max_width: _Optional[int] = ..., max_height: _Optional[int] = ..., max_scenes: _Optional[int] = ..., max_scene_seconds: _Optional[float] = ..., max_video_seconds: _Optional[float] = ..., max_story_characters: _Optional[int] = ..., min_steps: _Optional[int] = ..., max_steps: _Optional[int] = ..., segment_seconds: _Optional[float] = ..., codecs: _Optional[_Iterable[_Union[Codec, str]]] = ..., source: _Optional[str] = ..., max_story_scenes: _Optional[int] = ...) -> None: ...
