"""ONNX files to TensorRT plans, for data-centre TensorRT 10.4 to 11 and TensorRT-RTX."""
