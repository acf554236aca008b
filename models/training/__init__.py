"""Batch training of scikit-learn models from labelled rows, and their acceptance test."""
