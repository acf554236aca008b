"""The maximum record sizes of topics, read from the cluster as far as it returns them."""

from collections.abc import Iterable

import structlog

from modstream.broker.client.admin import Admin
from modstream.broker.errors import BrokerError


def read_record_limits(admin: Admin, topics: Iterable[str]) -> dict[str, int]:
    """Return the maximum size of a record of each topic, in bytes.

    Without a permission to read it, or while no broker responds, the result is empty, and a
    warning is logged.
    """
    try:
        return admin.record_limits(sorted(topics))
    except BrokerError as error:
        structlog.get_logger(__name__).warning("record limits not read", cause=str(error))
        return {}
