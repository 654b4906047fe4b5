"""How large a graph's inner tensors become on real inputs."""

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import onnx
from onnx import TensorProto, helper

from framecast.engines.engine import Array
from framecast.engines.load import load_engine
from framecast.export.onnx_graph import save_onnx


@dataclass(frozen=True)
class Range:
    """Of one tensor over all samples: its largest absolute value, and the root of its mean square."""

    peak: float
    rms: float

    @property
    def crest(self) -> float:
        """Peak ÷ root mean square: √2 of a sine, about 5 of normal noise, 50 where a few values tower over the rest."""
        return self.peak / self.rms if self.rms > 0 else 1.0


def ranges(path: Path, names: Iterable[str], samples: Sequence[Mapping[str, Array]]) -> dict[str, Range]:
    """Tensor name → its range.

    The graph is run with two numbers more a tensor as its outputs: nothing large is kept.

    Args:
        path: of the ONNX file.
        names: of tensors inside it.
        samples: inputs of the graph.
    """
    wanted = sorted(set(names))
    model = onnx.load(path)
    for name in wanted:
        _watch(model.graph, name)
    peaks, squares = dict.fromkeys(wanted, 0.0), dict.fromkeys(wanted, 0.0)
    with tempfile.TemporaryDirectory(prefix=f".{path.stem}-", dir=path.parent) as folder:
        watched = Path(folder) / path.name
        save_onnx(model, watched)
        engine = load_engine("onnxruntime", watched)
        for sample in samples:
            values = engine.run(sample, tuple(f"{name}{end}" for name in wanted for end in ("__peak", "__power")))
            for name in wanted:
                peaks[name] = max(peaks[name], float(values[f"{name}__peak"]))
                squares[name] += float(values[f"{name}__power"]) / len(samples)
    return {name: Range(peaks[name], squares[name] ** 0.5) for name in wanted}


def _watch(graph: onnx.GraphProto, name: str) -> None:
    """Makes the largest absolute value of a tensor and the mean of its squares outputs of the graph."""
    single, size, square = (f"{name}__{what}" for what in ("single", "size", "square"))
    graph.node.append(helper.make_node("Cast", [name], [single], to=TensorProto.FLOAT))
    graph.node.append(helper.make_node("Abs", [single], [size]))
    graph.node.append(helper.make_node("Mul", [single, single], [square]))
    for reduced, reduce, out in ((size, "ReduceMax", f"{name}__peak"), (square, "ReduceMean", f"{name}__power")):
        graph.node.append(helper.make_node(reduce, [reduced], [out], keepdims=0))
        graph.output.append(helper.make_tensor_value_info(out, TensorProto.FLOAT, []))
