"""What is wrong with a stream, in sentences, with the command that helps. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from modstream.dashboard.snapshots import (
    DeadLetterCause,
    HealthView,
    History,
    Problem,
    ReasonCount,
    ServiceView,
    Severity,
    StreamTotals,
)

RECENT_SECONDS = 600
"""The time in which refusals, dead letters and the rate of requests are judged."""
MAX_REFUSED = 0.01
"""Share of refusals among responses above which there is a problem."""
LAG_SECONDS = 10.0
"""Seconds of requests that may wait before the lag is a problem."""
MIN_LAG = 100
"""Up to this lag there is no problem."""


@dataclass(frozen=True, slots=True)
class Symptoms:
    """What problems are looked for in; the counts are those of the last `RECENT_SECONDS`."""

    stream: str
    recent: StreamTotals
    recent_from: int
    services: Sequence[ServiceView]
    health: Sequence[HealthView]
    dead_letters: Sequence[DeadLetterCause]
    quarantine: Sequence[ReasonCount]
    route_without_champion: Sequence[str]
    history: History
    errors: Mapping[str, str]
    """Why a server cannot be asked or topics cannot be read, by what."""


def find_problems(symptoms: Symptoms) -> tuple[Problem, ...]:
    """Return all problems, errors before warnings."""
    found = [
        *_unavailable(symptoms),
        *_unhealthy(symptoms),
        *_services(symptoms),
        *_models(symptoms),
        *_dead_letters(symptoms),
        *_refusals(symptoms),
        *_quarantine(symptoms),
        *_left_out(symptoms),
        *_unreadable(symptoms),
    ]
    return tuple(sorted(found, key=lambda one: one.severity != "error"))


def _unavailable(symptoms: Symptoms) -> Iterator[Problem]:
    words = {
        "kafka": ("Kafka does not answer", "modstream doctor"),
        "topics": ("The stream has not all topics", f"modstream topics create {symptoms.stream}"),
        "registry": ("The model registry does not answer", "modstream doctor"),
        "health": ("The health reports cannot be read", "modstream health"),
        "dashboard": (
            "A thread of the dashboard has failed; start it again",
            "modstream dashboard",
        ),
    }
    for name, error in symptoms.errors.items():
        sentence, remedy = words[name]
        yield Problem("error", f"server/{name}", f"{sentence}: {error}", remedy)


def _unhealthy(symptoms: Symptoms) -> Iterator[Problem]:
    for report in symptoms.health:
        if not report.is_healthy:
            sentence = f"{report.name} is unhealthy: {report.reason}."
            yield Problem("error", f"health/{report.name}", sentence, "modstream health")


def _services(symptoms: Symptoms) -> Iterator[Problem]:
    stream, rate = symptoms.stream, symptoms.recent.requests / RECENT_SECONDS
    by_name = {one.service: one for one in symptoms.services}
    if "worker" not in by_name and symptoms.recent.requests and not symptoms.errors:
        sentence = f"No worker has read {stream}, and requests arrive."
        yield Problem("error", "service/worker", sentence, f"modstream worker {stream}")
    for one in symptoms.services:
        if not one.is_running:
            severity: Severity = "error" if one.service == "worker" or one.lag else "warning"
            sentence = f"No {one.service} runs; {one.lag:,} records wait for it."
            remedy = f"modstream {one.service} {stream}"
            yield Problem(severity, f"service/{one.service}", sentence, remedy)
        elif one.lag > max(MIN_LAG, LAG_SECONDS * rate):
            sentence = f"The {one.service} is behind: {one.lag:,} records wait for it."
            remedy = f"modstream topics lag {stream}"
            yield Problem("warning", f"lag/{one.service}", sentence, remedy)


def _models(symptoms: Symptoms) -> Iterator[Problem]:
    for model in symptoms.route_without_champion:
        sentence = f"{model} is in the route and has no champion: its requests are refused."
        remedy = f"modstream models publish {model} FILE"
        yield Problem("error", f"model/{model}", sentence, remedy)


def _dead_letters(symptoms: Symptoms) -> Iterator[Problem]:
    if symptoms.recent.dead_letters:
        newest = max(symptoms.dead_letters, key=lambda one: one.last_at, default=None)
        cause = "" if newest is None else f", the newest by {newest.cause}"
        count = symptoms.recent.dead_letters
        requests = "request of the last 10 minutes has become a dead letter"
        if count > 1:
            requests = "requests of the last 10 minutes have become dead letters"
        sentence = f"{count:,} {requests}{cause}."
        yield Problem("error", "dead_letters", sentence, f"modstream dlq list {symptoms.stream}")


def _refusals(symptoms: Symptoms) -> Iterator[Problem]:
    recent = symptoms.recent
    responses = recent.answers + recent.refusals
    if recent.refusals > MAX_REFUSED * responses:
        share = recent.refusals / responses
        sentence = f"{share:.1%} of the responses of the last 10 minutes are refusals."
        remedy = f"modstream consume {symptoms.stream} --topic predictions --from 10m"
        yield Problem("warning", "refusals", sentence, remedy)


def _quarantine(symptoms: Symptoms) -> Iterator[Problem]:
    recent = [one for one in symptoms.quarantine if one.last_at >= symptoms.recent_from]
    if recent:
        newest = max(recent, key=lambda one: one.last_at)
        sentence = f"The guard rejects rows, the newest by the rule {newest.reason}."
        remedy = f"modstream quarantine list {symptoms.stream}"
        yield Problem("warning", "quarantine", sentence, remedy)


def _left_out(symptoms: Symptoms) -> Iterator[Problem]:
    count = symptoms.history.left_out
    if count:
        sentence = (
            f"{count:,} records are not shown: their timestamps are more than six hours away."
        )
        remedy = f"modstream consume {symptoms.stream} --topic requests"
        yield Problem("warning", "timestamps", sentence, remedy)


def _unreadable(symptoms: Symptoms) -> Iterator[Problem]:
    count = symptoms.history.unreadable
    if count:
        sentence = f"{count:,} records of metrics or model events are unreadable and not shown."
        remedy = f"modstream consume {symptoms.stream} --topic metrics --from 6h"
        yield Problem("warning", "unreadable", sentence, remedy)
