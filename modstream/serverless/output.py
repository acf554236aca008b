"""Where a function's answers to records go beside its result."""

from collections.abc import Sequence
from typing import Protocol

from modstream.serverless.answers import Answer, Asked
from modstream.settings import Settings


class Output(Protocol):
    """Takes the answers to the records of one event."""

    is_result: bool
    """Whether the answers are part of the function's result."""

    def publish(self, answers: Sequence[tuple[Asked, Answer]]) -> None:
        """Publish answers, and return when all of them are stored.

        Raises:
            BrokerError: some may not be stored.
        """


class NoOutput:
    """Leaves the answers to the function's result."""

    is_result = True

    def publish(self, answers: Sequence[tuple[Asked, Answer]]) -> None:
        """Publish nothing."""


def open_nothing(_settings: Settings) -> Output:
    """Return the output that publishes nothing."""
    return NoOutput()
