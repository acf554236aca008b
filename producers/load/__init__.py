"""An open-loop load generator and its latency report."""
