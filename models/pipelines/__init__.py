"""Pipelines of several steps: definition, expressions, and the check before they serve."""
