"""No plugin: TensorRT passes pointers and integers, and the kernel takes the copy engine's descriptions of tensors."""

from framecast.kernels.tensorrt_plugin import Plugin

PLUGINS: tuple[Plugin, ...] = ()
