"""Metrics of predictions, the classes of versions, and detectors of drift in errors and inputs."""
