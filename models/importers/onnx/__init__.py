"""Import of ONNX models: what a graph takes and predicts is read from it, or asked for."""
