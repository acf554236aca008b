"""The Open Inference Protocol V2, over JSON, raw tensors and gRPC, in and out of our messages."""
