"""The gateway: prediction requests over HTTP and gRPC, answered by a stream's workers."""
