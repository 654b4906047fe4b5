"""An ONNX file as a strongly typed network, and the parser's objections as one sentence."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from framecast.engines.tensorrt_flavour import Flavour
from framecast.export.tensorrt.api import Builder, BuilderBindings, INetworkDefinition, ITensor, OnnxParser, ParserError
from framecast.export.tensorrt.errors import EngineBuildError
from framecast.export.tensorrt.plan import PlanTensor


def parse(flavour: Flavour, builder: Builder, logger: Any, path: Path) -> tuple[INetworkDefinition, OnnxParser]:
    """The network of the ONNX file at `path`, and the parser, which owns the weights and must outlive the build.

    Raises:
        EngineBuildError: the parser refuses the file; the sentence names the node and the reason.
    """
    bindings: BuilderBindings = flavour.bindings
    flags = 1 << int(bindings.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
    network = builder.create_network(flags)
    parser = bindings.OnnxParser(network, logger)
    if not parser.parse_from_file(str(path)):
        errors = [parser.get_error(index) for index in range(parser.num_errors)]
        raise EngineBuildError(f"{flavour.title} cannot take {path.name}{_objection(errors, logger.errors.messages)}")
    return network, parser


def tensors(bindings: BuilderBindings, network: INetworkDefinition) -> tuple[list[PlanTensor], list[PlanTensor]]:
    """The network's inputs and outputs."""

    def described(tensor: ITensor) -> PlanTensor:
        dtype = np.dtype(bindings.nptype(tensor.dtype)).name
        return PlanTensor(tensor.name, dtype, tuple(int(length) for length in tensor.shape))

    return (
        [described(network.get_input(index)) for index in range(network.num_inputs)],
        [described(network.get_output(index)) for index in range(network.num_outputs)],
    )


def one_line(text: str, limit: int = 300) -> str:
    """TensorRT's text without line breaks and not endless."""
    line = " ".join(text.split()).rstrip(".")
    return line if len(line) <= limit else f"{line[:limit]}…"


def _words(code: object) -> str:
    """``ErrorCode.UNSUPPORTED_NODE`` as words."""
    return str(getattr(code, "name", code)).replace("_", " ").lower()


def _objection(errors: Sequence[ParserError], messages: Sequence[str]) -> str:
    """Everything after the file's name: the first node that was refused, and why."""
    for error in errors:
        node, operator = error.node_name(), error.node_operator()
        where = f" at the node {node or 'without a name'} ({operator})" if node or operator else ""
        reason = error.desc() if error.desc() not in ("", "false") else _words(error.code())
        if where or reason:
            return f"{where}: {one_line(reason)}."
    return f": {one_line(messages[0])}." if messages else "."
