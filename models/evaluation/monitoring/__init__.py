"""Monitoring of models: slices, calibration, drift per feature, conformal coverage. Pure."""
