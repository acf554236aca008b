"""Runtimes that load an artifact and predict: ONNX Runtime, scikit-learn, River."""
