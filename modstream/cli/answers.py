"""The answers of `modstream predict`: for people, and as JSON."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from modstream.broker.wire.contracts import ErrorResponse, Prediction
from modstream.cli.output import printable
from modstream.cli.output_text import (
    format_value,
    headline,
    named_lines,
    output_fields,
    to_json,
)
from modstream.producers.client.pending_requests import RecordMetadata, ResponseArrival
from modstream.producers.client.request_window import Answer

SHOW_MODEL = "`modstream models show {model}` lists the features that it takes"
ADVICE: Mapping[str, str] = {
    "unknown_model": "`modstream models list` shows the models, versions and aliases",
    "model_unavailable": "`modstream health` names the models that a worker could not load",
    "model_loading": "ask again in a moment, or wait longer with --timeout",
    "missing_feature": SHOW_MODEL,
    "wrong_type": SHOW_MODEL,
    "not_finite": SHOW_MODEL,
    "out_of_range": SHOW_MODEL,
    "wrong_shape": SHOW_MODEL,
    "tensors_expected": "give each tensor as NAME=JSON, such as x=[[1,2]]",
    "no_output": "check the values, or ask another version with --version",
    "step_failed": "`modstream pipelines show {model}` shows the steps and what each takes",
    "answer_too_large": "send fewer rows in one request",
}
"""What to do about a refusal, by its code."""

Aliases = Mapping[tuple[str, int], Sequence[str]]
"""The aliases that point at a version, by model and version."""


class Explanation(NamedTuple):
    """What the worker did with a row. `ref` is the version or alias that the request asked for."""

    answer: Answer
    aliases: Aliases

    @property
    def arrival(self) -> ResponseArrival:
        """Where and when the response arrived."""
        pending, model = self.answer.pending, self.answer.response.model or ""
        return pending.arrivals[model]


def latency_seconds(answer: Answer) -> float:
    """Return the time from the sending of a request to the arrival of its response."""
    arrival = answer.pending.arrivals[answer.response.model or ""]
    return arrival.received_at - answer.pending.sent_at


def format_ms(seconds: float) -> str:
    """Return a time in milliseconds, or in seconds from 10 s on."""
    if seconds >= 10:
        return f"{seconds:.1f} s"
    ms = seconds * 1000
    return f"{ms:.0f} ms" if ms >= 10 else f"{ms:.1f} ms"


def describe_version(response: Prediction, aliases: Aliases) -> str:
    """Return model, version and the version's aliases."""
    names = ", ".join(aliases.get((response.model, response.version), ()))
    suffix = f" ({names})" if names else ""
    return f"{response.model} version {response.version}{suffix}"


def describe_refusal(response: ErrorResponse) -> str:
    """Return why a request was refused, and what to do, in one sentence."""
    advice = ADVICE.get(response.code, "").format(model=response.model or "NAME")
    return f"{printable(response.message)} ({response.code}){f': {advice}' if advice else ''}"


def prediction_lines(
    answer: Answer, response: Prediction, aliases: Aliases, meanings: Mapping[str, str], width: int
) -> Iterator[str]:
    """Yield the lines about a single row; `meanings` says what an output means, by its name."""
    fields = [
        (name, f"{text}, {meanings[name]}" if name in meanings else text)
        for name, text in output_fields(response.outputs)
    ]
    yield from named_lines(fields, width)
    version = describe_version(response, aliases)
    yield f"{version}, in {format_ms(latency_seconds(answer))}, id {printable(response.id)}"


def short_line(answer: Answer) -> str:
    """Return the line about one of many rows: id, model and version, and outputs or refusal."""
    response = answer.response
    if isinstance(response, ErrorResponse):
        reason = f"{printable(response.message)} ({response.code})"
        return f"{printable(response.id)}  refused: {reason}"
    version = f"{response.model}/{response.version}"
    return f"{printable(response.id)}  {version}  {headline(response.outputs)}"


def explanation_lines(explanation: Explanation, width: int) -> Iterator[str]:
    """Yield what the worker did with a row, by the names of the facts, and indented."""
    answer, pending = explanation.answer, explanation.answer.pending
    arrival = explanation.arrival
    facts = [
        ("features", _features(answer)),
        ("asked for", _asked_for(answer)),
        *(("answered", text) for text in _answered(explanation)),
        *(("step", text) for text in _steps(answer)),
        ("request", _position(pending.record, pending.key)),
        ("response", _position(arrival.record, None)),
        ("latency", _latency(answer, arrival)),
    ]
    yield from named_lines([(f"  {name}", text) for name, text in facts], width)


def answer_document(answer: Answer, aliases: Aliases) -> dict[str, Any]:
    """Return an answer as a JSON document."""
    response = answer.response
    document: dict[str, Any] = {"id": response.id, "model": response.model}
    if isinstance(response, ErrorResponse):
        document["error"] = {"code": response.code, "message": response.message}
    else:
        document["version"] = response.version
        document["aliases"] = list(aliases.get((response.model, response.version), ()))
        document["outputs"] = to_json(response.outputs)
    document["latency_ms"] = round(latency_seconds(answer) * 1000, 3)
    return document


def explanation_document(explanation: Explanation) -> dict[str, Any]:
    """Return what the worker did with a row as a JSON document."""
    answer, pending = explanation.answer, explanation.answer.pending
    arrival = explanation.arrival
    return {
        "asked_for": {"model": answer.request.model, "version": answer.request.version},
        "features": _recorded_features(answer),
        "responses": [
            {"model": model or None}
            | (
                {"error": one.code}
                if isinstance(one, ErrorResponse)
                else {
                    "version": one.version,
                    "aliases": list(explanation.aliases.get((one.model, one.version), ())),
                }
            )
            for model, one in pending.responses.items()
        ],
        "key": pending.key,
        "request": None if pending.record is None else pending.record._asdict(),
        "response": arrival.record._asdict(),
        "latency_ms": dict(_latency_parts(answer, arrival)),
    }


def _recorded_features(answer: Answer) -> Any:  # noqa: ANN401 - a value of JSON
    """Return the features that a response to the request recorded, or None."""
    responses = answer.pending.responses.values()
    found = (one.features for one in responses if isinstance(one, Prediction))
    return next((features for features in found if features is not None), None)


def _features(answer: Answer) -> str:
    features = _recorded_features(answer)
    if isinstance(features, Mapping):
        return ", ".join(f"{printable(n)}: {format_value(v)}" for n, v in features.items())
    response = answer.response
    if isinstance(response, ErrorResponse):
        return "none: the request was refused before a model saw it"
    return response.features_omitted or "not recorded (setting record_features)"


def _asked_for(answer: Answer) -> str:
    request = answer.request
    model = request.model or "the models of the route"
    kind = "version" if str(request.version).isdecimal() else "alias"
    return f"{model}, {kind} {request.version}"


def _answered(explanation: Explanation) -> Iterator[str]:
    for model, one in explanation.answer.pending.responses.items():
        if isinstance(one, ErrorResponse):
            yield f"{model or 'every model'}: {one.code}"
        else:
            yield describe_version(one, explanation.aliases)


def _steps(answer: Answer) -> Iterator[str]:
    """Yield what each step of a pipeline did."""
    if isinstance(answer.response, Prediction):
        for step in answer.response.steps or ():
            model = "" if step.model is None else f", {step.model}/{step.version}"
            reason = "" if step.reason is None else f" ({printable(step.reason)})"
            yield f"{step.name}: {step.outcome}{reason}{model}, {step.milliseconds:.2f} ms"


def _position(record: RecordMetadata | None, key: str | None) -> str:
    if record is None:
        return "not acknowledged by the broker yet"
    at = datetime.fromtimestamp(record.timestamp / 1000, UTC)
    position = f"{record.topic}:{record.partition}:{record.offset}"
    suffix = "" if key is None else f", key {printable(key)}"
    return f"{position} at {at:%H:%M:%S}.{record.timestamp % 1000:03d}{suffix}"


def _latency_parts(answer: Answer, arrival: ResponseArrival) -> Iterator[tuple[str, float]]:
    """Yield the latency in ms, and its parts: before and after the response was written."""
    sent, received = answer.pending.sent_at * 1000, arrival.received_at * 1000
    yield "total", round(received - sent, 3)
    yield "response_written", round(arrival.record.timestamp - sent, 3)
    yield "response_received", round(received - arrival.record.timestamp, 3)


def _latency(answer: Answer, arrival: ResponseArrival) -> str:
    parts = dict(_latency_parts(answer, arrival))
    written, received = parts["response_written"], parts["response_received"]
    if min(written, received) < 0:
        return f"{parts['total']:.1f} ms; its parts are unknown, as the broker's clock differs"
    return f"{parts['total']:.1f} ms: written after {written:.1f} ms, read {received:.1f} ms later"
