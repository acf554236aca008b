"""The request path: requests in, predictions out."""
