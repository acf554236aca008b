"""A function that answers events by one version, without a worker: `handler(event, context)`."""

from modstream.serverless.entry import handler

__all__ = ["handler"]
