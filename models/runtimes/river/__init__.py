"""The River runtime, and the safe reading and writing of River models."""
