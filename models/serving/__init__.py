"""Loaded models in a worker's memory: loading, cache, negative cache."""
