"""Settings of the gateway: the only source of their defaults."""

from dataclasses import dataclass, field, replace
from pathlib import Path

from framecast.planner.storyboard import MAX_SCENE_SECONDS
from framecast.review.policy import Policy


@dataclass(frozen=True)
class Limits:
    """What a caller may ask for.

    Attributes:
        story_characters: length of a story.
        prompt_characters: length of a prompt or negative prompt.
        scenes: in one video.
        scene_seconds, video_seconds: lengths.
        width, height: pixels.
        fps: frames per second.
        guidance_scale: classifier-free guidance.
        codecs: names of the codecs that are served; the first is the default.
    """

    story_characters: int = 4000
    prompt_characters: int = 1000
    scenes: int = 64
    scene_seconds: float = 30.0
    video_seconds: float = 300.0
    width: int = 1024
    height: int = 1024
    fps: int = 60
    guidance_scale: float = 30.0
    codecs: tuple[str, ...] = ("h264", "vp9", "av1", "jpeg", "png", "webp")

    def story_scenes(self, planned: int) -> int:
        """The most scenes of a story, where a model plans up to `planned`: however long they are, they are allowed."""
        return min(planned, self.scenes, max(1, int(self.video_seconds // MAX_SCENE_SECONDS)))

    def within(self, side: int) -> "Limits":
        """With no width or height over `side` pixels, the most that the model makes."""
        return replace(self, width=min(self.width, side), height=min(self.height, side))


@dataclass(frozen=True)
class GatewayConfig:
    """How the gateway serves.

    Attributes:
        address: host:port to listen on; port 0 takes a free one.
        tokens: bearer tokens that are accepted; empty lets everybody in.
        tls_certificate, tls_key: PEM files; without them the port is not encrypted.
        metrics_address: host:port of the Prometheus page, or a port of loopback; None shows none.
        max_live_videos: videos made at once.
        max_queued_videos: videos that may wait for a place; more are refused at once.
        max_live_plans, max_queued_plans: the same for stories that are only planned.
        limits: what a caller may ask for.
        review: what is not filmed; None films everything.
        idle_seconds: the longest wait for the first messages of a call, or for the next scene once there is room.
        unread_seconds: the longest that a caller may leave what was sent to it unread; its place is for others.
        max_call_seconds: the longest a call may run, whatever its own deadline.
        grace_seconds: how long a drain lets accepted videos finish.
        keepalive_seconds: a ping goes to a silent peer after this long.
        keepalive_timeout_seconds: a peer that does not answer a ping this fast is gone, and so is its work.
        max_request_bytes: the largest message accepted. Over-long texts up to this size are told which field it was; a
            connection may have one that is not yet whole on each of its streams, and they stay in memory.
        max_response_bytes: the largest chunk sent.
    """

    address: str = "127.0.0.1:50051"
    tokens: frozenset[str] = field(default=frozenset(), repr=False)
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    metrics_address: str | None = None
    max_live_videos: int = 4
    max_queued_videos: int = 8
    max_live_plans: int = 4
    max_queued_plans: int = 8
    limits: Limits = field(default_factory=Limits)
    review: Policy | None = field(default_factory=Policy.load, repr=False)
    idle_seconds: float = 600.0
    unread_seconds: float = 120.0
    max_call_seconds: float = 3600.0
    grace_seconds: float = 30.0
    keepalive_seconds: float = 20.0
    keepalive_timeout_seconds: float = 10.0
    max_request_bytes: int = 2**18
    max_response_bytes: int = 64 * 2**20
