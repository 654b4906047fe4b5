"""ONNX nodes that TensorRT's parser resolves to our plugins."""

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
        ValueError: too many or too few names, or an attribute that is missing, unknown or of the wrong type.
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
    node = onnx.NodeProto(op_type=plugin.name, name="_".join(outputs), input=inputs, output=outputs)
    for name, kind in plugin.attributes.items():  # in the order of registration, which is that of the plugin's calls
        value = attributes[name]
        if type(value) is not kind:
            raise ValueError(f"attributes: {name} of {plugin.name} is {kind.__name__}, not {type(value).__name__}.")
        node.attribute.append(make_attribute(name, value))
    node.attribute.append(make_attribute("plugin_namespace", NAMESPACE))
    node.attribute.append(make_attribute("plugin_version", "1"))
    node.attribute.append(make_attribute("aot", 1))
    return node
