"""A client of a stream: send a request, wait for its response, send its label."""
