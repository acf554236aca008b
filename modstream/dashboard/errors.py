"""Errors of the dashboard's questions to a stream.

DashboardError
├── SearchBusy     as many searches as are allowed run already
└── SearchFailed   Kafka or the registry does not answer a search
"""


class DashboardError(Exception):
    """Base class: a question of the dashboard has no answer now."""


class SearchBusy(DashboardError):
    """As many searches as are allowed run already."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"{limit} searches run already; try again in some seconds")


class SearchFailed(DashboardError):
    """Kafka or the registry does not answer a search."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(f"the search failed: {cause}")
