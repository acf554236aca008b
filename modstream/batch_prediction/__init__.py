"""Batch prediction: a table in, a table of predictions out, without Kafka and workers."""
