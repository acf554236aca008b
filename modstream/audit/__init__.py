"""Watching a stream while it runs, and accounting for all of it afterwards."""
