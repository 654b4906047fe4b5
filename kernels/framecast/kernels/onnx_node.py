"""ONNX nodes that TensorRT's parser resolves to our plugins."""

import math
from collections.abc import Sequence
from typing import Any

from framecast.kernels.tensorrt_plugin import NAMESPACE, Plugin


def plugin_node(plugin: Plugin, inputs: Sequence[str], outputs: Sequence[str], **attributes: float) -> Any:
    """An ``onnx.NodeProto`` for `plugin`, in the default domain, where TensorRT looks plugins up by ``op_type``.

    Only TensorRT can run a graph with such a node; onnx.checker and ONNX Runtime do not know it.

    Args:
        inputs, outputs: names of values in the graph, dense tensors.
        attributes: exactly those of the plugin.

    Raises:
        ValueError: too many or too few names; an attribute that is missing, unknown, of the wrong type or out of range.
    """
    import onnx
    from onnx.helper import make_attribute

    if len(inputs) != len(plugin.inputs):
        raise ValueError(f"inputs: {plugin.name} takes {', '.join(plugin.inputs)}, not {len(inputs)} values.")
    if len(outputs) != plugin.outputs:
        raise ValueError(f"outputs: {plugin.name} gives {plugin.outputs} values, not {len(outputs)}.")
    if attributes.keys() != plugin.attributes.keys():
        wanted = ", ".join(plugin.attributes) or "none"
        raise ValueError(f"attributes: {plugin.name} takes {wanted}, not {', '.join(attributes) or 'none'}.")
    for name, kind in plugin.attributes.items():
        if type(attributes[name]) is not kind:
            found = type(attributes[name]).__name__
            raise ValueError(f"attributes: {name} of {plugin.name} is {kind.__name__}, not {found}.")
        if not math.isfinite(attributes[name]):
            raise ValueError(f"attributes: {name} of {plugin.name} is {attributes[name]}; give a finite number.")
    plugin.check(attributes)
    node = onnx.NodeProto(op_type=plugin.name, name="_".join(outputs), input=inputs, output=outputs)
    for name in plugin.attributes:  # in the order of registration, which is that of the plugin's calls
        node.attribute.append(make_attribute(name, attributes[name]))
    node.attribute.append(make_attribute("plugin_namespace", NAMESPACE))
    node.attribute.append(make_attribute("plugin_version", "1"))
    node.attribute.append(make_attribute("aot", 1))
    return node
