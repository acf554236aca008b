"""The learner: test, guard, learn on a copy, probe, swap."""

import math
from random import Random

import pytest

from modstream.broker.wire.codec import decode, encode
from modstream.broker.wire.contracts import Feedback, Quarantined, Scored
from modstream.broker.wire.records import Record
from modstream.broker.wire.topics import Topics
from modstream.models.errors import ArtifactTooLarge, LearnError
from modstream.models.runtimes.river.runtime import RiverRuntime
from modstream.models.schema.input_schema import Feature, InputSchema
from modstream.processors.learn.learner import Counts, Learner
from modstream.processors.learn.settings import InputSettings, LearnSettings
from tests.processors.small_fixtures import card, river

TOPICS = Topics("s")
PLAIN = InputSchema(
    features=tuple(Feature(name=name, kind="float", low=-100, high=100) for name in "xy")
)


def feedback(number, features, label, partition=0, **more):
    message = {
        "id": f"id-{number}",
        "label": label,
        "features": features,
        "predictions": (Scored(model="m", version=1, outputs={"probability": 0.5}),),
        "event_time": number,
        "label_time": number + 10,
        **more,
    }
    value = encode(Feedback.model_construct(schema_version=1, **message))
    return Record("s.feedback", partition, number, b"k", value)


def stream(count, seed=0):
    """Rows whose label is the sign of x + y."""
    rng = Random(seed)
    rows = [{"x": rng.gauss(0, 1), "y": rng.gauss(0, 1)} for _ in range(count)]
    return [feedback(n, row, row["x"] + row["y"] > 0) for n, row in enumerate(rows)]


def learner(**facts):
    loaded = river(schema=PLAIN)
    return Learner(loaded.card, loaded.runtime, TOPICS, **facts)


def probe(pupil):
    rows = [{"x": float(n % 5 - 2), "y": float(n % 7 - 3)} for n in range(35)]
    return pupil.runtime.predict(PLAIN.batch(rows).batch).tolist()


def test_it_learns_what_it_is_taught():
    pupil = learner()

    pupil.absorb(stream(500))

    low, high = pupil.runtime.predict(
        PLAIN.batch([{"x": -2, "y": -2}, {"x": 2, "y": 2}]).batch
    ).tolist()
    assert low < 0.1
    assert high > 0.9
    assert pupil.counts == Counts(learned=500, seen=500)
    assert pupil.offsets == {"s.feedback:0": 500}
    assert pupil.event_time == 509


def test_batches_of_any_size_teach_the_same():
    records = stream(300)
    at_once, one_by_one = learner(), learner()

    at_once.absorb(records)
    for record in records:
        one_by_one.absorb([record])

    assert probe(at_once) == probe(one_by_one)


@pytest.mark.parametrize(
    ("features", "label"),
    [
        ({"x": math.nan, "y": 0.0}, True),
        ({"x": math.inf, "y": 0.0}, True),
        ({"x": 1e300, "y": 0.0}, True),
        ({"x": 0.0, "y": 0.0}, "yes"),
        ({"x": "0", "y": 0.0}, True),
        ({"y": 0.0}, True),
    ],
)
def test_a_bad_row_is_quarantined_and_the_model_is_as_if_it_had_never_come(features, label):
    clean, attacked = learner(), learner()
    records = stream(200)
    clean.absorb(records)

    attacked.absorb(records[:100])
    (refused,) = attacked.absorb([feedback(1000, features, label)])
    attacked.absorb(records[100:])

    assert probe(attacked) == probe(clean)
    assert refused.topic == "s.quarantine"
    told = decode(Quarantined, refused.value)
    assert (told.id, told.source.offset) == ("id-1000", 1000)
    assert attacked.counts.quarantined == 1


def test_without_the_guard_that_row_would_have_ruined_the_model():
    ruined = learner()
    ruined.absorb(stream(100))

    ruined.runtime._model.learn_one({"x": math.nan, "y": 0.0}, True)

    assert any(math.isnan(answer) for answer in probe(ruined))


def test_a_bad_row_costs_no_other_row_of_its_batch():
    records = stream(64)
    bad = feedback(999, {"x": 1e300, "y": 0.0}, True)
    attacked, clean = learner(), learner()

    refused = attacked.absorb([*records[:20], bad, *records[20:]])
    clean.absorb(records)

    assert len(refused) == 1
    assert probe(attacked) == probe(clean)


def test_a_row_that_makes_the_runtime_fail_is_found_by_halving():
    class Touchy(RiverRuntime):
        def learn(self, batch, labels):
            if 13.0 in batch.columns["x"]:
                raise LearnError("touchy", "13 is bad luck")
            super().learn(batch, labels)

    loaded = river(schema=PLAIN)
    pupil = Learner(loaded.card, Touchy(loaded.runtime._model, loaded.card), TOPICS)
    rows = [feedback(n, {"x": float(n), "y": 0.0}, n % 2 == 0) for n in range(30)]

    refused = pupil.absorb(rows)

    assert [decode(Quarantined, r.value).id for r in refused] == ["id-13"]
    assert decode(Quarantined, refused[0].value).rule == "unlearnable"
    assert pupil.counts.learned == 29


def test_what_is_no_feedback_is_quarantined_with_the_id_that_can_be_read():
    broken = Record("s.feedback", 0, 3, b"k", b'{"id":"id-3","label":true}')
    rubbish = Record("s.feedback", 1, 4, b"k", b"\x00")

    refused = [decode(Quarantined, r.value) for r in learner().absorb([broken, rubbish])]

    assert [(r.id, r.rule) for r in refused] == [("id-3", "contract_violated"), ("1:4", "not_json")]


def test_a_row_that_the_joiner_repeats_is_learned_once():
    pupil, other = learner(), learner()
    records = stream(50)
    again = [r._replace(offset=r.offset + 50) for r in records[30:]]

    pupil.absorb([*records, *again])
    other.absorb(records)

    assert probe(pupil) == probe(other)
    assert (pupil.counts.learned, pupil.counts.repeated) == (50, 20)
    assert pupil.offsets == {"s.feedback:0": 100}


def test_after_a_restart_rows_learned_before_it_are_known_again():
    records = stream(50)
    before = learner()
    before.absorb(records)

    after = Learner(before.card, before.runtime.copy(), TOPICS, offsets=dict(before.offsets))
    after.remember(records)
    after.absorb([records[-1]._replace(offset=50)])

    assert after.counts.learned == 0
    assert after.counts.repeated == 1
    assert probe(after) == probe(before)


def test_only_so_many_ids_are_remembered():
    pupil = learner(settings=LearnSettings(remember=10))

    pupil.absorb(stream(100))

    assert len(pupil._known) == 10


def test_a_restart_from_a_snapshot_leads_to_the_same_model():
    records = stream(400)
    whole = learner()
    whole.absorb(records)

    first = learner()
    first.absorb(records[:250])
    resumed = Learner(first.card, first.runtime.copy(), TOPICS, offsets=dict(first.offsets))
    resumed.absorb([r for r in records if r.offset >= first.offsets["s.feedback:0"]])

    assert probe(resumed) == probe(whole)


def test_feedback_without_features_is_measured_and_not_learned():
    pupil = learner()

    pupil.absorb([feedback(0, None, True)])

    assert pupil.counts == Counts(learned=0, seen=1)
    (figures, _) = pupil.metrics()
    assert figures.values["labelled"] == 1


def test_rows_of_another_model_of_the_stream_are_passed_over_and_cost_no_row_its_place():
    pupil, others = learner(), (Scored(model="other", version=1, outputs={"value": 1.0}),)
    foreign = [feedback(n, {"z": 1.0}, True, predictions=others) for n in range(400)]
    own = [feedback(400 + n, {"x": 1.0, "y": 1.0}, True) for n in range(50)]

    assert pupil.absorb([*foreign, *own]) == []

    assert (pupil.counts.learned, pupil.counts.seen) == (50, 450)


def test_the_version_that_predicted_is_the_one_that_is_measured():
    pupil = learner()
    pupil.absorb(
        [
            feedback(
                n,
                {"x": 0.0, "y": 0.0},
                n % 2 == 0,
                predictions=(
                    Scored(model="m", version=n // 10 + 1, outputs={"probability": 0.9}),
                    Scored(model="other", version=1, outputs={"probability": n % 2 == 0}),
                ),
            )
            for n in range(20)
        ]
    )

    found = {(m.model, m.version): m for m in pupil.metrics()}

    assert found["m", 1].values["labelled"] == 10
    assert found["m", None].values["labelled"] == 20
    assert found["m", 2].values["accuracy"] == 0.5
    assert found["other", None].values["auc"] == 1.0
    assert found["m", 1].offsets == {"s.feedback:0": 20}


def test_figures_fit_the_task():
    pupil = learner()
    pupil.absorb(
        [
            feedback(
                n,
                None,
                label,
                predictions=(
                    Scored(model="r", version=1, outputs={"value": 2.0}),
                    Scored(
                        model="c",
                        version=1,
                        outputs={"label": "b", "probabilities": {"1.0": 0.25, "b": 0.75}},
                    ),
                    Scored(model="z", version=1, outputs={"mood": "fine"}),
                ),
            )
            for n, label in enumerate([1.0, 4.0, "b"])
        ]
    )

    found = {m.model: m.values for m in pupil.metrics() if m.version is None}

    assert found["r"] == pytest.approx(
        {"labelled": 2, "window": 2, "mae": 1.5, "rmse": 2.5**0.5, "r2": 1 - 5 / 4.5}
    )
    assert found["c"]["accuracy"] == pytest.approx(1 / 3)
    assert "z" not in found


def test_progress_says_how_far_it_is():
    pupil = learner()
    pupil.absorb(stream(5))

    told = pupil.progress(version=7)

    assert (told.kind, told.model, told.version, told.event_time) == ("learner", "m", 7, 14)
    assert told.values == {
        "learned": 5, "seen": 5, "repeated": 0, "revised": 0, "quarantined": 0,
    }  # fmt: skip


def test_another_row_under_a_known_id_is_quarantined():
    pupil, other = learner(), learner()
    records = stream(50)
    forged = feedback(7, {"x": 0.5, "y": 0.5}, False)._replace(offset=50)

    (refused,) = pupil.absorb([*records, forged])
    other.absorb(records)

    assert decode(Quarantined, refused.value).rule == "duplicate_id"
    assert probe(pupil) == probe(other)


def test_a_revised_label_corrects_figures_and_teaches_nothing():
    pupil, other = learner(), learner()
    records = stream(50)
    revised = feedback(7, None, False, revises=True)._replace(offset=50)

    pupil.absorb([*records, revised])
    other.absorb(records)

    assert probe(pupil) == probe(other)
    assert (pupil.counts.revised, pupil.counts.learned) == (1, 50)


def test_after_a_restart_the_figures_go_on_from_the_rows_read_before():
    records = stream(50)
    before = learner()
    before.absorb(records)

    after = Learner(before.card, before.runtime.copy(), TOPICS, offsets=dict(before.offsets))
    after.remember(records)

    assert [m.values for m in after.metrics()] == [m.values for m in before.metrics()]


def test_a_time_that_is_none_moves_no_clock():
    pupil = learner()

    (refused,) = pupil.absorb([feedback(0, {"x": 0.0, "y": 0.0}, True, label_time=10**18)])

    assert decode(Quarantined, refused.value).rule == "time"
    assert pupil.event_time == 0


def test_a_model_that_is_too_large_learns_no_more_and_its_rows_are_kept():
    class Grown(RiverRuntime):
        def copy(self):
            raise ArtifactTooLarge(2, 1)

    loaded = river(schema=PLAIN)
    pupil = Learner(loaded.card, Grown(loaded.runtime._model, loaded.card), TOPICS)

    refused = pupil.absorb(stream(20))

    assert {decode(Quarantined, out.value).rule for out in refused} == {"model_full"}
    assert (len(refused), pupil.counts.learned) == (20, 0)


def test_a_card_says_which_labels_there_are():
    pupil = Learner(card(schema=PLAIN, classes=(0, 1)), river(schema=PLAIN).runtime, TOPICS)

    assert pupil.absorb([feedback(0, {"x": 0.0, "y": 0.0}, True)]) == []


def moved_rows(count, shift, start):
    rng = Random(start)
    rows = [{"x": rng.gauss(shift, 1), "y": rng.gauss(0, 1)} for _ in range(count)]
    return [feedback(start + n, row, row["x"] > shift) for n, row in enumerate(rows)]


def inputs_told(pupil):
    return [metrics.values for metrics in pupil.metrics() if metrics.kind == "inputs"]


def test_inputs_that_moved_are_told_once_with_the_figures():
    pupil = learner()
    pupil.absorb(moved_rows(5000, 0.0, 0))
    assert inputs_told(pupil) == []

    for start in range(5000, 9000, 500):
        pupil.absorb(moved_rows(500, 2.0, start))

    (told,) = inputs_told(pupil)
    assert list(told) == ["x"]
    assert told["x"] > 1
    assert inputs_told(pupil) == []


def test_who_does_not_want_to_know_looks_at_no_inputs():
    assert learner(settings=LearnSettings(inputs=InputSettings(every=0))).inputs is None
