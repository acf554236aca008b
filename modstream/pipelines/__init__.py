"""Pipelines as files: found, checked against the registry, drawn, and published as versions."""
