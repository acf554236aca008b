"""Steps of wrangling as operators of ONNX, in front of a model's graph."""
