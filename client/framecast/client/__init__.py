"""Client of a Framecast server: a story or scenes go in, encoded video streams out.

    from framecast.client import VideoClient, save

    with VideoClient("127.0.0.1:50051") as client:
        save(client.generate("A kitten plays in a courtyard."), "kitten.mp4")

`VideoClient` blocks, `AsyncVideoClient` awaits; both yield the same events and raise the same errors, all of them
`FramecastClientError`.
"""

from framecast.client.aio import AsyncVideoClient
from framecast.client.channel import ChannelOptions
from framecast.client.errors import (
    Cancelled,
    DataLoss,
    DeadlineExceeded,
    FramecastClientError,
    InvalidArgument,
    Overloaded,
    PermissionDenied,
    ServerError,
    Unauthenticated,
    Unavailable,
)
from framecast.client.files import Saved, VideoWriter, save, save_async
from framecast.client.retry import RetryPolicy
from framecast.client.sync import VideoClient
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

__all__ = [
    "Accepted",
    "AsyncVideoClient",
    "Camera",
    "Cancelled",
    "ChannelOptions",
    "Chunk",
    "Codec",
    "DataLoss",
    "DeadlineExceeded",
    "Done",
    "Event",
    "FramecastClientError",
    "InvalidArgument",
    "Overloaded",
    "PermissionDenied",
    "RetryPolicy",
    "Saved",
    "Scene",
    "SceneStarted",
    "ServerError",
    "ServerInfo",
    "Stats",
    "Unauthenticated",
    "Unavailable",
    "VideoClient",
    "VideoOptions",
    "VideoWriter",
    "save",
    "save_async",
]
