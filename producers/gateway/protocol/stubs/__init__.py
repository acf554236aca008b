"""Stubs of the gRPC services, generated from the .proto files beside them: see the README."""
