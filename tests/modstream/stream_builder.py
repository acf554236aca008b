"""A builder of a stream's topics in memory, with the real codec, for tests that read them."""

from random import Random

from modstream.audit.reading import audited_topics
from modstream.audit.result import AuditResult, evaluate
from modstream.audit.stream_audit import StreamAudit
from modstream.broker.errors import NotJson
from modstream.broker.loop.in_memory import MemoryBroker
from modstream.broker.wire.codec import KIND_ERROR, KIND_PREDICTION, encode
from modstream.broker.wire.contracts import (
    Contract,
    ErrorResponse,
    Feedback,
    JoinedPrediction,
    Label,
    Prediction,
    Quarantined,
    Request,
    SourcePosition,
    Unjoined,
    UnjoinedReason,
)
from modstream.broker.wire.dead_letters import build_dead_letter
from modstream.broker.wire.model_contracts import DecisionEvidence, Metrics, ModelEvent
from modstream.broker.wire.records import ProducerRecord, Record
from modstream.broker.wire.topics import MS_PER_DAY, Header, Topics
from modstream.models.evaluation.version_classes import VersionClasses
from modstream.models.schema.card import ModelCard
from tests.processors.small_fixtures import make_card

NEW_YEAR = 1_356_998_400_000
"""2013-01-01, the event time of the first request."""
NOW = 1_795_000_000_000
"""The wall time of the first request."""
ROW = {"carrier": "UA", "origin": "EWR", "dest": "IAH", **{f"f{i}": i * 1.37 for i in range(13)}}


class StreamBuilder:
    """A stream whose records of client, worker, joiner and learner a test writes one by one."""

    def __init__(self) -> None:
        self.topics = Topics("flights")
        self.broker = MemoryBroker(partitions=2)
        self.route = ("online", "frozen")
        self.now = NOW
        self.learned = 0
        self.versions = 0
        self.cards = {model: make_card(model) for model in self.route}

    def ask(self, name: str, value: bytes | None = None, **fields) -> Record:
        self.now += 10
        request = Request(id=name, features=ROW, **{"event_time": NEW_YEAR, **fields})
        written = encode(request) if value is None else value
        return self.write(self.topics.requests, name, written)

    def answer(self, asked: Record, model: str, probability: float = 0.5, **fields) -> Prediction:
        answer = Prediction(
            id=fields.get("id", asked.key.decode()),
            model=model,
            version=fields.get("version", 1),
            outputs=fields.get("outputs", {"probability": probability}),
            features=fields.get("features", ROW) if model == self.route[0] else None,
            source=fields.get("source", self._source(asked)),
        )
        headers = (
            (Header.KIND, KIND_PREDICTION),
            (Header.MODEL, f"{model}/{answer.version}".encode()),
        )
        at = asked.timestamp + fields.get("after", 20)
        self.write(self.topics.predictions, asked.key.decode(), answer, headers, at)
        return answer

    def reject(self, asked: Record, model: str | None, code: str = "wrong_type") -> None:
        name = asked.key.decode()
        error = ErrorResponse(
            id=name, code=code, message="no", model=model, source=self._source(asked)
        )
        self.write(self.topics.predictions, name, error, ((Header.KIND, KIND_ERROR),))

    def dead_letter(self, asked: Record) -> None:
        letter = build_dead_letter(asked, self.topics.dlq, NotJson("oh"), "VALUE_CONVERTER")
        self.broker.append(letter)

    def label(self, name: str, *, label: bool = True, **fields) -> None:
        said = Label(id=name, label=label, **{"event_time": NEW_YEAR + 1, **fields})
        self.write(self.topics.labels, name, said)

    def join(self, name: str, *answers: Prediction, label: bool = True, **fields) -> Record:
        feedback = Feedback(
            id=name,
            label=label,
            row=fields.get("row"),
            features=fields.get("features", ROW),
            predictions=tuple(
                JoinedPrediction(model=a.model, version=a.version, outputs=a.outputs)
                for a in answers
            ),
            event_time=NEW_YEAR,
            label_time=NEW_YEAR + 1,
        )
        return self.write(self.topics.feedback, name, feedback)

    def set_aside(self, name: str, reason: UnjoinedReason) -> None:
        self.write(self.topics.unjoined, name, Unjoined(id=name, reason=reason))

    def quarantine(self, feedback: Record, model: str = "online") -> None:
        name, source = feedback.key.decode(), self._source(feedback)
        row = Quarantined(id=name, model=model, rule="out_of_range", detail="", source=source)
        self.write(self.topics.quarantine, name, row)

    def flight(
        self, name: str, probability: float = 0.5, *, label: bool = True, **fields
    ) -> Record:
        """Write a request with two predictions, a label and a feedback record."""
        asked = self.ask(name, event_time=fields.get("event_time", NEW_YEAR))
        version, after = fields.get("version", 1), fields.get("after", 20)
        given = {"version": version, "after": after, "features": fields.get("features", ROW)}
        answers = [
            self.answer(asked, "online", probability, **given),
            self.answer(asked, "frozen", fields.get("frozen", 0.5), after=after + 2),
        ]
        self.label(name, label=label)
        return self.join(name, *answers, label=label)

    def publish(self, **fields) -> ModelEvent:
        """Write the event of a version that has learned all feedback so far."""
        ends = {str(home): len(log) for home, log in self._logs(self.topics.feedback)}
        before = self.event.offsets if self.versions else {}
        self.versions += 1
        facts = {
            "version": self.versions,
            "parent": self.versions - 1 or None,
            "rows_learned": sum(ends.values()),
            "first_offsets": before,
            "offsets": ends,
        }
        event = ModelEvent(model="online", action="publish", at=self.now, **(facts | fields))
        self.event = event
        self.write(self.topics.model_events, f"online/{self.versions}", event)
        return event

    def decide(self, action: str = "promote", **fields) -> ModelEvent:
        """Write the decision of a promotion gate about the newest version."""
        weighed = DecisionEvidence(
            candidate="last-good" if action == "rollback" else "quick",
            champion="steady",
            window=4000,
            count=3500,
            champion_loss=0.21,
            candidate_loss=0.2,
            bound=0.004,
            alpha=0.01,
            error_before=0.25 if action == "rollback" else None,
            error_after=0.7 if action == "rollback" else None,
        )
        facts = {"version": self.versions, "alias": "champion", "event_time": NEW_YEAR}
        event = ModelEvent(
            model="online", action=action, at=self.now, reason="it lost less", decision=weighed,
            **(facts | fields),
        )  # fmt: skip
        key = f"online@champion/{event.version}/{event.event_time}"
        self.write(self.topics.model_events, key, event)
        return event

    def asked(self, name: str) -> Record:
        """Return the request with this id."""
        found = self.broker.read(self.topics.requests)
        return next(record for record in found if record.key == name.encode())

    def repeat(self, record: Record) -> None:
        """Write a record again."""
        self.write(record.topic, record.key.decode(), record.value, record.headers)

    def lag(self, at: int, **waiting: float) -> None:
        self.write(self.topics.metrics, "lag", Metrics(kind="lag", event_time=at, values=waiting))

    def season(self, flights: int, days: int, swaps: int, seed: int = 2013) -> None:
        """Write a stream with concept drift that only one model follows, with some bad records."""
        rng, version = Random(seed), 1
        for number in range(flights):
            drift, risk = number / flights, rng.gauss(0, 1)
            late = rng.random() < 1 / (1 + 2.718 ** (1.4 - 1.5 * risk - rng.gauss(0, 0.5)))
            guess = 1 / (1 + 2.718 ** (1.4 - 1.2 * risk))
            stale = 1 / (1 + 2.718 ** (1.4 - risk * (1.2 - drift) - rng.gauss(0, drift)))
            after = int(rng.lognormvariate(3.2, 0.5)) + (400 if rng.random() < 0.004 else 0)
            at = NEW_YEAR + int(drift * days * MS_PER_DAY)
            row = ROW | {"carrier": ("UA", "B6", "DL")[number % 3], "f0": float(number % 41)}
            fields = {"frozen": stale, "event_time": at, "version": version, "after": after}
            fields["features"] = row
            self.flight(f"flight-{number}", guess, label=late, **fields)
            if number % (flights // swaps) == flights // swaps - 1:
                version = self.publish().version
            if number % 100 == 50:
                self.lag(self.now, worker=rng.randrange(40), joiner=rng.randrange(200), learner=9)
                self.dead_letter(self.ask(f"bad-{number}", b'{"id'))
                self.reject(self.ask(f"odd-{number}", model="ghost"), "ghost", "unknown_model")

    def write(
        self, topic: str, key: str, message: Contract | bytes, headers=(), at: int | None = None
    ) -> Record:
        value = message if isinstance(message, bytes) else encode(message)
        return self.broker.append(
            ProducerRecord(topic, key.encode(), value, headers, at or self.now)
        )

    @property
    def records(self) -> list[Record]:
        return [
            record for topic in audited_topics(self.topics) for record in self.broker.read(topic)
        ]

    def audit(self, dedup_window: int = 0) -> StreamAudit:
        audit = StreamAudit(self.topics, self.route, dedup_window, VersionClasses(self.find_card))
        for record in self.records:
            audit.add(record)
        return audit

    def find_card(self, model: str, version: int) -> ModelCard | None:
        """Return the card of a version; all versions of a model have the same one."""
        card = self.cards.get(model)
        return None if card is None else card.model_copy(update={"version": version})

    def audit_result(self) -> AuditResult:
        return evaluate(self.audit())

    def _logs(self, topic: str):
        return [(home, self.broker.logs.get(home, [])) for home in self.broker.partitions_of(topic)]

    def _source(self, record: Record) -> SourcePosition:
        return SourcePosition(topic=record.topic, partition=record.partition, offset=record.offset)
