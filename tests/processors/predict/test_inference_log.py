"""Every request leaves exactly one record in the inference log, whatever exit it takes."""

import json
import math
from collections import Counter

import pytest
from jsonschema import Draft202012Validator
from structlog.testing import capture_logs

from modstream.broker.errors import ProcessKilled
from modstream.broker.loop.crash_guard import CrashGuard
from modstream.broker.loop.crash_journal import CrashJournal
from modstream.broker.wire.codec import decode
from modstream.broker.wire.inference_record import REDACTED, InferenceRecord
from modstream.broker.wire.json_schemas import json_schema
from modstream.broker.wire.record_limits import RecordLimits
from modstream.broker.wire.record_size import fits
from modstream.models.schema.input_schema import Feature, InputSchema
from modstream.processors.predict.deduplication import Deduplicator
from modstream.processors.predict.guarded_handler import GuardedHandler
from modstream.processors.predict.handler import request_handler
from modstream.processors.predict.inference_log import InferenceLog
from modstream.processors.predict.log_settings import InferenceLogSettings
from modstream.processors.predict.logged_values import read_values
from modstream.processors.predict.model_resolver import FixedModelProvider
from modstream.processors.predict.responses import ResponseWriter, ignore_refusal
from modstream.processors.predict.settings import InferenceSettings
from modstream.processors.predict.traffic_split import alias_for
from tests.hostile.corpus import FEATURES
from tests.processors.predict.handlers import GOOD, TOPICS, ask, worker
from tests.processors.predict.test_hostile_corpus import read_batches
from tests.processors.small_fixtures import (
    TWO_FLOATS,
    StubLoadedModel,
    iris_model,
    make_card,
    make_record,
    rejecting_model,
    river_model,
)

LOG_SCHEMA = Draft202012Validator(json_schema("inference"))
NOW = 1_700_000_000.5
SECRET = InputSchema(
    features=(Feature(name="a", kind="float"), Feature(name="b", kind="float", sensitive=True))
)


def inference_log(route=("m",), limits=None, **settings):
    chosen = InferenceLogSettings(enabled=True, **settings)
    limits = RecordLimits() if limits is None else limits
    return InferenceLog(TOPICS, chosen, InferenceSettings(tuple(route)), limits, lambda: NOW)


def logged(produced):
    """Return the decoded log records among some produced records; each fits the schema."""
    written = [one for one in produced if one.topic == TOPICS.inferences]
    for one in written[:20]:
        LOG_SCHEMA.validate(json.loads(one.value))
    return [decode(InferenceRecord, one.value) for one in written]


def answer(batch, *models, log=None, **options):
    """Return the log records of a batch, one for each of its records."""
    log = log or inference_log([model.card.name for model in models])
    found = logged(worker(*models, log=log, now=lambda: NOW, **options)(batch))
    assert [one.source.offset for one in found] == [one.offset for one in batch]
    return found


def deduplicator():
    return Deduplicator(100, lambda _: [], lambda _: 1)


def test_without_a_log_nothing_is_added():
    produced = worker(river_model())([make_record(ask(features=GOOD))])

    assert [one.topic for one in produced] == [TOPICS.predictions]


def test_a_prediction_is_logged_behind_it_with_its_key():
    record = make_record(ask(id="é", features=GOOD, version=1), offset=7, key=b"\xff")

    prediction, entry = worker(river_model(), log=inference_log(), now=lambda: NOW)([record])

    assert (prediction.topic, entry.topic) == (TOPICS.predictions, TOPICS.inferences)
    assert entry.key == b"\xff"
    (found,) = logged([entry])
    (made,) = found.answers
    assert (found.id, found.asked_model, found.asked_version) == ("é", None, 1)
    assert (found.outcome, made.model, made.version) == ("answered", "m", 1)
    assert (found.bytes_in, made.bytes_out) == (len(record.value), len(prediction.value))
    assert (found.arrived, found.read, found.handled) == (1000, NOW * 1000, NOW * 1000)
    assert (found.source.partition, found.source.offset, found.batch) == (2, 7, 1)
    assert made.milliseconds > 0
    assert found.features is None and made.outputs is None  # noqa: PT018


def test_every_model_of_the_route_is_an_answer_of_one_record():
    batch = [make_record(ask(features={"a": 7, "b": 1, "x": 1.5, "city": "LGA"}))]

    (found,) = answer(batch, river_model(), rejecting_model(7), iris_model())

    assert found.outcome == "partly_answered"
    assert [one.model for one in found.answers] == ["m", "fussy", "iris"]
    assert [one.outcome for one in found.answers] == ["answered", "error", "answered"]
    assert found.answers[1].code == "no_output"
    assert found.answers[1].version == 1


def test_each_exit_is_logged_once():
    batch = [
        make_record(ask(id="good", features=GOOD), 0),
        make_record(ask(id="good", features=GOOD), 1),
        make_record(ask(id="late", features=GOOD), 2, headers=(("deadline", b"5"),)),
        make_record(ask(id="wrong", features={"x": "text", "city": "LGA"}), 3),
        make_record(ask(id="stranger", features=GOOD, model="other"), 4),
        make_record(b"no JSON", 5),
        make_record(b'{"id": "illegal", "features": 3}', 6),
        make_record(None, 7),
    ]

    found = answer(batch, river_model(), deduplicator=deduplicator())

    assert [(one.id, one.outcome) for one in found] == [
        ("good", "answered"),
        ("good", "duplicate"),
        ("late", "expired"),
        ("wrong", "error"),
        ("stranger", "error"),
        (None, "dead_letter"),
        ("illegal", "error"),
        (None, "dead_letter"),
    ]
    codes = [[answer.code for answer in one.answers] for one in found]
    assert codes == [
        [None], [], ["deadline_exceeded"], ["wrong_type"], ["unknown_model"], ["not_json"],
        ["contract_violated"], ["not_json"],
    ]  # fmt: skip
    assert (found[3].answers[0].model, found[3].answers[0].version) == ("m", 1)


def test_a_model_that_a_client_invented_is_what_was_asked_for_only():
    batch = [make_record(ask(features=GOOD, model="invented", version="v"))]

    (found,) = answer(batch, river_model())

    assert (found.asked_model, found.asked_version) == ("invented", "v")
    assert found.answers[0].model is None


def test_a_request_that_only_the_engine_reads_is_noted_before_it_is_dropped():
    """A name with more brackets than the fast decoder reads."""
    odd = ask(id="odd", features={**GOOD, "{" * 80: 1})
    expired = make_record(odd, 0, headers=(("deadline", b"5"),))

    found = answer([expired, make_record(odd, 1)], river_model(), deduplicator=deduplicator())

    assert [(one.id, one.outcome) for one in found] == [("odd", "expired"), ("odd", "duplicate")]


class BrokenRuntime:
    """A runtime whose exception nobody foresees."""

    name = "broken"

    def predict(self, _batch):
        raise ZeroDivisionError


def test_a_request_on_which_a_step_raises_is_logged_as_dead_letter():
    broken = StubLoadedModel(make_card("m", schema=TWO_FLOATS), BrokenRuntime())
    batch = [make_record(ask(id=f"r{n}", features={"a": 1, "b": 2}), n) for n in range(3)]

    found = answer(batch, broken)

    assert [(one.id, one.outcome) for one in found] == [(f"r{n}", "dead_letter") for n in range(3)]
    assert {one.answers[0].code for one in found} == {"internal_error"}


def test_a_request_that_ends_processes_is_logged_without_being_read(tmp_path):
    guard = CrashGuard(CrashJournal(tmp_path), TOPICS.requests, lambda _: 0)
    writer = ResponseWriter(TOPICS)
    handler = GuardedHandler(None, guard, writer, ignore_refusal, inference_log())

    letter, entry = handler._set_aside(
        make_record(ask(features=GOOD)), ProcessKilled(2, "")
    ).records

    (found,) = logged([entry])
    assert letter.topic == TOPICS.dlq
    assert (found.id, found.outcome) == (None, "dead_letter")
    assert found.answers[0].bytes_out == len(letter.value)


def test_features_and_outputs_are_logged_where_asked_for():
    batch = [make_record(ask(features=GOOD))]

    (both,) = answer(batch, river_model(), log=inference_log(features=True, outputs=True))
    (only,) = answer(batch, river_model(), log=inference_log(features=True))

    assert both.features == GOOD
    assert both.answers[0].outputs == {"probability": 0.5}
    assert only.features == GOOD
    assert only.answers[0].outputs is None


def test_sampling_depends_on_the_id_only():
    batch = [make_record(ask(id=f"r{n}", features=GOOD), n) for n in range(400)]
    log = inference_log(features=True, sample=0.25)

    whole = answer(batch, river_model(), log=log)
    halves = answer(batch[:200], river_model(), log=log) + answer(
        batch[200:], river_model(), log=log
    )

    with_features = [one.id for one in whole if one.features is not None]
    assert 60 < len(with_features) < 140
    assert with_features == [one.id for one in halves if one.features is not None]
    assert all(one.outcome == "answered" for one in whole)


@pytest.mark.parametrize(
    "request_fields",
    [
        {"features": {"a": 1.5, "b": 2.5}},
        {"features": ({"a": 1.5, "b": 2.5}, {"a": 3.0, "b": 4.0})},
        {"inputs": ({"name": "x", "shape": (1, 2), "datatype": "FP32", "data": [1.5, 2.5]},)},
    ],
    ids=["row", "rows", "tensor"],
)
def test_sensitive_features_and_named_fields_are_redacted(request_fields):
    model = rejecting_model(0)
    secret = StubLoadedModel(make_card("m", schema=SECRET), model.runtime)
    log = inference_log(features=True, outputs=True, redact=["probability"])
    (entry,) = [
        one
        for one in worker(secret, log=log)([make_record(ask(**request_fields))])
        if one.topic == TOPICS.inferences
    ]

    (found,) = logged([entry])

    rows = [found.features] if isinstance(found.features, dict) else found.features
    assert [row["a"] for row in rows] == [1.5, 3.0][: len(rows)]
    assert {row["b"] for row in rows} == {REDACTED}
    assert b"2.5" not in entry.value
    assert b"0.015" not in entry.value, "the output is a hundredth of a"


def test_a_mark_of_another_model_of_the_batch_redacts_too():
    marked = StubLoadedModel(make_card("n", schema=SECRET), rejecting_model(0).runtime)
    plain = StubLoadedModel(make_card("m", schema=TWO_FLOATS), rejecting_model(0).runtime)

    (found,) = answer(
        [make_record(ask(features={"a": 1.0, "b": 2.0}))],
        plain,
        marked,
        log=inference_log(["m", "n"], features=True),
    )

    assert found.features == {"a": 1.0, "b": REDACTED}


def test_a_record_that_is_too_large_leaves_out_its_values_and_then_its_key():
    limits = RecordLimits({TOPICS.inferences: 2000})
    log = inference_log(limits=limits, features=True)
    batch = [
        make_record(ask(features={"x": 1.5, "city": "L" * 3000}), 0),
        make_record(ask(features=GOOD), 1),
        make_record(ask(features=GOOD), 2, key=b"k" * 1900),
    ]

    entries = [
        one for one in worker(river_model(), log=log)(batch) if one.topic == TOPICS.inferences
    ]
    large, small, long_key = logged(entries)

    assert all(fits(one, 2000) for one in entries)
    assert large.features is None
    assert "too large" in large.omitted
    assert small.features == GOOD
    assert [one.key for one in entries] == [b"k", b"k", None]
    assert long_key.outcome == "answered"


def test_a_time_outside_of_the_calendar_is_left_out():
    batch = [
        make_record(ask(features=GOOD), n)._replace(timestamp=t)
        for n, t in enumerate((-1, 2**62, 5))
    ]

    assert [one.arrived for one in answer(batch, river_model())] == [-1, None, 5]


@pytest.mark.slow
def test_hostile_requests_are_logged_once_each():
    schema = InputSchema.of_floats(list(FEATURES))
    models = [river_model(name, schema=schema) for name in ("static", "learning")]
    log = inference_log(["static"], features=True, outputs=True, redact=["probability"])
    handle = worker(
        *models, route=("static",), deduplicator=deduplicator(), log=log, now=lambda: NOW
    )
    outcomes = Counter()

    with capture_logs() as logs:
        for batch in read_batches(5, 2_000):
            records = [record for _, record in batch]
            found = logged(handle(records))
            assert [one.source.offset for one in found] == [one.offset for one in records]
            outcomes.update(one.outcome for one in found)

    assert [entry for entry in logs if entry["log_level"] == "error"] == []
    assert outcomes.keys() >= {"answered", "error", "dead_letter", "duplicate"}


def test_a_nan_of_a_tensor_becomes_null():
    """JSON does not know NaN, and readers of the log may use any parser."""
    tensor = {"name": "p", "shape": [2], "datatype": "FP64", "data": [0.5, math.nan]}
    value = json.dumps({"outputs": [tensor], "features": {"a": 1.5}}).encode()

    found = read_values(value)

    assert json.loads(bytes(found.outputs)) == [{**tensor, "data": [0.5, None]}]
    assert json.loads(bytes(found.features)) == {"a": 1.5}


def test_the_version_that_refused_is_logged_where_the_traffic_is_split():
    """A challenger answers its share of the keys, and the champion replaces a missing one."""
    models = {("m", "champion"): split_model(1), ("m", "challenger"): split_model(2)}
    alone = {("m", "champion"): split_model(1)}
    batch = [
        make_record(ask(id=f"r{n}", features={"a": "text", "b": 1}), n, key=b"%d" % n)
        for n in range(40)
    ]

    both = versions(FixedModelProvider(models), batch)
    one = versions(FixedModelProvider(alone), batch)

    assert both == [2 if alias_for(record.key, 0.5) == "challenger" else 1 for record in batch]
    assert set(both) == {1, 2}
    assert set(one) == {1}


def split_model(version):
    return StubLoadedModel(make_card("m", version, schema=TWO_FLOATS), rejecting_model(0).runtime)


def versions(provider, batch):
    """Return the versions that refused the requests of a batch, by the log."""
    settings = InferenceSettings(("m",), challenger_share=0.5)
    chosen = InferenceLogSettings(enabled=True)
    log = InferenceLog(TOPICS, chosen, settings, RecordLimits())
    found = logged(request_handler(TOPICS, provider, settings, log=log)(batch).records)
    assert {one.outcome for one in found} == {"error"}
    return [one.answers[0].version for one in found]
