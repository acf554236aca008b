"""The story of one request as an account: who asked, who answered, what was true. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from modstream.broker.errors import DecodeError
from modstream.broker.wire.contracts import (
    ErrorAnswer,
    Fence,
    Metrics,
    ModelEvent,
    Prediction,
    Request,
    Source,
)
from modstream.broker.wire.dead_letters import attempts_of, cause_of
from modstream.broker.wire.records import Record
from modstream.broker.wire.topics import Header
from modstream.operations.trace.collector import Seen, Trail
from modstream.operations.trace.effect import lessons, scores
from modstream.operations.trace.facts import (
    Account,
    Answered,
    Asked,
    Buried,
    Joined,
    Served,
    SetAside,
    Truth,
)


@dataclass(frozen=True, slots=True)
class Context:
    """What else an account needs, each in the order of its topic."""

    events: Sequence[ModelEvent] = ()
    fences: Sequence[Fence] = ()
    series: Sequence[Metrics] = ()


def account_of(trail: Trail, context: Context) -> Account:
    """Tell the story of a trail."""
    return Account(
        id=trail.id,
        fate=fate(trail),
        requests=tuple(_asked(seen) for seen in trail.requests),
        answers=tuple(_answers(trail, context)),
        dead_letters=tuple(
            Buried(record.place, record.timestamp, attempts_of(record), cause_of(record))
            for record in trail.letters
        ),
        labels=tuple(
            Truth(record.place, record.timestamp, said.label, said.revision, said.event_time)
            for record, said in trail.labels
        ),
        joined=_joined(trail, context),
        set_aside=tuple(
            SetAside(record.place, record.timestamp, said.reason.value, said.label)
            for record, said in trail.unjoined
        ),
    )


def fate(trail: Trail) -> str:
    """What became of the label, in a few words."""
    if trail.joins:
        return "joined"
    if trail.unjoined:
        return f"not joined: {trail.unjoined[-1].message.reason.value}"
    return "the label waits for the joiner" if trail.labels else "no label yet"


def served(fences: Iterable[Fence], source: Source) -> tuple[Served, ...]:
    """Who answered at a place, by model and reference: the last fence at or before each."""
    last: dict[tuple[str, int | str], Fence] = {}
    home = source.topic, source.partition
    before = [
        fence
        for fence in fences
        if (fence.source.topic, fence.source.partition) == home
        and fence.source.offset <= source.offset
    ]
    for fence in sorted(before, key=lambda fence: fence.source.offset):
        last[fence.model, fence.ref] = fence
    return tuple(map(told, last.values()))


def told(fence: Fence) -> Served:
    """A fence in the words of an account."""
    return Served(
        source=place(fence.source),
        model=fence.model,
        asked_as=fence.ref,
        version=fence.version,
        sha256=fence.sha256,
        parent=fence.parent,
    )


def place(source: Source) -> str:
    """Where a record lies, as `topic:partition:offset`."""
    return f"{source.topic}:{source.partition}:{source.offset}"


def _asked(seen: Seen[Request | DecodeError]) -> Asked:
    record, said = seen
    asked = Asked(
        place=record.place,
        at=record.timestamp,
        key=None if record.key is None else record.key.decode(errors="replace"),
        attempts=attempts_of(record),
        redrive_of=_text(record, Header.REDRIVE_OF),
    )
    if isinstance(said, DecodeError):
        return replace(asked, fault=str(said))
    return replace(
        asked,
        model=said.model,
        asked_as=said.version,
        event_time=said.event_time,
        features=said.features or _plain(said.inputs),
    )


def _answers(trail: Trail, context: Context) -> Iterator[Answered]:
    """Each answer, with the artifact behind it as its fence tells, or else the version's event."""
    refs = {
        record.place: said.version for record, said in trail.requests if isinstance(said, Request)
    }
    published = {
        (event.model, event.version): event for event in context.events if event.action == "publish"
    }
    for record, said in trail.answers:
        source = place(said.source)
        answer = Answered(record.place, record.timestamp, source, said.model, refs.get(source))
        if isinstance(said, ErrorAnswer):
            yield replace(answer, error=said.code, message=said.message)
            continue
        fence = _fence(context, said, refs.get(source))
        origin = fence or published.get((said.model, said.version))
        yield replace(
            answer,
            version=said.version,
            outputs=_plain(said.outputs),
            sha256=origin.sha256 if origin else None,
            parent=origin.parent if origin else None,
            fence=fence.source if fence else None,
        )


def _fence(context: Context, said: Prediction, ref: int | str | None) -> Served | None:
    """The fence that an answer lies behind; one of another version explains nothing."""
    meant = said.model, ref, said.version
    here = served(context.fences, said.source)
    return next((one for one in here if (one.model, one.asked_as, one.version) == meant), None)


def _joined(trail: Trail, context: Context) -> tuple[Joined, ...]:
    found, taught = [], False
    for join in sorted(trail.joins, key=lambda join: join.record.offset):
        record, said = join
        found.append(
            Joined(
                place=record.place,
                at=record.timestamp,
                label=said.label,
                scores=scores(join, context.series),
                lessons=lessons(join, context.events, trail.refused, again=taught),
            )
        )
        taught = taught or said.features is not None
    return tuple(found)


def _plain(outputs: Any) -> Any:  # noqa: ANN401 - rows, tensors or nothing
    """Outputs or inputs without classes of ours."""
    if isinstance(outputs, tuple):
        return [_plain(one) for one in outputs]
    return outputs.model_dump() if hasattr(outputs, "model_dump") else outputs


def _text(record: Record, header: str) -> str | None:
    value = record.header(header)
    return None if value is None else value.decode(errors="replace")
