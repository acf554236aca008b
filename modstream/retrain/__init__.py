"""Retraining from recent feedback: read, train, compare, publish as challenger, report."""
