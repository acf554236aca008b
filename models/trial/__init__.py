"""The trial of a version: loaded and asked in a process of its own, before anything serves it."""
