"""Guard, metrics, gate, audit, training and reports agree about which class a label is."""

import json
import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modstream.audit.columns import Column
from modstream.audit.values import ValueCodes, ValueColumn
from modstream.broker.wire.codec import decode, encode
from modstream.broker.wire.contracts import Label
from modstream.models.evaluation.version_classes import VersionLabels
from modstream.models.schema.class_labels import ClassLabels
from modstream.models.training.dataset import LabelledDataset
from modstream.processors.evaluate.scoring import score
from modstream.processors.guard.hard_rules import validate
from modstream.processors.promote.losses import class_indices, losses
from tests.processors.learn.learner_fixtures import SCHEMA_XY
from tests.processors.small_fixtures import make_card

ROW = {"x": 0.0, "y": 0.0}

numbers = st.one_of(
    st.integers(-3, 3),
    st.sampled_from([0.0, 1.0, 1.5, -1.0, 2.0, 1e300]),
    st.integers(2**53, 2**53 + 3),
    st.integers(-(2**63), 2**63 - 1),
)
words = st.sampled_from(["no", "yes", "0", "1", "2", "True", "false", "", "1.0"])
scalars = st.one_of(st.booleans(), numbers, words)
class_tuples = (
    st.sampled_from([st.booleans(), numbers, words, scalars])
    .flatmap(
        lambda kind: st.lists(kind, min_size=2, max_size=4, unique_by=lambda one: (type(one), one))
    )
    .map(tuple)
)


def guard_index(card, label):
    """Return the class that the guard lets a model learn."""
    checked = validate(card, [ROW], [label])
    if not checked.labels:
        assert checked.violations[0].rule == "label_domain"
        return None
    (learned,) = checked.labels
    return next(at for at, one in enumerate(card.classes) if one is learned)


def metric_index(card, label):
    """Return the class that the metrics score."""
    pair = score(VersionLabels.of(card), label, {"label": card.classes[0]})
    return None if pair is None else int(pair.label)


def gate_index(card, label):
    """Return the class that the promotion gate compares."""
    (index,) = class_indices(card, [label])
    return None if math.isnan(index) else int(index)


def audit_index(card, label):
    """Return the class that the audit and its report count."""
    column = ValueColumn(ValueCodes(), Column)
    column[3] = label
    index = column.array(4).indices(ClassLabels.of(card.task, card.classes).index_of)[3]
    return None if math.isnan(index) else int(index)


def training_index(card, label):
    """Return the class that a retraining fits."""
    checked = validate(card, [ROW], [label])
    dataset = LabelledDataset(card, checked.batch, checked.labels, [None], Counter())
    return int(dataset.targets()[0]) if checked.labels else None


@pytest.mark.parametrize("task", ["binary", "multiclass"])
@given(classes=class_tuples, label=scalars)
def test_all_agree_about_a_label(task, classes, label):
    card = make_card(schema=SCHEMA_XY, task=task, classes=classes)
    sent = decode(Label, encode(Label(id="r", label=label, event_time=0))).label
    expected = ClassLabels(classes).index_of(label)

    for index_of in (guard_index, metric_index, gate_index, audit_index, training_index):
        assert index_of(card, sent) == expected, index_of.__name__


@given(classes=class_tuples, data=st.data())
def test_each_class_is_its_own_label_in_any_json(classes, data):
    card = make_card(schema=SCHEMA_XY, task="multiclass", classes=classes)
    label = data.draw(st.sampled_from(classes))
    same = next(at for at, one in enumerate(classes) if one == label and is_alike(one, label))

    assert ClassLabels(classes).index_of(json.loads(json.dumps(label))) == same
    assert guard_index(card, label) == audit_index(card, label) == same


def is_alike(one, other):
    """Return whether two scalars have the same type in JSON."""
    return (type(one) is bool, type(one) is str) == (type(other) is bool, type(other) is str)


BINARY_CASES = [
    ((False, True), [False, 0, 0.0], [True, 1, 1.0], [2, "yes", "1", -1]),
    ((), [False, 0, 0.0], [True, 1, 1.0], [2, "yes", "1", -1]),
    ((0, 1), [0, 0.0, False], [1, 1.0, True], [2, "1", 0.5]),
    ((1, 2), [1, 1.0], [2, 2.0], [0, True, False, 3, "2"]),
    ((-1, 1), [-1, -1.0], [1, 1.0], [0, True, False, "1"]),
    (("no", "yes"), ["no"], ["yes"], [0, 1, True, "Yes"]),
    (("1", "2"), ["1"], ["2"], [1, 2, True]),
    ((1.5, 2.5), [1.5], [2.5], [1, 2, "1.5"]),
    ((2**53, 2**53 + 1), [2**53, float(2**53)], [2**53 + 1], [2**53 + 2]),
    (("a", 1), ["a"], [1, 1.0], [True, 0]),
]


@pytest.mark.parametrize(("classes", "negative", "positive", "foreign"), BINARY_CASES)
def test_binary_labels_of_any_classes(classes, negative, positive, foreign):
    card = make_card(schema=SCHEMA_XY, classes=classes)
    version = VersionLabels.of(card)
    labels = [*negative, *positive, *foreign]

    checked = validate(card, [ROW] * len(labels), labels)

    known = classes or (False, True)
    expected = [known[0]] * len(negative) + [known[1]] * len(positive)
    assert [(type(one), one) for one in checked.labels] == [(type(one), one) for one in expected]
    assert {one.rule for one in checked.violations} == {"label_domain"}
    assert all("is not one of the classes" in one.detail for one in checked.violations)
    truths = [score(version, label, {"probability": 0.5}) for label in labels]
    assert [one and one.label for one in truths] == [
        *[0] * len(negative), *[1] * len(positive), *[None] * len(foreign)
    ]  # fmt: skip
    found = losses(card, [0.25] * len(labels), labels)
    assert found.tolist() == [
        *[0.0625] * len(negative), *[0.5625] * len(positive), *[1.0] * len(foreign)
    ]  # fmt: skip


@pytest.mark.parametrize("label", [1, 1.0])
@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_1_and_1_0_are_one_label_in_every_task(task, label):
    classes = (0, 1) if task == "binary" else (0, 1, 2)
    checked = validate(make_card(schema=SCHEMA_XY, task=task, classes=classes), [ROW], [label])

    assert [(type(one), one) for one in checked.labels] == [(int, 1)]
