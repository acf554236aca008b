"""Metrics of predictions, and detectors of drift in errors and inputs."""
