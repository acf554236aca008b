"""The consume-process-produce loop, its ports, adaptive batch sizes and an in-memory broker."""
