"""What every runtime promises, as functions: a new runtime is tested by being listed."""

from collections.abc import Callable, Iterator

import numpy as np

from modstream.models.errors import MissingFeature
from modstream.models.runtimes.runtime import LearningRuntime, Runtime, load
from modstream.models.schema.artifact import sha256_of
from modstream.models.schema.card import ModelCard
from modstream.models.schema.input_schema import Batch
from tests.models.runtime_cases import SCHEMA, Case, label, rows

Check = Callable[[Case], None]


def checks(name: str) -> Iterator[Check]:
    """The checks that the case of that name must pass."""
    yield check_a_batch_answers_like_a_loop_over_its_rows
    yield check_the_order_of_rows_is_kept
    yield check_predicting_never_changes_the_snapshot
    yield check_unknown_features_are_ignored
    yield check_a_missing_feature_costs_its_own_row_only
    yield check_a_snapshot_answers_like_the_original
    yield check_an_empty_batch_has_an_empty_answer
    yield check_a_string_never_seen_before_is_answered
    yield check_answers_are_finite_and_probabilities_sane
    if name.startswith("river"):
        yield check_learning_on_a_copy_leaves_the_original
        yield check_learning_in_one_batch_equals_learning_in_two
        yield (
            check_what_is_seen_often_is_no_anomaly
            if name == "river-anomaly"
            else check_learning_improves_the_answer
        )
    else:
        yield check_it_does_not_claim_to_learn


def check_a_batch_answers_like_a_loop_over_its_rows(case: Case) -> None:
    runtime, batch = case.load(), _batch(30)

    together = runtime.predict(batch)

    one_by_one = [runtime.predict(batch.take([i])) for i in range(batch.size)]
    np.testing.assert_allclose(together, np.concatenate(one_by_one), atol=1e-6)


def check_the_order_of_rows_is_kept(case: Case) -> None:
    runtime, batch = case.load(), _batch(30)
    order = np.random.default_rng(0).permutation(batch.size)

    shuffled = runtime.predict(batch.take(order.tolist()))

    np.testing.assert_allclose(shuffled, runtime.predict(batch)[order], atol=1e-6)


def check_predicting_never_changes_the_snapshot(case: Case) -> None:
    runtime = case.load()
    before = runtime.snapshot()

    runtime.predict(_batch(30))

    assert runtime.snapshot() == before


def check_unknown_features_are_ignored(case: Case) -> None:
    runtime, known = case.load(), rows(10)
    more = [row | {"z": "?", "other": 1.0} for row in known]

    answer = runtime.predict(SCHEMA.batch(more).batch)

    np.testing.assert_array_equal(answer, runtime.predict(SCHEMA.batch(known).batch))


def check_a_missing_feature_costs_its_own_row_only(case: Case) -> None:
    runtime, table = case.load(), rows(10)
    whole = runtime.predict(SCHEMA.batch(table).batch)
    del table[4]["b"]

    read = SCHEMA.batch(table)

    assert {row: type(error) for row, error in read.errors.items()} == {4: MissingFeature}
    np.testing.assert_allclose(runtime.predict(read.batch), np.delete(whole, 4, axis=0), atol=1e-6)


def check_a_snapshot_answers_like_the_original(case: Case) -> None:
    runtime, batch = case.load(), _batch(30)
    snapshot = runtime.snapshot()

    again = load(snapshot, _card_of(case, snapshot))

    np.testing.assert_array_equal(again.predict(batch), runtime.predict(batch))


def check_an_empty_batch_has_an_empty_answer(case: Case) -> None:
    answer = case.load().predict(SCHEMA.batch([]).batch)

    assert answer.shape == ((0, 3) if case.card.task == "multiclass" else (0,))


def check_a_string_never_seen_before_is_answered(case: Case) -> None:
    table = [row | {"s": "never seen"} for row in rows(3)]

    answer = case.load().predict(SCHEMA.batch(table).batch)

    assert np.isfinite(answer).all()


def check_answers_are_finite_and_probabilities_sane(case: Case) -> None:
    answer = case.load().predict(_batch(30))

    assert answer.dtype == np.float64
    assert np.isfinite(answer).all()
    if case.card.task != "regression":
        assert ((answer >= 0) & (answer <= 1 + 1e-6)).all()
    if case.card.task == "multiclass":
        np.testing.assert_allclose(answer.sum(axis=1), 1, atol=1e-6)


def check_learning_on_a_copy_leaves_the_original(case: Case) -> None:
    original, batch = _learning(case), _batch(30)
    before, answers = original.snapshot(), original.predict(batch)

    copied = original.copy()
    copied.learn(batch, _labels(case, 30))

    assert original.snapshot() == before
    np.testing.assert_array_equal(original.predict(batch), answers)
    assert copied.snapshot() != before


def check_learning_in_one_batch_equals_learning_in_two(case: Case) -> None:
    whole, parts = _learning(case), _learning(case)
    batch, labels = _batch(30), _labels(case, 30)

    whole.learn(batch, labels)
    parts.learn(batch.take(range(12)), labels[:12])
    parts.learn(batch.take(range(12, 30)), labels[12:])

    np.testing.assert_array_equal(whole.predict(batch), parts.predict(batch))


def check_learning_improves_the_answer(case: Case) -> None:
    runtime, batch = _learning(case), _batch(1)
    labels = _labels(case, 1)
    error = _error(case, runtime, batch, labels)

    for _ in range(50):
        runtime.learn(batch, labels)

    assert _error(case, runtime, batch, labels) < error


def check_what_is_seen_often_is_no_anomaly(case: Case) -> None:
    runtime, batch = _learning(case), SCHEMA.batch([rows(1)[0] | {"a": 3.0, "b": 9}]).batch
    before = runtime.predict(batch)[0]

    for _ in range(100):
        runtime.learn(batch, [True])

    assert runtime.predict(batch)[0] < before


def check_it_does_not_claim_to_learn(case: Case) -> None:
    assert not isinstance(case.load(), LearningRuntime)


def _batch(n: int) -> Batch:
    return SCHEMA.batch(rows(n, seed=2)).batch


def _labels(case: Case, n: int) -> list:
    return [label(row, case.card.task) for row in rows(n, seed=2)]


def _learning(case: Case) -> LearningRuntime:
    runtime = case.load()
    assert isinstance(runtime, LearningRuntime)
    return runtime


def _card_of(case: Case, artifact: bytes) -> ModelCard:
    return case.card.model_copy(update={"sha256": sha256_of(artifact), "size": len(artifact)})


def _error(case: Case, runtime: Runtime, batch: Batch, labels: list) -> float:
    (answer,), (truth,) = runtime.predict(batch), labels
    if case.card.task == "multiclass":
        return 1 - answer[case.card.classes.index(truth)]
    return abs(float(truth) - answer)
