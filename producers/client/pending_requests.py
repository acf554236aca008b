"""Where answers meet those who wait for them."""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from threading import Condition

from modstream.broker.errors import BrokerError
from modstream.broker.wire.contracts import ErrorAnswer, Prediction
from modstream.producers.errors import NoAnswer, NotSent

Answer = Prediction | ErrorAnswer


@dataclass(slots=True, eq=False)
class Ticket:
    """A request that was sent; to be handed back to whoever gave it out, to wait or to label.

    `answers` holds the first answer of each model, "" for an error that names no model.
    """

    id: str
    key: str
    model: str | None = None
    answers: dict[str, Answer] = field(default_factory=dict)
    failure: NotSent | None = None

    def of(self, model: str | None) -> Answer | None:
        """The answer of one model, or without a name the first of any."""
        if model is None:
            return next(iter(self.answers.values()), None)
        return self.answers.get(model) or self.answers.get("")

    def by(self, models: Iterable[str | None]) -> list[Answer]:
        """The answers of those of the models that have answered."""
        return [answer for model in models if (answer := self.of(model))]


class Answers:
    """The open tickets of a client, at most `most_open`; for any number of threads.

    Answers to ids that are not open are dropped. When there are too many tickets the oldest is
    closed: what it has is kept, nothing more is added to it.
    """

    def __init__(self, most_open: int = 10_000) -> None:
        self._most_open = most_open
        self._open: OrderedDict[str, Ticket] = OrderedDict()
        self._changed = Condition()
        self._broken: BrokerError | None = None

    def open(self, ticket: Ticket) -> None:
        """Collect answers for a ticket from now on."""
        with self._changed:
            self._open[ticket.id] = ticket
            if len(self._open) > self._most_open:
                self._open.popitem(last=False)

    def deliver(self, answers: Iterable[Answer]) -> None:
        """Put answers where they belong and wake those who wait."""
        with self._changed:
            for answer in answers:
                ticket = self._open.get(answer.id)
                if ticket is not None:
                    ticket.answers.setdefault(answer.model or "", answer)
            self._changed.notify_all()

    def fail(self, request_id: str, reason: str) -> None:
        """Tell whoever waits for one request that it was never sent."""
        with self._changed:
            ticket = self._open.get(request_id)
            if ticket is not None:
                ticket.failure = NotSent(request_id, reason)
            self._changed.notify_all()

    def fail_all(self, error: BrokerError) -> None:
        """Tell everybody that no answer will ever come again."""
        with self._changed:
            self._broken = error
            self._changed.notify_all()

    def wait(self, ticket: Ticket, models: Sequence[str | None], timeout: float) -> list[Answer]:
        """Wait until each of the models has answered, None standing for any; in their order.

        Raises:
            NotSent: the broker did not take the request.
            NoAnswer: `timeout` seconds have passed.
            BrokerError: the answers cannot be read any more.
        """

        def settled() -> bool:
            return len(ticket.by(models)) == len(models) or self._failure(ticket) is not None

        with self._changed:
            in_time = self._changed.wait_for(settled, timeout)
            found, failure = ticket.by(models), self._failure(ticket)
        if len(found) == len(models):
            return found
        raise failure if in_time and failure else NoAnswer(ticket.id, timeout)

    def _failure(self, ticket: Ticket) -> NotSent | BrokerError | None:
        return ticket.failure or self._broken
