"""The audit of a hostile corpus: the exits of every request, and the answers of valid ones."""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from rich.table import Table

from modstream.broker.client.connection import Connection
from modstream.broker.client.reader import read_to_end
from modstream.broker.wire.dead_letters import read_cause
from modstream.broker.wire.records import Record
from modstream.broker.wire.topics import Topics
from tests.hostile.corpus import HostileRecord

Place = tuple[str, int, int]
"""Topic, partition and offset of a record."""
TOLERANCE = 1e-6


class RequestExit(NamedTuple):
    """One exit of a request: its kind, its error code, and the response's document."""

    kind: str
    code: str
    document: Any


MAX_OUTPUTS = 1_000
"""Larger outputs are not kept: only those of valid requests are compared."""


@dataclass
class CorpusAudit:
    """What became of the requests of a corpus, by kind of record.

    Attributes:
        counts: how often a kind of record had an exit, "sent" counts the records.
        codes: how often each error code occurred.
        faults: descriptions of what must not happen, by kind of fault.
    """

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    faults: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def table(self) -> Table:
        """Return the closing table."""
        columns = ("sent", "prediction", "error", "dead letter", "repeated id")
        table = Table("kind of record", *columns, title="hostile corpus")
        for kind in sorted({kind for kind, _ in self.counts}):
            table.add_row(kind, *(f"{self.counts[kind, column]:,}" for column in columns))
        totals = (sum(n for (_, what), n in self.counts.items() if what == c) for c in columns)
        table.add_section()
        table.add_row("all", *(f"{total:,}" for total in totals))
        return table


def parse_places(text: str) -> dict[int, Place]:
    """Parse the sender's output: the place of each record by its number."""
    rows = (line.split() for line in text.splitlines())
    return {int(n): (topic, int(partition), int(offset)) for n, topic, partition, offset in rows}


def read_exits(connection: Connection, topics: Topics) -> dict[Place, list[RequestExit]]:
    """Read the exits of all requests of a stream, by the place of the request."""
    exits: defaultdict[Place, list[RequestExit]] = defaultdict(list)
    for record in read_to_end(connection, [topics.predictions]):
        document = json.loads(record.value or b"")
        source = document["source"]
        kind = "error" if "code" in document else "prediction"
        place = source["topic"], source["partition"], source["offset"]
        if len(record.value or b"") > MAX_OUTPUTS:
            document = {name: document[name] for name in ("id", "code") if name in document}
        exits[place].append(RequestExit(kind, document.get("code", ""), document))
    for record in read_to_end(connection, [topics.dlq]):
        cause = read_cause(record)
        place = cause["topic"], int(cause["partition"]), int(cause["offset"])
        exits[place].append(RequestExit("dead letter", cause["class.name"], cause))
    return exits


def count_label_exits(connection: Connection, topics: Topics) -> Counter[str]:
    """Count what joiner and learner wrote about labels and feedback, by topic and reason."""
    counts: Counter[str] = Counter()
    for record in read_to_end(connection, [topics.unjoined]):
        counts[f"unjoined: {json.loads(record.value or b'')['reason']}"] += 1
    for record in read_to_end(connection, [topics.quarantine]):
        counts[f"quarantine: {json.loads(record.value or b'')['rule']}"] += 1
    for record in read_to_end(connection, [topics.dlq]):
        cause = read_cause(record)
        if cause["topic"] != topics.requests:
            counts[f"dead letter: {cause['class.name']}"] += 1
    return counts


def audit_requests(
    records: Iterable[tuple[Place, HostileRecord]],
    exits: Mapping[Place, list[RequestExit]],
    expected: Callable[[tuple[float, ...]], float],
) -> CorpusAudit:
    """Audit the requests of a corpus.

    Args:
        records: the requests that were sent, and where they were written.
        exits: their exits, by the place of the request.
        expected: the library's own prediction for a row.
    """
    audit = CorpusAudit()
    answered_ids = {found.document.get("id") for all_of in exits.values() for found in all_of}
    for place, record in records:
        audit.counts[record.kind, "sent"] += 1
        found = exits.get(place, [])
        for one in found:
            audit.counts[record.kind, one.kind] += 1
            audit.codes[one.code] += bool(one.code)
            if one.code == "internal_error":
                audit.faults["internal error"].append(f"{record.kind}: {one.document}")
        if not found and read_id(record) in answered_ids:
            audit.counts[record.kind, "repeated id"] += 1
        elif len(found) != 1:
            audit.faults[f"{len(found)} exits"].append(f"{record.kind}: {record.value!r:.300}")
        elif record.row is not None:
            check_prediction(audit, record, found[0], expected(record.row))
    return audit


def check_prediction(
    audit: CorpusAudit, record: HostileRecord, found: RequestExit, expected: float
) -> None:
    """Note a fault if a valid request has another answer than the library's."""
    outputs = found.document.get("outputs")
    answer = None
    if isinstance(outputs, dict):
        answer = outputs.get("probability")
    elif isinstance(outputs, list):
        answer = next(one["data"][0] for one in outputs if one["name"] == "probability")
    if answer is None or abs(answer - expected) > TOLERANCE:
        audit.faults["wrong answer"].append(f"{record.row}: {expected}, not {found.document}")


def read_id(record: HostileRecord) -> str:
    """Return the id of a request whose document can be read, else an empty text."""
    try:
        # An integer of any number of digits is one value more that the id does not depend on.
        text = (record.value or b"").decode(errors="replace")
        document = json.JSONDecoder(parse_int=str).raw_decode(text)[0]
    except (ValueError, RecursionError):
        return ""
    found = document.get("id") if isinstance(document, dict) else None
    return found if isinstance(found, str) else ""


def read_ids(records: Iterable[Record]) -> Counter[str]:
    """Count the ids of readable records."""
    ids: Counter[str] = Counter()
    for record in records:
        try:
            document = json.loads(record.value or b"")
        except (ValueError, RecursionError):
            continue
        if isinstance(document, dict) and isinstance(document.get("id"), str):
            ids[document["id"]] += 1
    return ids
