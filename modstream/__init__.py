"""modstream: predictions over Kafka, answered once, by models that learn from late labels.

The public API is the names in `__all__`; each is imported when it is first used, so that
`import modstream` loads no client library. The rooms `broker`, `models`, `processors` and
`producers` are imported below this package: a file of the same name in the working folder, such as
models.py, neither shadows them nor is shadowed.
"""

from importlib import import_module

__version__ = "0.1.0"

_HOMES = {
    "AsyncClient": "modstream.producers.client.async_client",
    "Client": "modstream.producers.client.client",
    "Connection": "modstream.broker.client.connection",
    "ErrorResponse": "modstream.broker.wire.contracts",
    "Prediction": "modstream.broker.wire.contracts",
    "Topics": "modstream.broker.wire.topics",
    "load_model": "modstream.local_model",
    "load_settings": "modstream.settings",
}
"""The module that defines each public name; `__init__.pyi` tells type checkers the same."""

__all__ = [
    "AsyncClient",
    "Client",
    "Connection",
    "ErrorResponse",
    "Prediction",
    "Topics",
    "__version__",
    "load_model",
    "load_settings",
]


def __getattr__(name: str) -> object:
    """Import a public name from its module."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
