"""Handlers of requests for tests, on models in memory."""

from modstream.broker.wire.codec import encode
from modstream.broker.wire.contracts import Request
from modstream.broker.wire.topics import Topics
from modstream.processors.predict.handler import request_handler
from modstream.processors.predict.settings import InferenceSettings
from tests.processors.small_fixtures import StubModelProvider

TOPICS = Topics("s")
GOOD = {"x": 1.5, "city": "LGA"}


def worker(*models, route=None, **options):
    """Return a function that answers a batch with some models, by default all in one route."""
    provider = StubModelProvider({loaded.card.name: loaded for loaded in models})
    return composed(provider, route or tuple(m.card.name for m in models), **options)


def composed(provider, route, **options):
    """Return a function from a batch to its response records."""
    handle = request_handler(TOPICS, provider, InferenceSettings(route), **options)
    return lambda batch: handle(batch).records


def ask(**request):
    """Return the bytes of a request."""
    return encode(Request(**{"id": "r", **request}))
