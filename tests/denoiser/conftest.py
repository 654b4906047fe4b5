"""A small real graph as a denoiser's engine, and callers of it."""

from collections.abc import Hashable

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from framecast.denoiser.costs import StepCosts
from framecast.denoiser.job import Job, Segment
from framecast.denoiser.samplers import Schedule
from framecast.engines.engine import Engine
from framecast.engines.load import load_engine
from framecast.errors import FramecastError


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """next = a · latents + timestep, and the context where it is given; fails on a guidance below 0."""
    names = ["B", "F", "C", "H", "W"]
    inputs = {
        "latents": names,
        "timestep": ["B"],
        "embedding": ["B", "T", "D"],
        "negative_embedding": ["B", "T", "D"],
        "guidance": ["B"],
        "coefficients": ["B", 3],
        "context": names,
        "given": ["B", "F"],
    }
    nodes = [
        helper.make_node("Gather", ["coefficients", "one"], ["a"], axis=1),
        helper.make_node("Reshape", ["a", "column"], ["a5"]),
        helper.make_node("Reshape", ["timestep", "column"], ["t5"]),
        helper.make_node("Sqrt", ["guidance"], ["root"]),  # NaN below 0
        helper.make_node("Reshape", ["root", "column"], ["root5"]),
        helper.make_node("Mul", ["latents", "a5"], ["scaled"]),
        helper.make_node("Add", ["scaled", "t5"], ["moved"]),
        helper.make_node("Mul", ["moved", "root5"], ["free"]),
        helper.make_node("Unsqueeze", ["given", "last"], ["given5"]),
        helper.make_node("Cast", ["given5"], ["mask"], to=TensorProto.BOOL),
        helper.make_node("Where", ["mask", "context", "free"], ["next_latents"]),
    ]
    constants = [
        helper.make_tensor("one", TensorProto.INT64, [1], [1]),
        helper.make_tensor("column", TensorProto.INT64, [5], [-1, 1, 1, 1, 1]),
        helper.make_tensor("last", TensorProto.INT64, [3], [2, 3, 4]),
    ]
    graph = helper.make_graph(
        nodes,
        "step",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info("next_latents", TensorProto.FLOAT, names)],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    path = tmp_path_factory.mktemp("graph") / "step.onnx"
    onnx.save(model, path)
    return load_engine("onnxruntime", path)


class Free(StepCosts):
    """Rows cost nothing: everybody comes along."""

    def seconds(self, bucket: Hashable, batch: int) -> float | None:
        return 1.0


class Caller:
    """A job and what became of it."""

    def __init__(
        self, seed: int, steps: int, *, guidance: float = 1.0, frames: int = 3, known: int = 0, own: bool = False
    ) -> None:
        self.result: np.ndarray | None = None
        self.error: FramecastError | None = None
        self.gone = False
        rows = tuple((1.0, 0.5 + 0.1 * i, 0.0) for i in range(steps))
        if own:  # of a network that predicts the clean latents: the last step is its answer
            rows = (*rows[:-1], (1.0, 0.0, 1.0))
        shape = (frames, 2, 4, 4)
        states = np.zeros((5, 6), np.float32)
        segment = Segment(
            shape,
            states,
            states,
            seed,
            Schedule(1.0, tuple(float(i) for i in range(steps)), rows),
            guidance,
            np.full((known, *shape[1:]), 9, np.float32),
        )
        self.job = Job(segment, self.finish, self.fail, lambda: self.gone)

    def finish(self, job: Job) -> None:
        self.result = job.latents

    def fail(self, error: FramecastError) -> None:
        self.error = error

    def expected(self) -> np.ndarray:
        """The same steps in plain NumPy."""
        x = Job(self.job.segment, self.finish, self.fail, lambda: False).latents
        for timestep, (_, a, _) in zip(
            self.job.segment.schedule.timesteps, self.job.segment.schedule.coefficients, strict=True
        ):
            x = np.float32(a) * x + np.float32(timestep)
        return x
