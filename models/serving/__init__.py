"""Models in memory: verified loading, warm-up, eviction, and background refresh."""
