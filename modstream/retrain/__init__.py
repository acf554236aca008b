"""Retraining from recent feedback: read, train, accept, publish as challenger, report."""
