"""Precomputed predictions: the newest one of each key, and the progress of a batch of requests."""
