"""Prequential evaluation of predictions and forecasts."""
