"""ONNX Runtime as an engine, with the best execution provider that this machine has."""

import logging
from collections.abc import Mapping
from pathlib import Path

import onnxruntime as ort

from framecast.engines.cores import usable_cores
from framecast.engines.engine import Array, EngineOptions, TensorInfo
from framecast.engines.providers import CPU, Machine, choose_providers
from framecast.errors import InvalidRepository

_log = logging.getLogger(__name__)

_MUCH = 4  # times smaller
_DTYPES = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(int64)": "int64",
    "tensor(int32)": "int32",
    "tensor(uint8)": "uint8",
    "tensor(bool)": "bool",
}


class OnnxRuntimeEngine:
    """An ONNX file in an inference session.

    Threads do not spin when idle: every stage is a process of its own, and spinning ones would take the cores
    from the stage that is working. On a CPU memory is given back when runs have become much smaller: one large picture
    would keep gigabytes from the other stages for good, and giving back after every run costs a fifth of a decode
    (docs/log.md).
    """

    def __init__(self, path: Path, options: EngineOptions) -> None:
        settings = ort.SessionOptions()
        settings.intra_op_num_threads = options.threads or usable_cores()
        settings.inter_op_num_threads = 1
        settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
        settings.log_severity_level = 3
        try:
            choice = choose_providers(Machine.here())
            _log.info("%s: %s", path.name, choice.line)
            self._give_back = _give_back() if choice.names == (CPU,) else None
            self._largest = 0  # bytes of the inputs of a run since the last giving back
            self._session = ort.InferenceSession(str(path), settings, providers=choice.prepare(settings))
        except (ort.capi.onnxruntime_pybind11_state.Fail, ort.capi.onnxruntime_pybind11_state.InvalidProtobuf) as error:
            raise InvalidRepository(f"ONNX Runtime {ort.__version__} cannot load {path}: {error}") from error
        self.inputs = tuple(_info(node) for node in self._session.get_inputs())
        self.outputs = tuple(_info(node) for node in self._session.get_outputs())

    def run(self, inputs: Mapping[str, Array], outputs: tuple[str, ...] | None = None) -> dict[str, Array]:
        """See `Engine.run`."""
        names = outputs or tuple(info.name for info in self.outputs)
        size = sum(value.nbytes for value in inputs.values())
        smaller = _MUCH * size <= self._largest
        self._largest = size if smaller else max(size, self._largest)
        found = self._session.run(list(names), dict(inputs), self._give_back if smaller else None)
        return dict(zip(names, found, strict=True))


def _give_back() -> ort.RunOptions:
    """A run that ends by giving all unused memory back."""
    options = ort.RunOptions()
    options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
    return options


def _info(node: ort.NodeArg) -> TensorInfo:
    return TensorInfo(node.name, _DTYPES.get(node.type, node.type), tuple(node.shape))
