"""The gateway over gRPC: the Open Inference Protocol, and the standard health service."""
