"""Bundle → ONNX → engines → served Triton repository, with parity checks on the way."""
