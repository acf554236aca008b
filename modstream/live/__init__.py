"""The live view of a running stream."""
