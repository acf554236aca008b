"""Whatever stands in feedback, the learner reads on, and its state is that without the record."""

import json
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modstream.broker.errors import InternalError
from modstream.broker.wire.codec import decode
from modstream.broker.wire.contracts import Quarantined
from modstream.broker.wire.record_size import fits
from modstream.broker.wire.records import Record
from modstream.models.runtimes.river.runtime import RiverRuntime
from modstream.processors.guard.settings import GuardSettings
from modstream.processors.learn.learner import Learner
from modstream.processors.learn.settings import LearnSettings
from tests.processors.learn.learner_fixtures import (
    SCHEMA_XY,
    TOPICS,
    feedback,
    labelled_stream,
    make_learner,
    predictions_of,
)
from tests.processors.small_fixtures import make_card, river_model

HUGE = 10**400
ODD_LABELS = [
    HUGE, -HUGE, 10**4000, 2**64, 1e308, -1e308, float("nan"), float("inf"), -float("inf"),
    "x" * 1_000_000, "", "\u0000", "1", "true", None, [], {}, [1], {"a": 1}, True, 0, 0.5, -1,
]  # fmt: skip
ODD_OUTPUTS = [
    {}, {"probability": "x"}, {"probability": [1]}, {"probability": {"a": 1}},
    {"probability": HUGE}, {"probability": -1}, {"probability": float("nan")},
    {"probability": True}, {"probabilities": []}, {"probabilities": {"a": "x"}},
    {"probabilities": {"False": 1e300, "True": None}}, {"label": [1]}, {"label": {"x": 1}},
    {"label": HUGE}, {"label": 7}, {"label": None}, {"value": "x"}, {"value": HUGE}, {"score": []},
    {"forecast": "x", "period": "y"}, {"forecast": [1, "x", None, HUGE], "period": HUGE},
    {"forecast": [[1]], "period": 1}, {"forecast": {}, "period": 1}, {"features": {"a": [1]}},
    {"labels": {"a": 1}}, {"distances": {"0": 1}, "label": 0}, {"margin": 3, "label": True},
]  # fmt: skip
TASKS = [
    ("binary", ()), ("binary", (1, 2)), ("binary", ("no", "yes")), ("multiclass", ("a", "b", "c")),
    ("multiclass", (0, 1, 2)), ("regression", ()), ("anomaly", ()), ("forecast", ()),
    ("clustering", ()), ("multioutput_regression", ()), ("multioutput_classification", ()),
    ("transformation", ()),
]  # fmt: skip


def record(number, **fields):
    """Return a feedback record of any JSON values, as any client can write it."""
    message = {
        "schema_version": 1,
        "id": f"odd-{number}",
        "label": True,
        "features": {"x": 0.5, "y": 0.5},
        "predictions": [{"model": "m", "version": 1, "outputs": {"probability": 0.5}}],
        "event_time": number,
        "label_time": number + 1,
        **fields,
    }
    return Record("s.feedback", 0, number, b"k", json.dumps(message).encode())


def hostile_records(first):
    """Return records that have something odd in each field."""
    messages = [
        *({"label": label} for label in ODD_LABELS),
        *({"label": 1.5, "revises": label} for label in ODD_LABELS),
        *(
            {"predictions": [{"model": "m", "version": 1, "outputs": outputs}]}
            for outputs in ODD_OUTPUTS
        ),
        *({"features": {"x": odd, "y": 0.5, "period": odd}} for odd in ODD_LABELS),
        *({"features": odd} for odd in ([], "x", 1, [{"x": 1}], {"names": ["x"], "data": [1]})),
        *({"event_time": odd} for odd in (HUGE, -1, "x", 1.5, None, 2**62)),
        *({"label_time": odd} for odd in (HUGE, -1, "x", 1.5, None, 2**62)),
        *({"row": odd} for odd in (HUGE, -1, "x", 1.5, 3, 2**40)),
        *({"id": odd} for odd in ("", "x" * 256, "x" * 1_000_000, 1, None, "\ud800")),
        {"predictions": [{"model": "m", "version": 1, "outputs": {"probability": 0.5}}] * 10_000},
        {"predictions": [{"model": f"m{n}", "version": n, "outputs": {}} for n in range(500)]},
        {"predictions": [{"model": "m", "version": HUGE, "outputs": {"probability": 0.5}}]},
        {"predictions": "x"},
        {"unknown": {"deep": [[[[1]]]]}},
        {"features": {f"f{n}": n for n in range(50_000)}},
    ]
    return [record(first + number, **message) for number, message in enumerate(messages)]


@pytest.mark.slow
@pytest.mark.parametrize(("task", "classes"), TASKS)
def test_no_feedback_stops_a_learner_of_any_task(task, classes):
    runtime = river_model(schema=SCHEMA_XY).runtime
    learner = Learner(make_card(schema=SCHEMA_XY, task=task, classes=classes), runtime, TOPICS)
    records = hostile_records(0)
    headers = (("\udcff", b"\xff"), ("modstream-model", None), ("ce_x", b"x" * 100))

    rejected = learner.learn_batch([one._replace(headers=headers) for one in records])
    metrics = [*learner.metrics(), learner.progress(1)]

    assert learner.offsets == {"s.feedback:0": len(records)}
    assert learner.counts.seen == len(records)
    assert len({decode(Quarantined, one.value).source.offset for one in rejected}) == len(rejected)
    assert all(fits(one) for one in rejected)
    assert all(one.values["window"] <= 2000 for one in metrics if one.kind == "prequential")
    assert learner.counts.internal_errors == 0


@pytest.mark.slow
def test_neighbours_of_hostile_feedback_are_learned_as_without_it():
    # All records are of one partition, whose budget of violations they exceed.
    no_budget = LearnSettings(guard=GuardSettings(source_budget=0))
    clean, attacked, judge = (make_learner(settings=no_budget) for _ in range(3))
    good, odd = labelled_stream(300), hostile_records(300)
    rejected = {decode(Quarantined, one.value).source.offset for one in judge.learn_batch(odd)}
    odd = [one for one in odd if one.offset in rejected]
    assert len(odd) > 50
    Random(5).shuffle(odd)

    for at in range(0, 300, 10):
        attacked.learn_batch([*good[at : at + 10], *odd[at // 4 : at // 4 + 3]])
        clean.learn_batch(good[at : at + 10])

    assert attacked.counts.learned == clean.counts.learned == 300
    assert predictions_of(attacked) == predictions_of(clean)


json_values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(10**30), 10**30),
        st.floats(),
        st.text(max_size=5),
        st.sampled_from(ODD_LABELS[:4]),
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)
fields = st.fixed_dictionaries(
    {},
    optional={
        "id": json_values,
        "label": json_values,
        "revises": json_values,
        "row": json_values,
        "features": st.dictionaries(st.sampled_from("xyz"), json_values) | json_values,
        "predictions": st.lists(
            st.fixed_dictionaries(
                {
                    "model": st.sampled_from(["m", "other"]),
                    "version": st.integers(0, 3),
                    "outputs": st.dictionaries(
                        st.sampled_from(["probability", "probabilities", "label", "value"]),
                        json_values,
                    ),
                }
            )
        )
        | json_values,
        "event_time": json_values,
        "label_time": json_values,
    },
)


@pytest.mark.slow
@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(fields, min_size=1, max_size=20))
def test_each_record_of_any_content_has_one_exit(messages):
    learner = make_learner()
    records = [record(number, **message) for number, message in enumerate(messages)]

    rejected = learner.learn_batch(records)

    counts = learner.counts
    offsets = [decode(Quarantined, one.value).source.offset for one in rejected]
    assert len(set(offsets)) == len(offsets) == counts.quarantined
    assert counts.seen == len(records)
    assert counts.learned + counts.quarantined + counts.repeated <= len(records)
    assert counts.internal_errors == 0
    learner.metrics()


class Panic(BaseException):
    """What a panic in Rust code is to Python."""


class PanicsOn13(RiverRuntime):
    """A runtime that lets an exception through which is none of River's."""

    def learn(self, batch, labels):
        super().learn(batch, labels)
        if 13.0 in batch.columns["x"]:
            raise Panic("index out of bounds")


def panicking_learner():
    loaded = river_model(schema=SCHEMA_XY)
    return Learner(loaded.card, PanicsOn13(loaded.runtime._model, loaded.card), TOPICS)


def rows(count):
    return [feedback(n, {"x": float(n), "y": 0.0}, n % 3 == 0) for n in range(count)]


def rules_of(rejected):
    return [(one.id, one.rule) for one in (decode(Quarantined, row.value) for row in rejected)]


def test_an_unforeseen_exception_of_the_update_is_isolated_to_its_row():
    learner, clean = panicking_learner(), panicking_learner()

    rejected = learner.learn_batch(rows(30))
    clean.learn_batch([one for one in rows(30) if one.offset != 13])

    assert rules_of(rejected) == [("id-13", InternalError.code)]
    detail = decode(Quarantined, rejected[0].value).detail
    assert detail.startswith("an unforeseen Panic was raised at place ")
    assert "index" not in detail
    assert (learner.counts.learned, learner.counts.internal_errors) == (29, 1)
    assert predictions_of(learner) == predictions_of(clean)


def test_an_unforeseen_exception_of_the_guard_is_isolated_to_its_row(monkeypatch):
    learner = make_learner()
    check = learner._trainer.guard.check

    def fail_on_13(examples):
        if any(example.feedback.id == "id-13" for example in examples):
            raise Panic
        return check(examples)

    monkeypatch.setattr(learner._trainer.guard, "check", fail_on_13)

    assert rules_of(learner.learn_batch(rows(30))) == [("id-13", InternalError.code)]
    assert learner.counts.learned == 29


def test_an_unforeseen_exception_of_the_gate_is_isolated_to_its_row():
    learner, shown = make_learner(), []

    def hook(batch, labels, times):
        if 13.0 in batch.columns["x"]:
            raise Panic
        shown.extend(batch.columns["x"].tolist())

    assert rules_of(learner.learn_batch(rows(30), hook)) == [("id-13", InternalError.code)]
    assert sorted(shown) == [float(n) for n in range(30) if n != 13]
    assert learner.counts.learned == 29


def test_an_unforeseen_exception_of_the_metrics_is_isolated_to_its_record(monkeypatch):
    learner = make_learner()
    add = type(learner.prequential).add

    def fail_on_13(prequential, message):
        if message.id == "id-13":
            raise Panic
        add(prequential, message)

    monkeypatch.setattr(type(learner.prequential), "add", fail_on_13)

    assert rules_of(learner.learn_batch(rows(30))) == [("id-13", InternalError.code)]
    assert learner.counts.learned == 29
    learner.backfill_ids(rows(30))


def test_an_interruption_is_no_fault_of_a_record():
    learner = make_learner()

    def hook(batch, labels, times):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        learner.learn_batch(rows(3), hook)


def test_a_record_that_ends_processes_is_skipped_once():
    learner = make_learner()
    learner.learn_batch(rows(5))
    deadly = rows(6)[5]

    (rejected,) = learner.set_aside(deadly, InternalError("the process ended 2 times"))

    assert rules_of([rejected]) == [("id-5", InternalError.code)]
    assert learner.offsets == {"s.feedback:0": 6}
    assert learner.set_aside(deadly, InternalError("again")) == []
    assert (learner.counts.seen, learner.counts.internal_errors) == (6, 1)
