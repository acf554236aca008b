"""Telemetry of a running process: Prometheus metrics, read from what the process counts anyway."""
