"""Whatever stands in the topics, an audit and its report end, within bounds of memory."""

import io
import json
import tracemalloc

import pytest
from rich.console import Console

from modstream.audit.names import MAX_LEARNERS, MAX_MODELS, OTHERS
from modstream.audit.reading import audited_topics
from modstream.audit.result import evaluate, to_json
from modstream.broker.wire.codec import KIND_ERROR
from modstream.broker.wire.model_contracts import Metrics, ModelEvent
from modstream.broker.wire.records import Record
from modstream.broker.wire.topics import Header
from modstream.live.rolling_stats import RollingStats
from modstream.models.evaluation.version_classes import VersionClasses
from modstream.operations.trace.collector import RecordCollector
from modstream.operations.trace.search import decode_readable
from modstream.operations.trace.story import StoryContext, build_story
from modstream.operations.verify.outcomes import decode_outcome
from modstream.report.console import print_report
from modstream.report.page import render_page
from tests.modstream.stream_builder import NEW_YEAR, NOW
from tests.processors.small_fixtures import make_card

HUGE = 10**400
ODD = [
    HUGE, -HUGE, 10**18, -(10**18), 2**63, 2**32, 1e308, float("nan"), float("inf"), "x",
    "x" * 100_000, "\u001b[2J", "", None, [], [1], {}, {"a": [1]}, True, 0, -1, 0.5,
]  # fmt: skip
SOURCE = {"topic": "flights.requests", "partition": 0, "offset": 0}


def hostile_messages(topics):
    """Yield messages by topic with something odd in each field."""
    prediction = {"id": "r", "model": "online", "version": 1, "outputs": {}, "source": SOURCE}
    feedback = {
        "id": "r", "label": True, "predictions": [], "event_time": 1, "label_time": 2,
        "features": {"x": 1},
    }  # fmt: skip
    metrics = {"kind": "label_delay", "values": {}}
    event = {"model": "online", "version": 1, "action": "publish", "at": 1, "offsets": {}}
    quarantined = {"id": "r", "model": "online", "rule": "x", "detail": "", "source": SOURCE}
    bases = [
        (topics.requests, {"id": "r", "features": {}, "model": None, "event_time": 1}),
        (topics.predictions, prediction),
        (topics.labels, {"id": "r", "label": True, "revision": 0, "event_time": 1, "row": None}),
        (topics.feedback, {**feedback, "revises": None, "row": None}),
        (topics.unjoined, {"id": "r", "reason": "late", "row": None}),
        (topics.quarantine, quarantined),
        (topics.metrics, {**metrics, "model": None, "version": None, "event_time": 1}),
        (topics.model_events, {**event, "parent": None, "first_offsets": {}, "rows_learned": 1}),
    ]
    for topic, base in bases:
        for name in base:
            for odd in ODD:
                yield topic, {**base, name: odd}
    for odd in ODD:
        yield topics.predictions, {**prediction, "outputs": {"probability": odd}}
        yield topics.predictions, {**prediction, "outputs": {"label": odd, "probabilities": odd}}
        yield topics.predictions, {**prediction, "outputs": [{"probability": odd}] * 3}
        yield topics.predictions, {**prediction, "outputs": [tensor(odd)]}
        yield topics.predictions, {**prediction, "features": odd}
        yield topics.predictions, {**prediction, "features": {"x": odd, str(odd)[:90]: 1.0}}
        yield topics.predictions, {**prediction, "features": [{"y": odd}, odd]}
        yield topics.predictions, {**prediction, "features": {"names": ["z"], "data": odd}}
        for field in ("partition", "offset", "topic"):
            yield topics.predictions, {**prediction, "source": {**SOURCE, field: odd}}
            yield topics.quarantine, {**quarantined, "source": {**SOURCE, field: odd}}
        joined = {"model": "online", "version": 1, "outputs": {"probability": odd, "label": odd}}
        yield topics.feedback, {**feedback, "predictions": [joined]}
        yield topics.metrics, {**metrics, "values": {"60000": odd, str(odd)[:90]: 1.0}}
        lag = {"worker": odd, **{f"service {n}": 1.0 for n in range(50)}}
        yield topics.metrics, {"kind": "lag", "event_time": NOW, "values": lag}
        yield topics.model_events, {**event, "offsets": {"flights.feedback:0": odd}}
        yield topics.model_events, {**event, "offsets": {"flights.feedback:x": odd, "y": 1}}


def tensor(odd):
    return {"name": "probability", "shape": [1], "datatype": "FP64", "data": [odd]}


def hostile_records(topics):
    written = dict.fromkeys(audited_topics(topics), 1000)
    for topic, message in hostile_messages(topics):
        value = json.dumps(message).encode()
        for headers in ((), ((str(Header.REDRIVE_OF), b"\xff"), (str(Header.MODEL), b"\xff" * 99))):
            written[topic] += 1
            yield Record(topic, 0, written[topic], b"r", value, headers, NOW)
    for topic in written:
        for value in (None, b"", b"\xff", b"[" * 100_000, b"{}", b"1" * 5000):
            for time in (0, -1, NOW, 10**15, 2**63 - 1, -(2**63)):
                written[topic] += 1
                yield Record(topic, 1, written[topic], None, value, (("\udcff", None),), time)
    prefix = "__connect.errors."
    for odd in ("1" * 5000, "x", "-1", "\u00b2", "9" * 19, ""):
        headers = (
            (f"{prefix}topic", topics.requests.encode()),
            (f"{prefix}partition", odd.encode()),
            (f"{prefix}offset", odd.encode()),
            (f"{prefix}class.name", b"\x1b[2J" + odd.encode()),
        )
        written[topics.dlq] += 1
        yield Record(topics.dlq, 0, written[topics.dlq], b"r", b"x", headers, NOW)


@pytest.fixture
def hostile_stream(story):
    """A stream of some good flights, and the records of others."""
    for number in range(60):
        story.flight(f"{number}", 0.9 if number % 2 else 0.1, label=number % 2 == 1)
    story.publish()
    return [*story.records, *hostile_records(story.topics)]


@pytest.mark.slow
def test_hostile_records_stop_neither_audit_nor_report(story, hostile_stream):
    audit = story.audit()
    seen = {(record.topic, *record[1:3]) for record in story.records}
    for record in hostile_stream:
        if (record.topic, *record[1:3]) not in seen:
            audit.add(record)

    result = evaluate(audit)
    console = Console(file=io.StringIO(), width=120)
    print_report(result, console)
    document = render_page(result)
    found = json.loads(to_json(result))

    online = result.quality[0]
    assert online.labelled >= 60
    assert found["faults"]
    assert "\u001b[2J" not in console.file.getvalue() + document


def test_hostile_records_do_not_stop_the_live_view(story, hostile_stream):
    stats = RollingStats(story.topics, story.route, versions=VersionClasses(story.find_card))

    stats.add(hostile_stream)

    assert stats.snapshot(NOW / 1000).auc["online"] > 0.9


def test_hostile_records_do_not_stop_a_trace(story, hostile_stream):
    collector = RecordCollector("r", story.topics)
    for record in hostile_stream:
        collector.add(record)

    found = build_story(
        collector,
        StoryContext(
            events=read_all(ModelEvent, hostile_stream, story.topics.model_events),
            metrics=read_all(Metrics, hostile_stream, story.topics.metrics),
            versions=VersionClasses(story.find_card),
        ),
    )

    assert found.feedback
    assert found.responses


def test_hostile_records_do_not_stop_a_verification(story, hostile_stream):
    answers = {story.topics.predictions, story.topics.dlq}

    found = [
        decode_outcome(record, story.topics) for record in hostile_stream if record.topic in answers
    ]

    assert len(found) > 100


def read_all(contract, records, topic):
    """Return the records of a topic that can be decoded."""
    return list(decode_readable(contract, (one for one in records if one.topic == topic)))


@pytest.mark.slow
def test_a_hundred_thousand_model_names_cost_no_cell_for_each_request(story):
    """Once a column per name and request took more than 20 GB."""
    rows = 2000
    for number in range(200):
        story.flight(f"{number}")
    audit = story.audit()
    tracemalloc.start()

    for number in range(rows):
        request = {"id": f"x{number}", "features": {}, "model": f"m{number}", "event_time": 1}
        source = {**SOURCE, "offset": 1000 + number}
        answer = {
            "id": f"x{number}", "model": f"m{number}", "version": number + 1,
            "outputs": {"probability": 0.5}, "source": source,
        }  # fmt: skip
        error = {"id": f"x{number}", "model": f"m{number}", "code": f"c{number}", "message": "",
                 "source": source}  # fmt: skip
        joined = {
            "id": f"x{number}", "label": True, "event_time": 1, "label_time": 1,
            "predictions": [{"model": f"j{number}", "version": 1, "outputs": {}}],
        }  # fmt: skip
        event = {"model": f"e{number}", "version": 1, "action": "publish", "at": 1,
                 "offsets": {"flights.feedback:0": 1}}  # fmt: skip
        kind = ((str(Header.KIND), KIND_ERROR),)
        at = 1000 + number
        for topic, message, headers in (
            (story.topics.requests, request, ()),
            (story.topics.predictions, error if number % 2 else answer, kind if number % 2 else ()),
            (story.topics.feedback, joined, ()),
            (story.topics.model_events, event, ()),
        ):
            value = json.dumps(message).encode()
            audit.add(Record(topic, 0, at, None, value, headers, NOW))
    result = evaluate(audit)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 30_000_000
    assert len(audit.responses) <= len(story.route) + MAX_MODELS + 1
    others = next(one for one in result.delivery.models if one.model == OTHERS)
    assert others.missing == others.duplicates == 0
    assert rows - MAX_MODELS <= others.requests < rows
    assert sum(one.requests for one in result.delivery.models) == rows + 2 * 200
    assert len(result.delivery.errors) <= 201
    assert result.delivery.phantoms == 0
    assert len(result.learning) <= MAX_LEARNERS


@pytest.mark.slow
@pytest.mark.parametrize("times", [(0, NEW_YEAR), (NEW_YEAR, 253_402_300_799_999), (0, 0)])
def test_the_report_shows_any_event_times(story, times):
    for number in range(80):
        story.flight(f"{number}", 0.7, label=number % 2 == 0, event_time=times[number % 2])
    story.decide(event_time=times[1])

    assert "</html>" in render_page(story.audit_result())


def test_unknown_classes_and_foreign_labels_are_told_and_not_guessed(story):
    story.cards = {"frozen": make_card("frozen", classes=(1, 2))}
    for number in range(10):
        story.flight(f"{number}", 0.9, label=number % 2 == 0)

    online, frozen = story.audit_result().quality
    console = Console(file=io.StringIO(), width=200)
    print_report(story.audit_result(), console)

    assert (online.labelled, online.unknown_classes, online.foreign_labels) == (0, 10, 0)
    assert (frozen.labelled, frozen.unknown_classes, frozen.foreign_labels) == (0, 0, 10)
    shown = console.file.getvalue()
    assert "labelled predictions of online not scored: classes of the version unknown 10" in shown
    assert "labelled predictions of frozen not scored: label is none of the classes 10" in shown


@pytest.mark.parametrize(
    ("classes", "negative", "positive"),
    [((1, 2), 1, 2.0), ((-1, 1), -1, 1), (("no", "yes"), "no", "yes"), ((0, 1), 0.0, True)],
)
def test_labels_are_scored_by_the_classes_of_the_card(story, classes, negative, positive):
    story.cards = {model: make_card(model, classes=classes) for model in story.route}
    for number in range(40):
        label = positive if number % 2 else negative
        story.flight(f"{number}", 0.9 if number % 2 else 0.2, label=label)

    online, _ = story.audit_result().quality

    assert (online.labelled, online.auc) == (40, 1.0)
    assert story.audit_result().labels.altered_joins == 0


def test_classes_are_scored_by_name_or_by_value(story):
    story.cards = {
        "online": make_card("online", task="multiclass", classes=(1, 2, 3)),
        "frozen": make_card("frozen", classes=("no", "yes")),
    }
    for number in range(30):
        asked = story.ask(f"{number}")
        label = number % 3 + 1
        story.answer(asked, "online", outputs={"label": label, "probabilities": {}})
        story.answer(asked, "frozen", outputs={"label": "yes", "margin": 0.5})
        story.label(f"{number}", label=float(label) if label < 3 else "yes")

    online, frozen = story.audit_result().quality

    assert (online.metrics, online.foreign_labels) == ({"accuracy": 1.0}, 10)
    assert (frozen.metrics, frozen.foreign_labels) == ({"accuracy": 1.0}, 20)


def test_the_rows_of_one_request_are_scored_each_by_its_label(story):
    story.cards["frozen"] = make_card("frozen")
    asked = story.ask("several")
    outputs = [{"probability": p} for p in (0.1, 0.9, 0.8)]
    answers = [story.answer(asked, model, outputs=outputs) for model in story.route]
    for row, label in enumerate((False, True, True)):
        story.label("several", label=label, row=row)
        joined = [one.model_copy(update={"outputs": outputs[row]}) for one in answers]
        story.join("several", *joined, label=label, row=row)

    result = story.audit_result()

    assert result.is_sound
    assert (result.labels.sent, result.labels.joined) == (3, 3)
    assert (result.quality[0].labelled, result.quality[0].auc) == (3, 1.0)


def test_an_altered_row_or_class_is_found(story):
    asked = story.ask("several")
    outputs = [{"label": "a"}, {"label": "b"}]
    answer = story.answer(asked, "online", outputs=outputs)
    story.answer(asked, "frozen")
    for row in range(2):
        story.label("several", label="a", row=row)
        story.join(
            "several", answer.model_copy(update={"outputs": {"label": "a"}}), label="a", row=row
        )

    assert story.audit_result().labels.altered_joins == 1
