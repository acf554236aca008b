"""The audit of delivery: exactly one response per request and model that it was sent to."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from modstream.audit.columns import BoolArray
from modstream.audit.stream_audit import StreamAudit
from modstream.audit.tables import UNKNOWN_ID, ResponseColumns
from modstream.models.evaluation.arrays import IntArray


@dataclass(frozen=True, slots=True)
class ModelDelivery:
    """The requests to one model, and their number by outcome.

    Each of the `requests` is counted once in the other fields: one prediction, one error response,
    one dead letter, more than one of these (`duplicates`), or none (`missing`).
    """

    model: str
    requests: int
    predictions: int
    errors: int
    dead_letters: int
    duplicates: int
    missing: int


@dataclass(frozen=True, slots=True)
class DeliveryAudit:
    """The requests of a stream and their outcomes.

    `models` are those of the route, then those that requests name, some of them together as
    `names.OTHERS`. `requests` counts records, `unreadable_ids` those whose id is in neither the
    request nor a response. `repeated_ids` counts the records after the first of an id;
    `deduplicated` of these are within the deduplication window and get no response. `waiting`
    requests have been sent, but no worker has processed them yet. `phantoms` are responses to no
    request: to an unknown record, or from a model that the request was not sent to, of which
    `uninvited` are the models. `id_mismatches` are responses with the id of another request.
    """

    requests: int
    unreadable_ids: int
    repeated_ids: int
    deduplicated: int
    models: tuple[ModelDelivery, ...]
    errors: Mapping[str, int]
    dead_letters: Mapping[str, int]
    phantoms: int
    id_mismatches: int
    waiting: int = 0
    uninvited: tuple[str, ...] = ()

    @property
    def missing(self) -> int:
        """The number of pairs of request and model without a response or a dead letter."""
        return sum(model.missing for model in self.models)

    @property
    def duplicates(self) -> int:
        """The number of pairs of request and model with more than one response or dead letter."""
        return sum(model.duplicates for model in self.models)

    @property
    def is_sound(self) -> bool:
        """Whether each pair of request and model has exactly one response or dead letter."""
        return not any(self.faults().values())

    def faults(self) -> dict[str, int]:
        """Return the count of each fault."""
        return {
            "missing responses": self.missing,
            "duplicate responses": self.duplicates,
            "phantom responses": self.phantoms,
            "responses with a wrong id": self.id_mismatches,
        }


@dataclass(frozen=True, slots=True)
class ExitCounts:
    """One model's responses to all n request rows, each of shape (n,).

    `is_requested` tells which requests were sent to the model. `common_errors` are error responses
    on behalf of all models.
    """

    is_requested: BoolArray
    predictions: IntArray
    errors: IntArray
    common_errors: IntArray
    dead_letters: IntArray

    def summarize(self, model: str) -> ModelDelivery:
        """Count the requests by outcome."""
        errors = self.errors + self.common_errors
        exits = self.predictions + errors + self.dead_letters
        once = self.is_requested & (exits == 1)
        return ModelDelivery(
            model=model,
            requests=int(self.is_requested.sum()),
            predictions=int((once & (self.predictions == 1)).sum()),
            errors=int((once & (errors == 1)).sum()),
            dead_letters=int((once & (self.dead_letters == 1)).sum()),
            duplicates=int((self.is_requested & (exits > 1)).sum()),
            missing=int((self.is_requested & (exits == 0)).sum()),
        )

    def count_unrequested(self) -> int:
        """Return the number of responses of this model to requests that were not sent to it."""
        return int((self.predictions + self.errors)[~self.is_requested].sum())


def audit_delivery(audit: StreamAudit) -> DeliveryAudit:
    """Count the outcomes of all requests, by model."""
    table, size = audit.requests, len(audit.requests.rows)
    is_seen = table.is_seen.int_array(size) > 0
    ids = table.id_row.int_array(size)[is_seen]
    known = ids[ids != UNKNOWN_ID]
    is_duplicate = table.is_duplicate.int_array(size) > 0
    unrequested, deliveries = Counter[str](), {}
    for model, counts in _exit_counts(audit, is_seen & ~is_duplicate):
        deliveries[model] = counts.summarize(model)
        unrequested[model] = counts.count_unrequested()
    named = [
        delivery
        for model, delivery in deliveries.items()
        if model not in audit.route and delivery.requests
    ]
    unknown = (table.errors.int_array(size) + table.dead_letters.int_array(size))[
        ~is_seen | is_duplicate
    ]
    return DeliveryAudit(
        requests=int(is_seen.sum()),
        unreadable_ids=len(ids) - len(known),
        repeated_ids=len(known) - len(np.unique(known)),
        deduplicated=int(is_duplicate.sum()),
        models=(*(deliveries[model] for model in audit.route), *named),
        errors=dict(audit.errors.most_common()),
        dead_letters=dict(audit.dead_letters.most_common()),
        phantoms=unrequested.total() + int(unknown.sum()) + audit.anomalies.foreign_sources,
        id_mismatches=audit.anomalies.id_mismatches,
        waiting=audit.waiting.requests,
        uninvited=tuple(model for model, count in unrequested.items() if count),
    )


def _exit_counts(audit: StreamAudit, is_due: BoolArray) -> Iterator[tuple[str, ExitCounts]]:
    """Yield the counts of the models that are on the route, named by requests or responding.

    They are counted one by one: the counts of a model take some bytes for each request.
    """
    table, size = audit.requests, len(is_due)
    errors, dead_letters = table.errors.int_array(size), table.dead_letters.int_array(size)
    named: dict[str, list[int]] = {}
    for row, model in table.named_models.items():
        named.setdefault(model, []).append(row)
    is_unnamed = is_due.copy()
    is_unnamed[list(table.named_models)] = False
    for model in dict.fromkeys((*audit.route, *audit.responses, *named)):
        requested = np.zeros(size, dtype=np.bool_)
        rows = named.get(model, [])
        requested[rows] = is_due[rows]
        if model in audit.route:
            requested |= is_unnamed
        counts = _response_counts(audit.responses.get(model), size)
        yield model, ExitCounts(requested, *counts, errors, dead_letters)


def _response_counts(responses: ResponseColumns | None, size: int) -> tuple[IntArray, IntArray]:
    if responses is None:
        return np.zeros(size, dtype=np.int64), np.zeros(size, dtype=np.int64)
    return responses.predictions.int_array(size), responses.errors.int_array(size)
