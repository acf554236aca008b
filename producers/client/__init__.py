"""A client of a stream: send a request, wait for its answer, send its label."""
