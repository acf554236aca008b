"""Thresholds of conformal sets and intervals, learned from the feedback of a stream."""
