"""The outputs of one version for recorded requests, and the requests that it does not answer."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from modstream.audit.lenient_messages import output_rows
from modstream.broker.errors import DecodeError
from modstream.broker.wire.contracts import Request
from modstream.broker.wire.event_requests import decode_any
from modstream.broker.wire.records import Record
from modstream.operations.backtest.compare import RequestPosition, VersionOutput
from modstream.processors.predict.engine import InferenceEngine, Rejection


@dataclass(slots=True)
class BacktestScores:
    """The outputs of a version by the request's position, and its refusals by error code.

    `other_model` counts requests that name another model, `unreadable` records that are no
    requests.
    """

    max_request_bytes: int | None = None
    outputs: dict[RequestPosition, VersionOutput] = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)
    requests: int = 0
    other_model: int = 0
    unreadable: int = 0

    def add(self, batch: Sequence[Record], engine: InferenceEngine, models: frozenset[str]) -> None:
        """Predict recorded requests; records that are not requests are only counted."""
        decoded = [
            (record, request)
            for record in batch
            if (request := readable(record, self.max_request_bytes))
        ]
        self.requests += len(batch)
        self.unreadable += len(batch) - len(decoded)
        responses = engine.infer([request for _, request in decoded])
        for (record, request), found in zip(decoded, responses, strict=True):
            for response in found:
                if not isinstance(response, Rejection):
                    outputs = rows_of(response.outputs)
                    position = RequestPosition(record.partition, record.offset)
                    version = response.card.version
                    self.outputs[position] = VersionOutput(request.id, version, outputs)
                elif response.model in models:
                    self.refused[response.reason.code] += 1
                else:
                    self.other_model += 1

    def unmatched(self, served: Collection[RequestPosition]) -> dict[str, int]:
        """Count the requests that are not compared with a recorded prediction, by reason.

        The reasons are: they ask another model, they are no requests, the version refused them, or
        the baseline has no recorded prediction (as for a duplicate) by a version that is known to
        have the same task and the same classes.
        """
        return {
            "other_model": self.other_model,
            "unreadable": self.unreadable,
            "refused": self.refused.total(),
            "no_prediction": len(self.outputs.keys() - served),
        }


def readable(record: Record, max_bytes: int | None = None) -> Request | None:
    """Return the request in a record, or None if it is not one or is too large."""
    try:
        return decode_any(record, max_bytes)
    except DecodeError:
        return None


def rows_of(outputs: object) -> tuple[Mapping[str, Any], ...]:
    """Return outputs of any format row by row."""
    if isinstance(outputs, tuple):
        plain = [one.model_dump() if isinstance(one, BaseModel) else one for one in outputs]
        return tuple(output_rows(plain))
    return tuple(output_rows(outputs))
