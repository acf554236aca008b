"""The contract of every runtime, as check functions that take a `RuntimeCase`."""

from collections.abc import Callable, Iterator

import numpy as np

from modstream.models.errors import MissingFeature
from modstream.models.runtimes.runtime import LearningRuntime, Runtime, load
from modstream.models.schema.artifact import Artifact
from modstream.models.schema.card import ModelCard
from modstream.models.schema.input_schema import Batch
from tests.models.runtime_cases import SCHEMA, RuntimeCase, label_of, random_rows

Check = Callable[[RuntimeCase], None]


def checks(name: str) -> Iterator[Check]:
    """Yield the checks that the named case has to pass."""
    yield check_a_batch_equals_a_loop_over_its_rows
    yield check_the_order_of_rows_is_kept
    yield check_predicting_never_changes_the_snapshot
    yield check_unknown_features_are_ignored
    yield check_a_missing_feature_rejects_only_its_own_row
    yield check_a_snapshot_predicts_like_the_original
    yield check_an_empty_batch_has_an_empty_output
    yield check_an_unseen_string_has_a_prediction
    yield check_outputs_are_finite_and_probabilities_valid
    if name.startswith("river"):
        yield check_learning_on_a_copy_does_not_change_the_original
        yield check_learning_in_one_batch_equals_learning_in_two
        yield (
            check_a_frequent_row_becomes_less_anomalous
            if name == "river-anomaly"
            else check_learning_reduces_the_error
        )
    else:
        yield check_it_is_not_a_learning_runtime


def check_a_batch_equals_a_loop_over_its_rows(case: RuntimeCase) -> None:
    runtime, batch = case.load(), _batch(30)

    together = runtime.predict(batch)

    one_by_one = [runtime.predict(batch.take([i])) for i in range(batch.size)]
    np.testing.assert_allclose(together, np.concatenate(one_by_one), atol=1e-6)


def check_the_order_of_rows_is_kept(case: RuntimeCase) -> None:
    runtime, batch = case.load(), _batch(30)
    order = np.random.default_rng(0).permutation(batch.size)

    shuffled = runtime.predict(batch.take(order.tolist()))

    np.testing.assert_allclose(shuffled, runtime.predict(batch)[order], atol=1e-6)


def check_predicting_never_changes_the_snapshot(case: RuntimeCase) -> None:
    runtime = case.load()
    before = runtime.snapshot()

    runtime.predict(_batch(30))

    assert runtime.snapshot() == before


def check_unknown_features_are_ignored(case: RuntimeCase) -> None:
    runtime, known = case.load(), random_rows(10)
    more = [row | {"z": "?", "other": 1.0} for row in known]

    output = runtime.predict(SCHEMA.parse_rows(more).batch)

    np.testing.assert_array_equal(output, runtime.predict(SCHEMA.parse_rows(known).batch))


def check_a_missing_feature_rejects_only_its_own_row(case: RuntimeCase) -> None:
    runtime, table = case.load(), random_rows(10)
    whole = runtime.predict(SCHEMA.parse_rows(table).batch)
    del table[4]["b"]

    read = SCHEMA.parse_rows(table)

    assert {row: type(error) for row, error in read.errors.items()} == {4: MissingFeature}
    np.testing.assert_allclose(runtime.predict(read.batch), np.delete(whole, 4, axis=0), atol=1e-6)


def check_a_snapshot_predicts_like_the_original(case: RuntimeCase) -> None:
    runtime, batch = case.load(), _batch(30)
    snapshot = runtime.snapshot()

    again = load(Artifact(snapshot), _card_of(case, snapshot))

    np.testing.assert_array_equal(again.predict(batch), runtime.predict(batch))


def check_an_empty_batch_has_an_empty_output(case: RuntimeCase) -> None:
    output = case.load().predict(SCHEMA.parse_rows([]).batch)

    assert output.shape == ((0, 3) if case.card.task == "multiclass" else (0,))


def check_an_unseen_string_has_a_prediction(case: RuntimeCase) -> None:
    table = [row | {"s": "never seen"} for row in random_rows(3)]

    output = case.load().predict(SCHEMA.parse_rows(table).batch)

    assert np.isfinite(output).all()


def check_outputs_are_finite_and_probabilities_valid(case: RuntimeCase) -> None:
    output = case.load().predict(_batch(30))

    assert output.dtype == np.float64
    assert np.isfinite(output).all()
    if case.card.task != "regression":
        assert ((output >= 0) & (output <= 1 + 1e-6)).all()
    if case.card.task == "multiclass":
        np.testing.assert_allclose(output.sum(axis=1), 1, atol=1e-6)


def check_learning_on_a_copy_does_not_change_the_original(case: RuntimeCase) -> None:
    original, batch = _load_learning(case), _batch(30)
    before, outputs = original.snapshot(), original.predict(batch)

    duplicate = original.copy()
    duplicate.learn(batch, _labels(case, 30))

    assert original.snapshot() == before
    np.testing.assert_array_equal(original.predict(batch), outputs)
    assert duplicate.snapshot() != before


def check_learning_in_one_batch_equals_learning_in_two(case: RuntimeCase) -> None:
    whole, parts = _load_learning(case), _load_learning(case)
    batch, labels = _batch(30), _labels(case, 30)

    whole.learn(batch, labels)
    parts.learn(batch.take(range(12)), labels[:12])
    parts.learn(batch.take(range(12, 30)), labels[12:])

    np.testing.assert_array_equal(whole.predict(batch), parts.predict(batch))


def check_learning_reduces_the_error(case: RuntimeCase) -> None:
    runtime, batch = _load_learning(case), _batch(1)
    labels = _labels(case, 1)
    error = _error(case, runtime, batch, labels)

    for _ in range(50):
        runtime.learn(batch, labels)

    assert _error(case, runtime, batch, labels) < error


def check_a_frequent_row_becomes_less_anomalous(case: RuntimeCase) -> None:
    runtime = _load_learning(case)
    batch = SCHEMA.parse_rows([random_rows(1)[0] | {"a": 3.0, "b": 9}]).batch
    before = runtime.predict(batch)[0]

    for _ in range(100):
        runtime.learn(batch, [True])

    assert runtime.predict(batch)[0] < before


def check_it_is_not_a_learning_runtime(case: RuntimeCase) -> None:
    assert not isinstance(case.load(), LearningRuntime)


def _batch(n: int) -> Batch:
    return SCHEMA.parse_rows(random_rows(n, seed=2)).batch


def _labels(case: RuntimeCase, n: int) -> list:
    return [label_of(row, case.card.task) for row in random_rows(n, seed=2)]


def _load_learning(case: RuntimeCase) -> LearningRuntime:
    runtime = case.load()
    assert isinstance(runtime, LearningRuntime)
    return runtime


def _card_of(case: RuntimeCase, artifact: bytes) -> ModelCard:
    return case.card.model_copy(update={"sha256": Artifact(artifact).sha256, "size": len(artifact)})


def _error(case: RuntimeCase, runtime: Runtime, batch: Batch, labels: list) -> float:
    (output,), (label,) = runtime.predict(batch), labels
    if case.card.task == "multiclass":
        return 1 - output[case.card.classes.index(label)]
    return abs(float(label) - output)
