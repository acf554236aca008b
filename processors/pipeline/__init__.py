"""Runs pipelines: the steps of a batch of rows, column by column, within one call."""
