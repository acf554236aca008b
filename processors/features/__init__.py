"""Features that the stream computes: aggregates of its events over windows, by groups."""
