"""The story of a request as facts in the order of their times. Pure.

The values of the request stand apart from the other facts, and only if they are asked for: its
features, outputs and labels, and what would tell of them, such as losses and the texts of errors.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from modstream.dashboard.snapshots import Scalar, TraceFact
from modstream.dashboard.texts import cut
from modstream.operations.trace.facts import (
    DeadLetterEntry,
    FeedbackEntry,
    LabelEntry,
    RequestEntry,
    RequestStory,
    ResponseEntry,
    UnjoinedEntry,
    VersionMarkerEntry,
)

MAX_FACTS = 200
"""Number of facts that are shown; the number of the others is stated."""
MAX_VALUE = 4000
"""Number of characters of a value that are shown."""
MAX_TEXT = 300
"""Number of characters of a text among the details that are shown."""


def trace_facts(story: RequestStory, *, with_values: bool) -> list[TraceFact]:
    """Return all facts of a story, oldest first; those without a time come last."""
    facts = [
        *(_request(one) for one in story.requests),
        *(_response(one) for one in story.responses),
        *(_dead_letter(one) for one in story.dead_letters),
        *(_label(one) for one in story.labels),
        *(fact for one in story.feedback for fact in _feedback(one)),
        *(_unjoined(one) for one in story.unjoined),
        *(_version_marker(one) for one in story.version_markers),
    ]
    if not with_values:
        facts = [_without_values(fact) for fact in facts]
    return sorted(facts, key=lambda fact: (fact.at is None, fact.at or 0))


def _request(entry: RequestEntry) -> TraceFact:
    model = "each model of the route" if entry.model is None else cut(entry.model)
    if entry.decode_error is not None:
        sentence = "The request arrived, and violates its contract."
    elif entry.redrive_of is not None:
        sentence = f"The request was sent again, for {model}."
    else:
        sentence = f"The request arrived, for {model}."
    details = {
        "key": entry.key,
        "attempts": entry.attempts,
        "redrive_of": entry.redrive_of,
        "ref": entry.ref,
        "event_time": entry.event_time,
        "decode_error": entry.decode_error,
    }
    values = {} if entry.features is None else {"features": _to_json(entry.features)}
    return _fact(entry.timestamp, "request", sentence, entry.position, details, values)


def _response(entry: ResponseEntry) -> TraceFact:
    details: dict[str, Scalar] = {"model": entry.model, "source": entry.source, "ref": entry.ref}
    if entry.error is not None:
        sentence = f"The request was refused: {cut(entry.error)}."
        details["code"] = entry.error
        said = {} if not entry.message else {"message": cut(entry.message, MAX_TEXT)}
        return _fact(entry.timestamp, "refusal", sentence, entry.position, details, said)
    sentence = f"{cut(entry.model or '?')} version {entry.version} answered."
    details |= {
        "version": entry.version,
        "sha256": entry.sha256,
        "parent": entry.parent,
        "version_marker": entry.version_marker,
    }
    values = {"outputs": _to_json(entry.outputs)}
    return _fact(entry.timestamp, "prediction", sentence, entry.position, details, values)


def _dead_letter(entry: DeadLetterEntry) -> TraceFact:
    cause = cut(entry.cause.get("class.name", "unknown"))
    sentence = f"The request became a dead letter: {cause}."
    details: dict[str, Scalar] = {
        "attempts": entry.attempts,
        **dict(list(entry.cause.items())[:20]),
    }
    return _fact(entry.timestamp, "dead_letter", sentence, entry.position, details, {})


def _label(entry: LabelEntry) -> TraceFact:
    sentence = "A label arrived." if not entry.revision else "A corrected label arrived."
    details: dict[str, Scalar] = {
        "row": entry.row,
        "revision": entry.revision,
        "event_time": entry.event_time,
    }
    values = {"label": _to_json(entry.label)}
    return _fact(entry.timestamp, "label", sentence, entry.position, details, values)


def _feedback(entry: FeedbackEntry) -> Iterator[TraceFact]:
    """Return that a label was joined with its predictions, and what each learner did with it."""
    losses = {
        f"{score.model} v{score.version} {metric}": loss
        for score in entry.scores
        for metric, loss in score.losses.items()
    }
    values = {"label": _to_json(entry.label), "losses": _to_json(losses)}
    details: dict[str, Scalar] = {"row": entry.row}
    count = len(entry.scores)
    sentence = f"The label was joined with {count} prediction{'' if count == 1 else 's'}."
    yield _fact(entry.timestamp, "feedback", sentence, entry.position, details, values)
    for one in entry.learning:
        version = "" if one.version is None else f" by version {one.version}"
        sentence = f"{cut(one.model)}: {one.outcome}{version}."
        reason = {"detail": cut(one.detail, MAX_TEXT)} if one.detail else {}
        yield _fact(entry.timestamp, "learning", sentence, entry.position, details, reason)


def _unjoined(entry: UnjoinedEntry) -> TraceFact:
    sentence = f"Not joined: {cut(entry.reason)}."
    values = {} if entry.label is None else {"label": _to_json(entry.label)}
    details: dict[str, Scalar] = {"row": entry.row, "reason": entry.reason}
    return _fact(entry.timestamp, "unjoined", sentence, entry.position, details, values)


def _version_marker(entry: VersionMarkerEntry) -> TraceFact:
    sentence = f"{cut(entry.model)} version {entry.version} answered requests for {entry.ref} here."
    details: dict[str, Scalar] = {"sha256": entry.sha256, "parent": entry.parent}
    return _fact(None, "version_marker", sentence, entry.source, details, {})


def _fact(
    at: int | None,
    kind: Any,  # noqa: ANN401 - one of the kinds
    sentence: str,
    position: str,
    details: Mapping[str, Scalar],
    values: Mapping[str, str],
) -> TraceFact:
    shown = {
        cut(name): cut(value, MAX_TEXT) if isinstance(value, str) else value
        for name, value in details.items()
        if value is not None
    }
    return TraceFact(at, kind, sentence, position, shown, values)


def _without_values(fact: TraceFact) -> TraceFact:
    return TraceFact(fact.at, fact.kind, fact.sentence, fact.position, fact.details)


def _to_json(value: Any) -> str:  # noqa: ANN401 - rows, tensors, labels
    """Return a value as JSON, cut; what JSON does not have, such as bytes, as its text."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= MAX_VALUE else f"{text[:MAX_VALUE]}…"
