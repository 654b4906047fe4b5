"""A graph that is another Triton model, as an engine: called from inside Triton, with no client and no network.

Like `framecast.stages.backend`, only Triton's stub can import this module.
"""

import json
import logging
from collections.abc import Mapping
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils

from framecast.engines.engine import Array, Engine, EngineOptions, TensorInfo
from framecast.errors import InvalidRepository, StageFailed
from framecast.stages.backend import ServedFiles
from framecast.stages.contracts import Tensor
from framecast.stages.flavours import ENGINE, NATIVE, NativeModel

_log = logging.getLogger(__name__)


class TritonEngine:
    """A `NativeModel` behind the engine interface. `run` waits for the batch that the request becomes part of."""

    def __init__(self, native: NativeModel) -> None:
        self._native = native
        self.inputs = tuple(_info(tensor) for tensor in native.inputs)
        self.outputs = tuple(_info(tensor) for tensor in native.outputs)

    def run(self, inputs: Mapping[str, Array], outputs: tuple[str, ...] | None = None) -> dict[str, Array]:
        """See `Engine.run`. Raises StageFailed; what Triton said goes to the log."""
        names = outputs or tuple(info.name for info in self.outputs)
        request = pb_utils.InferenceRequest(
            model_name=self._native.name,
            requested_output_names=list(names),
            inputs=[pb_utils.Tensor(name, np.ascontiguousarray(value)) for name, value in inputs.items()],
            preferred_memory=pb_utils.PreferredMemory(pb_utils.TRITONSERVER_MEMORY_CPU, 0),
        )
        response = request.exec()
        if response.has_error():
            _log.error("%s failed: %s", self._native.name, response.error().message())
            raise StageFailed(f"The model {self._native.name} could not compute its answer.")
        found = {name: pb_utils.get_output_tensor_by_name(response, name).as_numpy() for name in names}
        return {name: self._unfolded(array) for name, array in found.items()}

    def _unfolded(self, array: Array) -> Array:
        """[N, frames, H, W] → [N · frames, H, W] where the graph folds."""
        return array.reshape(-1, *array.shape[2:]) if self._native.folded else array


def stage_engine(
    files: ServedFiles, args: Mapping[str, str], graph: str, options: EngineOptions | None = None
) -> Engine:
    """The engine of a stage: the Triton model that its config names, or else the manifest's, in this process.

    Args:
        files: of the stage.
        args: what Triton gave `initialize`.
        graph: name in the manifest.
        options: of an engine in this process.

    Raises:
        InvalidRepository: the config names a model that is none of ours.
    """
    parameters: Mapping[str, Any] = json.loads(args["model_config"]).get("parameters", {})
    if ENGINE not in parameters:
        return files.manifest.engine(files.root, graph, options)
    wanted = parameters[ENGINE]["string_value"]
    native = {model.name: model for model in NATIVE if model.graph == graph}.get(wanted)
    if native is None:
        raise InvalidRepository(f"The config of {files.model} asks for the engine {wanted!r}, which is unknown.")
    return TritonEngine(native)


def _info(tensor: Tensor) -> TensorInfo:
    dtype = np.dtype(pb_utils.triton_string_to_numpy(f"TYPE_{tensor.dtype}")).name
    axes = tuple(f"{tensor.name}_{axis}" if length < 0 else length for axis, length in enumerate(tensor.shape, 1))
    return TensorInfo(tensor.name, dtype, ("batch", *axes))
