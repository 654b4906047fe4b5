"""The service model: what each stage of a video costs, as a function of what was asked for and of the batch."""

from dataclasses import dataclass, replace
from typing import Any

from framecast.denoiser.batcher import BatcherLimits
from framecast.director.director import DirectorConfig
from framecast.gateway.config import GatewayConfig

_BATCHER, _DIRECTOR, _GATEWAY = BatcherLimits(), DirectorConfig(), GatewayConfig  # whose instance reads a file


@dataclass(frozen=True)
class StepCurve:
    """Seconds of one denoise step by batch size, at the reference shape.

    Attributes:
        points: (batch, seconds), batches ascending from the smallest measured.
    """

    points: tuple[tuple[float, float], ...]

    def __post_init__(self) -> None:
        batches = [batch for batch, _ in self.points]
        if not batches or batches != sorted(set(batches)) or batches[0] <= 0 or min(s for _, s in self.points) <= 0:
            raise ValueError("a step curve needs ascending batches with seconds above 0")

    def seconds(self, batch: float) -> float:
        """Linear between the points, and beyond them by the nearest slope, where it rises; one point alone is taken in
        proportion.
        """
        points = self.points
        if len(points) == 1:
            return points[0][1] * batch / points[0][0]
        right = next((i for i in range(1, len(points)) if batch <= points[i][0]), len(points) - 1)
        (low, below), (high, above) = points[right - 1], points[right]
        found = below + (batch - low) * (above - below) / (high - low)
        if batch > high:
            return max(found, above)
        return max(found, below * batch / low) if batch < low else found

    def worthwhile(self, most: int, share: float) -> int:
        """The batch that the step batcher makes of `most` alike: the smallest with that share of the best pace."""
        found = [self.efficiency(batch) for batch in range(1, most + 1)]
        return next(batch for batch, gain in enumerate(found, 1) if gain >= share * max(found))

    def efficiency(self, batch: float) -> float:
        """Throughput of a batch ÷ throughput of singles: 1 gains nothing."""
        return batch * self.seconds(1) / self.seconds(batch)


@dataclass(frozen=True)
class ServiceModel:
    """Costs in seconds.

    Attributes:
        step: of a denoise step.
        plan_fixed, plan_scene: of a story, and of each of its scenes.
        text: of a scene's text states.
        decode_fixed, decode_frame: of a chunk, and of each of its frames.
        encode_fixed, encode_frame: the same for the encoder, muxing and a safety checker included.
        call: of each stage call beyond its engine: serialisation, RPC, queues of threads.
        wire: of a video, at the client.
        share: how much longer a denoise step takes while a chunk is decoded, and the other way round: 0 on devices
            of their own, about 1 when they share one fairly.
        pixels: width · height that the costs were measured at; other sizes are taken to cost in proportion.
    """

    step: StepCurve
    plan_fixed: float = 0.0
    plan_scene: float = 0.0
    text: float = 0.0
    decode_fixed: float = 0.0
    decode_frame: float = 0.0
    encode_fixed: float = 0.0
    encode_frame: float = 0.0
    call: float = 0.0
    wire: float = 0.0
    share: float = 0.0
    pixels: int = 0

    def scaled(self, factor: float) -> "ServiceModel":
        """The same on a machine that takes `factor` times as long for everything."""
        seconds = ("plan_fixed", "plan_scene", "text", "decode_fixed", "decode_frame", "encode_fixed", "encode_frame")
        costs: dict[str, Any] = {name: factor * getattr(self, name) for name in (*seconds, "call", "wire")}
        costs["step"] = StepCurve(tuple((batch, factor * cost) for batch, cost in self.step.points))
        return replace(self, **costs)

    def decode(self, frames: int, scale: float) -> float:
        """Of a chunk."""
        return self.decode_fixed + self.decode_frame * frames * scale

    def encode(self, frames: int, scale: float) -> float:
        """Of a chunk."""
        return self.encode_fixed + self.encode_frame * frames * scale


@dataclass(frozen=True)
class Replica:
    """One server: its limits, and how many of each stage it runs. The defaults are the server's own.

    Attributes:
        max_live_videos, max_queued_videos: the gateway's places.
        max_live, max_batch, max_waiting, turn_patience, worthwhile: the step batcher's; `turn_patience` is its
            `patience`.
        segments_ahead: denoised segments that may wait to be decoded.
        text_instances, decode_instances, encode_cores: calls of that stage at once.
        patience: seconds for which a stage that is down is tried again.
    """

    max_live_videos: int = _GATEWAY.max_live_videos
    max_queued_videos: int = _GATEWAY.max_queued_videos
    max_live: int = _BATCHER.max_live
    max_batch: int = _BATCHER.max_batch
    max_waiting: int = _BATCHER.max_waiting
    turn_patience: int = _BATCHER.patience
    worthwhile: float = _BATCHER.worthwhile
    segments_ahead: int = _DIRECTOR.segments_ahead
    text_instances: int = 1
    decode_instances: int = 1
    encode_cores: int = 1
    patience: float = _DIRECTOR.patience

    @property
    def batcher(self) -> BatcherLimits:
        """The step batcher's limits."""
        return BatcherLimits(
            max_batch=self.max_batch,
            patience=self.turn_patience,
            worthwhile=self.worthwhile,
            max_live=self.max_live,
            max_waiting=self.max_waiting,
        )
