"""What a server makes: through the gateway, one video at a time or several; or by the bare ensemble."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import tritonclient.grpc as triton

from framecast.bench.load import closed_loop
from framecast.bench.peers.contest import Lap
from framecast.bench.peers.server import Server
from framecast.bench.workload import Ask, Workload, generator
from framecast.client import AsyncVideoClient, Chunk, Codec, RetryPolicy, Scene, VideoClient, VideoOptions
from framecast.director.model import ServedModel
from framecast.stages import contracts as c


@dataclass(frozen=True)
class Asked:
    """What every contender makes.

    Attributes:
        prompts: of the scenes, each one segment long.
        steps: of denoising.
        served: the served model's constants.
    """

    prompts: tuple[str, ...]
    steps: int
    served: ServedModel

    def options(self, seed: int, codec: Codec = Codec.H264) -> VideoOptions:
        """Of a video."""
        return VideoOptions(seed=seed, steps=self.steps, codec=codec)

    def scenes(self, seed: int | None = None) -> tuple[Scene, ...]:
        """Its scenes; with a seed, that is the noise of the first one."""
        length = self.served.segment_frames / self.served.fps
        return tuple(replace(Scene(prompt, length), seed=seed) for prompt in self.prompts)


class Gateway:
    """Videos through the gateway, `concurrency` callers in a closed loop."""

    def __init__(self, server: Server, asked: Asked, videos: int = 1, concurrency: int = 1) -> None:
        self._server, self._asked = server, asked
        self._videos, self._concurrency = videos, concurrency

    def lap(self, seed: int) -> Lap:
        """`videos` videos. Raises ValueError when one fails."""
        return asyncio.run(self._lap(seed))

    async def _lap(self, seed: int) -> Lap:
        scenes = self._asked.scenes(seed if self._videos == 1 else None)
        workload = Workload((Ask(self._asked.options(seed), None, scenes),), seed)
        async with AsyncVideoClient(self._server.address, retry=RetryPolicy(attempts=1)) as client:
            run = await closed_loop(generator(client), workload, self._videos, self._concurrency)
        if failed := [sample.error for sample in run.samples if sample.error]:
            raise ValueError(f"a video failed: {failed[0]}")
        firsts = tuple(sample.ttff for sample in run.samples if sample.ttff is not None)
        return Lap(firsts, tuple(sample.latency for sample in run.samples), run.duration)

    def pictures(self, seed: int) -> Sequence[bytes]:
        """Every frame of a video, PNG."""
        with VideoClient(self._server.address) as client:
            scenes, options = self._asked.scenes(seed), self._asked.options(seed, Codec.PNG)
            return [e.data for e in client.generate(scenes=scenes, options=options) if isinstance(e, Chunk)]


class BareEnsemble:
    """The Triton ensemble `text_to_video`: no gateway, no streaming; one unary call a clip."""

    def __init__(self, server: Server, asked: Asked) -> None:
        self._asked = asked
        self._client = triton.InferenceServerClient(
            server.triton, channel_args=[("grpc.max_receive_message_length", -1)]
        )

    def lap(self, seed: int) -> Lap:
        """One clip."""
        started = time.perf_counter()
        self._infer(seed, "h264")
        seconds = time.perf_counter() - started
        return Lap((), (seconds,), seconds)

    def pictures(self, seed: int) -> Sequence[bytes]:
        """Every frame of a clip, PNG."""
        result = self._infer(seed, "png")
        data, ends = result.as_numpy(c.DATA.name).tobytes(), np.cumsum(result.as_numpy(c.PART_SIZES.name)).tolist()
        return [data[start:end] for start, end in zip([0, *ends], ends, strict=False)]

    def _infer(self, seed: int, codec: str) -> Any:
        served = self._asked.served
        values: dict[c.Tensor, Any] = {
            c.PROMPT: [self._asked.prompts[0].encode()],
            c.NEGATIVE_PROMPT: [b""],
            c.SEED: [seed],
            c.STEPS: [self._asked.steps],
            c.GUIDANCE: [served.guidance_scale],
            c.SIZE: [served.height, served.width],
            c.LATENT_COUNT: [served.segment_latents],
            c.FRAMES: [served.segment_frames],
            c.FPS: [served.fps],
            c.CODEC: [codec.encode()],
        }
        kinds = {"STRING": ("BYTES", np.object_), "INT64": ("INT64", np.int64), "INT32": ("INT32", np.int32)}
        inputs = []
        for tensor, value in values.items():
            kind, dtype = kinds.get(tensor.dtype, ("FP32", np.float32))
            inputs.append(triton.InferInput(tensor.name, [len(value)], kind))
            inputs[-1].set_data_from_numpy(np.array(value, dtype))
        return self._client.infer(c.TEXT_TO_VIDEO.name, inputs)
