"""The stages as calls to Triton: the only module that sends inference requests."""

import asyncio
import json
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Mapping
from typing import Any, TypeVar

import grpc
import numpy as np
from tritonclient.grpc import InferInput, InferRequestedOutput, InferResult
from tritonclient.grpc.aio import InferenceServerClient
from tritonclient.utils import InferenceServerException

from framecast.client.proxy import direct
from framecast.engines.engine import Array
from framecast.errors import Cancelled, FramecastError, InvalidRequest, StageFailed, StageUnavailable
from framecast.planner.storyboard import scene_from_json
from framecast.stages import contracts as c
from framecast.stages.contracts import Ensemble, Model, Tensor
from framecast.stages.faults import untagged
from framecast.stages.types import Encoded, Floats, Latents, Planned, TextStates

_log = logging.getLogger(__name__)
_DOWN = ("UNAVAILABLE", "NOT_FOUND")
_DEAD_STUB = ("Stub process", "unhealthy", "health mutex")
_UNLOADED = "Request for unknown model"  # a stream's errors have no status; a model that died is being loaded again
_STORY, _MAX_SCENES = c.SCENE_PLANNER.inputs
_SCENE, _ = c.SCENE_PLANNER.outputs
_DTYPES = {"FP32": np.float32, "INT32": np.int32, "INT64": np.int64, "UINT8": np.uint8}
Values = Mapping[Tensor, Array | str | float]
T = TypeVar("T")
BROKEN_SECONDS = 30.0  # that a model whose process has died is kept from callers, where nobody restarts it
TIMEOUT = 300.0  # seconds for one answer of a stage; beyond it the stage hangs
_CHANNEL = [
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_reconnect_backoff_ms", 500),  # a restarted Triton is found again at once
    ("grpc.initial_reconnect_backoff_ms", 100),
]


def triton_client(address: str) -> InferenceServerClient:
    """A client of the Triton at an address, host:port or unix:path."""
    return InferenceServerClient(address, channel_args=[*_CHANNEL, *direct(address)])


class TritonStages:
    """See `framecast.stages.types.Stages`. One gRPC channel; `close` it.

    Args:
        address: of Triton's gRPC, host:port or unix:path.
        headers: makes the metadata of a request, when it is sent.
    """

    def __init__(self, address: str, headers: Callable[[], dict[str, str]] = dict) -> None:
        self._client = triton_client(address)
        self._headers = headers
        self._deaths: dict[asyncio.Future[Any], frozenset[str]] = {}  # one a call: the models it needs
        self._dead_since: dict[str, float] = {}  # models that were said to be dead, and have not answered since
        self._down: set[str] = set()  # whose answers were that they are not there, and of which the log knows

    def interrupt(self, models: Collection[str]) -> None:
        """Ends the calls that need one of `models` with StageUnavailable, and forgets what was said of them.

        Triton never answers a request that a python stub held when it died.
        """
        for name in models:
            self._dead_since.pop(name, None)
        for death, needed in self._deaths.items():
            if not death.done() and needed.intersection(models):
                death.set_result(None)

    def broken(self) -> frozenset[str]:
        """The models that Triton has called dead lately, or that let a call wait for ever, and that are silent since.

        Triton itself calls such a model ready. After `BROKEN_SECONDS` it is given another chance.
        """
        now = time.monotonic()
        return frozenset(name for name, since in self._dead_since.items() if now - since < BROKEN_SECONDS)

    def awaited(self) -> frozenset[str]:
        """The models that a call is waiting for."""
        return frozenset[str]().union(*self._deaths.values())

    async def close(self) -> None:
        """Closes the channel."""
        await self._client.close()

    async def plan(self, story: str, max_scenes: int) -> AsyncGenerator[Planned, None]:
        """The scenes of a story, as they are written. Closing the generator cancels the planner."""

        async def request() -> AsyncGenerator[dict[str, Any], None]:
            inputs, outputs = _tensors(c.SCENE_PLANNER, {_STORY: story, _MAX_SCENES: max_scenes})
            yield {
                "model_name": c.SCENE_PLANNER.name,
                "inputs": inputs,
                "outputs": outputs,
                "enable_empty_final_response": True,
            }

        stream = self._client.stream_infer(request(), headers=self._headers())
        try:
            while (item := await self._unless_dead(c.SCENE_PLANNER, anext(stream, None))) is not None:
                result, error = item
                if error is not None:
                    raise self._failure(c.SCENE_PLANNER, error)
                if (scene := result.as_numpy(_SCENE.name)) is not None:
                    seconds = float(_read(result, c.ENGINE_SECONDS)[0])
                    yield Planned(scene_from_json(json.loads(scene[0])), seconds)
                if result.get_response().parameters["triton_final_response"].bool_param:
                    return
        except InferenceServerException as error:
            raise self._failure(c.SCENE_PLANNER, error) from error
        except grpc.RpcError as error:
            raise StageUnavailable("The planner's stream broke.") from error
        finally:
            stream.cancel()

    async def encode_text(self, prompt: str, negative_prompt: str, *, scene: int) -> TextStates:
        """Text states of a scene."""
        result = await self._infer(c.TEXT_ENCODER, {c.PROMPT: prompt, c.NEGATIVE_PROMPT: negative_prompt})
        return TextStates(
            _read(result, c.EMBEDDING),
            _read(result, c.NEGATIVE_EMBEDDING),
            float(_read(result, c.ENGINE_SECONDS)[0]),
        )

    async def denoise(
        self,
        states: TextStates,
        *,
        seed: int,
        steps: int,
        guidance: float,
        size: tuple[int, int],
        latent_count: int,
        context: Floats | None,
        first_frame: int,
        scene: int,
        segment: int,
    ) -> Latents:
        """A segment; see `Stages.denoise`."""
        values: dict[Tensor, Array | str | float] = {
            c.EMBEDDING: states.embedding,
            c.NEGATIVE_EMBEDDING: states.negative_embedding,
            c.SEED: seed,
            c.STEPS: steps,
            c.GUIDANCE: guidance,
            c.SIZE: np.array(size),
            c.LATENT_COUNT: latent_count,
            c.FIRST_FRAME: first_frame,
        }
        if context is not None:
            values[c.CONTEXT] = context
        result = await self._infer(c.DENOISER, values)
        return Latents(_read(result, c.LATENTS), float(_read(result, c.ENGINE_SECONDS)[0]))

    async def decode(
        self,
        latents: Floats,
        *,
        frames: int,
        fps: int,
        first_frame: int,
        sequence: int,
        codec: str,
        views: Floats | None,
        scene: int,
        segment: int,
    ) -> Encoded:
        """A chunk; see `Stages.decode`."""
        values: dict[Tensor, Array | str | float] = {
            c.LATENTS: latents,
            c.FRAMES: frames,
            c.FPS: fps,
            c.FIRST_FRAME: first_frame,
            c.SEQUENCE: sequence,
            c.CODEC: codec,
        }
        if views is not None:
            values[c.VIEWS] = views
        result = await self._infer(c.DECODE_FRAMES, values)
        data, ends = _read(result, c.DATA).tobytes(), np.cumsum(_read(result, c.PART_SIZES)).tolist()
        return Encoded(
            tuple(data[start:end] for start, end in zip([0, *ends], ends, strict=False)),
            _read(result, c.MIME)[0].decode("utf-8"),
            float(_read(result, c.DECODE_SECONDS)[0]),
            float(_read(result, c.ENCODE_SECONDS)[0]),
            float(_read(result, c.MUX_SECONDS)[0]),
            float(_read(result, c.REVIEW_SECONDS)[0]),
            int(_read(result, c.LOOKED_AT)[0]),
            int(_read(result, c.UNSAFE)[0]),
        )

    async def _infer(self, model: Model | Ensemble, values: Values) -> InferResult:
        inputs, outputs = _tensors(model, values)
        call = self._client.infer(model.name, inputs, outputs=outputs, headers=self._headers())
        try:
            return await self._unless_dead(model, call)
        except InferenceServerException as error:
            failure = self._failure(model, error)
            if isinstance(failure, InvalidRequest):  # the gateway has checked what callers say: this is our mistake
                _log.error("%s refused our request: %s", model.name, failure)
                raise StageFailed(f"The stage {model.name} could not take its input.") from error
            raise failure from error

    async def _unless_dead(self, model: Model | Ensemble, work: Awaitable[T]) -> T:
        """Awaits `work`; StageUnavailable when a model it needs dies or does not answer. Cancelling cancels it."""
        call = asyncio.ensure_future(work)
        death: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._deaths[death] = c.needed_models(model)
        try:
            either: set[asyncio.Future[Any]] = {call, death}
            await asyncio.wait(either, timeout=TIMEOUT, return_when=asyncio.FIRST_COMPLETED)
            if not call.done():
                how = "died" if death.done() else f"did not answer within {TIMEOUT:.0f} s"
                if not death.done():
                    self._call_dead(model)
                raise StageUnavailable(f"The stage {model.name} {how}.")
            answer = call.result()
            self._down.discard(model.name)
            for name in self._deaths[death]:
                self._dead_since.pop(name, None)
            return answer
        finally:
            call.cancel()  # if it still runs: Triton sees it at the next denoise step
            del self._deaths[death]

    def _failure(self, model: Model | Ensemble, error: InferenceServerException) -> FramecastError:
        """See `_error`; what it says of a dead model is kept. The log hears Triton's words, and of an outage once."""
        message = str(error.message())
        if untagged(message) is None and any(words in message for words in _DEAD_STUB):
            self._call_dead(model)
        failure = _error(model, error)
        if untagged(message) is None:
            known = isinstance(failure, StageUnavailable) and model.name in self._down
            _log.log(logging.DEBUG if known else logging.WARNING, "%s: %s %s", model.name, error.status(), message)
            if isinstance(failure, StageUnavailable):
                self._down.add(model.name)
        return failure

    def _call_dead(self, model: Model | Ensemble) -> None:
        self._dead_since |= dict.fromkeys(c.needed_models(model), time.monotonic())


def _tensors(model: Model | Ensemble, values: Values) -> tuple[list[InferInput], list[InferRequestedOutput]]:
    """The values as Triton inputs, and every output of the model."""
    inputs = []
    for tensor, value in values.items():
        if tensor.dtype == "STRING":
            array = np.array([str(value).encode("utf-8")], np.object_)
        else:
            array = np.atleast_1d(np.asarray(value, _DTYPES[tensor.dtype]))
        kind = "BYTES" if tensor.dtype == "STRING" else tensor.dtype
        inputs.append(InferInput(tensor.name, list(array.shape), kind))
        inputs[-1].set_data_from_numpy(array)
    return inputs, [InferRequestedOutput(tensor.name) for tensor in model.outputs]


def _read(result: InferResult, tensor: Tensor) -> Any:
    array = result.as_numpy(tensor.name)
    if array is None:
        raise StageFailed(f"A stage left out its output {tensor.name}.")
    return array


def _error(model: Model | Ensemble, error: InferenceServerException) -> FramecastError:
    """The error of ours that Triton's stands for; its own text is not for callers."""
    message, status = str(error.message() or ""), str(error.status() or "")
    if (ours := untagged(message)) is not None:
        return ours
    if "CANCELLED" in status:
        return Cancelled(f"The stage {model.name} was cancelled.")
    if any(word in status for word in _DOWN) or any(words in message for words in (*_DEAD_STUB, _UNLOADED)):
        return StageUnavailable(f"The stage {model.name} is not available.")
    return StageFailed(f"The stage {model.name} could not compute its answer.")
