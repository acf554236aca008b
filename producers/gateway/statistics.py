"""Counts and durations of answers by model and version, as this gateway has seen them."""

from collections.abc import Iterator
from time import time

from modstream.producers.gateway.protocol.metadata import Duration, ModelStatistics

MAX_VERSIONS = 1000
"""Maximum number of versions that are counted; later ones are left out."""


class _Counts:
    __slots__ = ("fail_count", "fail_ns", "last", "success_count", "success_ns")

    def __init__(self) -> None:
        self.success_count = self.success_ns = 0
        self.fail_count = self.fail_ns = 0
        self.last = 0


class AnswerStatistics:
    """The answers of each version since the gateway's start. An error counts for version "" ."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str], _Counts] = {}

    def add(self, model: str, version: str, nanoseconds: int, *, failed: bool) -> None:
        """Count an answer, with the time from its call to its reply."""
        counts = self._counts.get((model, version))
        if counts is None:
            if len(self._counts) >= MAX_VERSIONS:
                return
            counts = self._counts[model, version] = _Counts()
        counts.last = int(time() * 1000)
        if failed:
            counts.fail_count += 1
            counts.fail_ns += nanoseconds
        else:
            counts.success_count += 1
            counts.success_ns += nanoseconds

    def of(self, model: str | None = None, version: str | None = None) -> Iterator[ModelStatistics]:
        """Yield the statistics of all models, of one, or of one version of it."""
        for (name, number), counts in sorted(self._counts.items()):
            if model in {None, name} and version in {None, number}:
                yield ModelStatistics(
                    name,
                    number,
                    last_inference=counts.last,
                    inference_count=counts.success_count,
                    execution_count=counts.success_count,
                    success=Duration(counts.success_count, counts.success_ns),
                    fail=Duration(counts.fail_count, counts.fail_ns),
                )
