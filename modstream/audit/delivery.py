"""Was every request accounted for, once and only once, by every model it asked?"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from modstream.audit.audit_tables import NO_ID, Answers
from modstream.audit.columns import Ints, Mask
from modstream.audit.stream_audit import Ledger


@dataclass(frozen=True, slots=True)
class ModelDelivery:
    """What became of the requests that asked one model; each stands in one of the last five.

    `refused` got one typed error, `dead` one dead letter, `repeated` more than one way out of
    any kind, `unanswered` none.
    """

    model: str
    asked: int
    answered: int
    refused: int
    dead: int
    repeated: int
    unanswered: int


@dataclass(frozen=True, slots=True)
class Delivery:
    """Requests and their ways out.

    `models` are those of the route, then those that requests name.
    `requests` counts records, `illegible` those whose id no account tells, `repeated_ids` records
    beyond the first of an id; `passed_over` of these were sent again shortly after and are owed no
    answer. `phantoms` are answers to what was never asked: an unknown
    record, or a model that the request did not ask. `strangers` carry another request's id.
    """

    requests: int
    illegible: int
    repeated_ids: int
    passed_over: int
    models: tuple[ModelDelivery, ...]
    errors: Mapping[str, int]
    dead_letters: Mapping[str, int]
    phantoms: int
    strangers: int

    @property
    def unanswered(self) -> int:
        """Pairs of request and model that nothing accounts for."""
        return sum(model.unanswered for model in self.models)

    @property
    def repeated(self) -> int:
        """Pairs of request and model that are accounted for more than once."""
        return sum(model.repeated for model in self.models)

    @property
    def sound(self) -> bool:
        """Whether every request left through exactly one door per model it asked."""
        return not any(self.faults().values())

    def faults(self) -> dict[str, int]:
        """What may not be, with its count."""
        return {
            "missing answers": self.unanswered,
            "repeated answers": self.repeated,
            "phantom answers": self.phantoms,
            "answers under a wrong id": self.strangers,
        }


@dataclass(frozen=True, slots=True)
class Doors:
    """One model's view of all request rows, each (n,): who asked it, and the ways out by kind."""

    asked: Mask
    answers: Ints
    errors: Ints
    refused: Ints
    dead: Ints

    def tally(self, model: str) -> ModelDelivery:
        """Count the requests by their way out."""
        errors = self.errors + self.refused
        ways = self.answers + errors + self.dead
        once = self.asked & (ways == 1)
        return ModelDelivery(
            model=model,
            asked=int(self.asked.sum()),
            answered=int((once & (self.answers == 1)).sum()),
            refused=int((once & (errors == 1)).sum()),
            dead=int((once & (self.dead == 1)).sum()),
            repeated=int((self.asked & (ways > 1)).sum()),
            unanswered=int((self.asked & (ways == 0)).sum()),
        )

    def unasked(self) -> int:
        """Answers of this model to requests that did not ask it."""
        return int((self.answers + self.errors)[~self.asked].sum())


def delivery(ledger: Ledger) -> Delivery:
    """Account for every request."""
    table, size = ledger.requests, len(ledger.requests.rows)
    seen = table.seen.ints(size) > 0
    ids = table.id.ints(size)[seen]
    known = ids[ids != NO_ID]
    again = table.again.ints(size) > 0
    doors = _doors(ledger, seen & ~again)
    tallies = {model: view.tally(model) for model, view in doors.items()}
    named = [tally for model, tally in tallies.items() if model not in ledger.route and tally.asked]
    unknown = (table.refused.ints(size) + table.dead.ints(size))[~seen | again]
    return Delivery(
        requests=int(seen.sum()),
        illegible=len(ids) - len(known),
        repeated_ids=len(known) - len(np.unique(known)),
        passed_over=int(again.sum()),
        models=(*(tallies[model] for model in ledger.route), *named),
        errors=dict(ledger.errors.most_common()),
        dead_letters=dict(ledger.dead_letters.most_common()),
        phantoms=(
            sum(view.unasked() for view in doors.values())
            + int(unknown.sum())
            + ledger.oddities.astray
        ),
        strangers=ledger.oddities.strangers,
    )


def _doors(ledger: Ledger, owed: Mask) -> dict[str, Doors]:
    """The view of every model of the route, and of every other that was asked or answered."""
    table, size = ledger.requests, len(owed)
    refused, dead = table.refused.ints(size), table.dead.ints(size)
    asking = {model: np.zeros(size, dtype=np.bool_) for model in ledger.answers}
    free = owed.copy()
    for row, model in table.named.items():
        free[row] = False
        asking.setdefault(model, np.zeros(size, dtype=np.bool_))[row] = owed[row]
    for model in ledger.route:
        asking[model] |= free
    return {
        model: Doors(asked, *_ways(ledger.answers.get(model), size), refused, dead)
        for model, asked in asking.items()
    }


def _ways(answers: Answers | None, size: int) -> tuple[Ints, Ints]:
    if answers is None:
        return np.zeros(size, dtype=np.int64), np.zeros(size, dtype=np.int64)
    return answers.count.ints(size), answers.errors.ints(size)
