"""How large a graph's inner tensors become on real inputs."""

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import onnx
from onnx import TensorProto, helper

from framecast.engines.engine import Array
from framecast.engines.load import load_engine
from framecast.export.onnx_graph import save_onnx


def largest_values(path: Path, names: Iterable[str], samples: Sequence[Mapping[str, Array]]) -> dict[str, float]:
    """Tensor name → its largest absolute value over all samples.

    The graph is run with one number more a tensor as its outputs: nothing large is kept.

    Args:
        path: of the ONNX file.
        names: of tensors inside it.
        samples: inputs of the graph.
    """
    model = onnx.load(path)
    graph, peaks = model.graph, {name: f"{name}__peak" for name in sorted(set(names))}
    for name, peak in peaks.items():
        graph.node.append(helper.make_node("Cast", [name], [f"{peak}_single"], to=TensorProto.FLOAT))
        graph.node.append(helper.make_node("Abs", [f"{peak}_single"], [f"{peak}_size"]))
        graph.node.append(helper.make_node("ReduceMax", [f"{peak}_size"], [peak], keepdims=0))
        graph.output.append(helper.make_tensor_value_info(peak, TensorProto.FLOAT, []))
    with tempfile.TemporaryDirectory(prefix=f".{path.stem}-", dir=path.parent) as folder:
        watched = Path(folder) / path.name
        save_onnx(model, watched)
        engine = load_engine("onnxruntime", watched)
        found = dict.fromkeys(peaks, 0.0)
        for sample in samples:
            values = engine.run(sample, tuple(peaks.values()))
            for name, peak in peaks.items():
                found[name] = max(found[name], float(values[peak]))
    return found
