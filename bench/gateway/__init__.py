"""The gateway measured over HTTP and gRPC: beside peers, in overload, and under faults."""
