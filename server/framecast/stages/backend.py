"""The Triton side of a stage: what every `model_repository/*/1/model.py` shares.

Only Triton's stub can import this module; `triton_python_backend_utils` exists nowhere else.
"""

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils

from framecast.engines.engine import Array
from framecast.engines.manifest import Manifest
from framecast.errors import Cancelled, FramecastError, InvalidRequest, Overloaded, StageFailed, StageUnavailable
from framecast.stages.contracts import Model, Tensor
from framecast.stages.faults import tagged

_log = logging.getLogger(__name__)
_CODES = {
    InvalidRequest: "INVALID_ARG",
    Cancelled: "CANCELLED",
    Overloaded: "UNAVAILABLE",
    StageUnavailable: "UNAVAILABLE",
}
Values = Mapping[Tensor, Array | Sequence[str] | float]


class ServedFiles:
    """The served repository seen from one of its models."""

    def __init__(self, args: Mapping[str, str]) -> None:
        folder = Path(args["model_repository"])
        self.root, self.model = folder.parent, folder.name
        self.manifest = Manifest.load(self.root)

    def path(self, name: str) -> Path:
        """A verified file of this model's version folder."""
        return self.manifest.verified(self.root, f"{self.model}/1/{name}")


def read(request: Any, tensor: Tensor) -> Array | None:
    """The tensor of a request; None when it is optional and absent.

    Raises:
        InvalidRequest: it is missing.
    """
    found = pb_utils.get_input_tensor_by_name(request, tensor.name)
    if found is None:
        if tensor.optional:
            return None
        raise InvalidRequest(tensor.name, "is missing")
    array: Array = found.as_numpy()
    return array


def number(request: Any, tensor: Tensor, default: float = 0) -> Any:
    """A one-element tensor as a Python number; `default` when it is optional and absent."""
    array = read(request, tensor)
    return default if array is None else array.reshape(-1)[0].item()


def text(request: Any, tensor: Tensor) -> str:
    """A one-element string tensor. Raises InvalidRequest when it is not UTF-8."""
    value = read(request, tensor)
    try:
        return bytes(value.reshape(-1)[0]).decode("utf-8") if value is not None else ""
    except UnicodeDecodeError:
        raise InvalidRequest(tensor.name, "is not UTF-8 text") from None


def response(values: Values) -> Any:
    """An inference response."""
    return pb_utils.InferenceResponse([pb_utils.Tensor(tensor.name, _array(tensor, v)) for tensor, v in values.items()])


def failure(error: FramecastError) -> Any:
    """An error response that names the error's class."""
    code = getattr(pb_utils.TritonError, _CODES.get(type(error), "INTERNAL"))
    return pb_utils.InferenceResponse(error=pb_utils.TritonError(tagged(error), code))


def answer(model: Model, requests: Sequence[Any], compute: Callable[[Any], Values]) -> list[Any]:
    """One response a request; an error of one request fails that one alone."""
    return [_answer(model, request, compute) for request in requests]


def _answer(model: Model, request: Any, compute: Callable[[Any], Values]) -> Any:
    try:
        return response(compute(request))
    except FramecastError as error:
        return failure(error)
    except Exception:  # noqa: BLE001 - a runtime may raise anything; the caller must get an answer without its text
        _log.exception("%s failed", model.name)
        return failure(StageFailed(f"The stage {model.name} could not compute its answer."))


def _array(tensor: Tensor, value: Any) -> Any:
    if tensor.dtype == "STRING":
        return np.array([word.encode("utf-8") for word in value], np.object_)
    return np.atleast_1d(np.asarray(value, pb_utils.triton_string_to_numpy(f"TYPE_{tensor.dtype}")))


class Reply:
    """The one answer to a request that `execute` kept for later. Sending twice, or asking whether the caller has
    gone after the answer, would crash tritonserver: this class does neither.
    """

    def __init__(self, request: Any) -> None:
        self._sender = request.get_response_sender()
        self._sent = False

    def cancelled(self) -> bool:
        """True when the caller has gone."""
        return self._sent or bool(self._sender.is_cancelled())

    def part(self, values: Values) -> None:
        """Sends one of several responses (decoupled models only)."""
        if not self._sent:
            self._sender.send(response(values))

    def finish(self, values: Values | None = None) -> None:
        """Sends the last response, or just its end."""
        self._final(response(values) if values else None)

    def fail(self, error: FramecastError) -> None:
        """Sends an error as the last response."""
        self._final(failure(error))

    def _final(self, message: Any) -> None:
        if self._sent:
            return
        self._sent = True
        final = pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL
        try:
            self._sender.send(message, flags=final) if message is not None else self._sender.send(flags=final)
        except Exception:  # noqa: BLE001 - Triton takes no second answer, and a silent stage looks healthy
            _log.critical("an answer could not be sent; the stage ends so that it is noticed", exc_info=True)
            os._exit(70)
