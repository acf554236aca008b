"""The newest labelled rows, and what is monitored of them."""

import math

import pytest

from modstream.broker.wire.contracts import Feedback, JoinedPrediction
from modstream.dashboard.labelled_rows import LabelledRows
from modstream.dashboard.monitoring_views import MIN_LABELS, monitoring_views
from modstream.models.evaluation.version_classes import VersionClasses
from tests.modstream.dashboard.feedback_rows import WORST, KnownVersions, make_feedback

NOW = 1_764_435_600_000


def rows_of(feedback, limit=20_000, **classes):
    rows = LabelledRows(KnownVersions(**classes), limit)
    for one in feedback:
        rows.add(one)
    return rows


@pytest.fixture(scope="module")
def view():
    return monitoring_views(rows_of(make_feedback(3000)), NOW)["online"]


def test_the_worst_slice_is_found_with_its_band_and_its_adjusted_p(view):
    worst = view.worst[0]

    assert WORST in worst.name
    assert worst.p_value <= view.level < 1
    assert worst.loss_band.low < worst.loss < worst.loss_band.high
    assert worst.rest_loss < worst.loss_band.low
    assert worst.accuracy_band.method == "wilson"
    assert worst.predicted > worst.observed
    assert 100 <= worst.labels < view.labels == 3000
    assert len(view.worst) <= view.found <= view.tested


def test_each_feature_has_slices_by_value_that_cover_all_rows(view):
    by_feature = {one.feature: one.slices for one in view.by_feature}

    assert set(by_feature) == {"carrier", "origin", "temperature", "distance"}
    assert sum(one.labels for one in by_feature["carrier"]) == view.with_features == 3000
    assert {one.p_value for slices in by_feature.values() for one in slices} == {None}


def test_calibration_is_that_of_each_version_and_of_all(view):
    assert [one.name for one in view.by_version] == ["version 11", "version 12", "version 13"]
    assert view.calibration.labels == sum(one.labels for one in view.by_version) == 3000
    assert view.calibration.ece > view.calibration.ece_by_chance
    for point in view.calibration.points:
        assert point.low <= point.observed <= point.high


def test_drift_is_that_of_the_feature_that_has_moved_and_states_both_windows(view):
    first = view.drift.features[0]

    assert (first.feature, first.size, first.test) == ("temperature", "large", "ks")
    assert first.p_value < 1e-6
    assert {one.size for one in view.drift.features[1:]} == {"small"}
    assert view.drift.rows == 1000
    assert view.drift.reference[1] < view.drift.current[0]


def test_only_the_newest_rows_are_kept():
    feedback = list(make_feedback(400))
    rows = rows_of(feedback, limit=100)
    monitored = rows.monitored("online")

    assert len(rows) == len(monitored) == 100
    assert monitored.has_features.all()
    assert monitored.predicted_at.tolist() == [one.event_time for one in feedback[-100:]]
    assert monitored.columns["distance"].numbers.tolist() == [
        one.features["distance"] for one in feedback[-100:]
    ]


def test_a_corrected_label_replaces_the_one_before():
    feedback = list(make_feedback(3))
    first = feedback[0]
    corrected = first.model_copy(
        update={"label": not first.label, "revises": first.label, "features": None}
    )
    unknown = corrected.model_copy(update={"id": "r-unknown"})

    labels = rows_of([*feedback, corrected, unknown]).monitored("online").rows.labels

    assert labels.tolist() == [not first.label, *(one.label for one in feedback[1:])]


def test_several_classes_have_positions_and_the_highest_probability():
    outputs = {"probabilities": {"a": 0.2, "b": 0.7, "c": 0.1}, "label": "b"}
    joined = JoinedPrediction(model="m", version=1, outputs=outputs)
    one = Feedback(id="r", label="c", predictions=(joined,), event_time=1, label_time=2)

    monitored = rows_of([one], task="multiclass", classes=("a", "b", "c")).monitored("m")

    assert monitored.rows.task == "multiclass"
    assert (monitored.rows.labels[0], monitored.rows.predictions[0]) == (2, 1)
    assert monitored.confidences[0] == 0.7
    assert not monitored.has_features[0]


def test_a_regression_has_no_accuracy_and_no_calibration():
    rows = LabelledRows(KnownVersions("regression", ()))
    for number in range(200):
        joined = JoinedPrediction(model="m", version=1, outputs={"value": number % 7})
        features = {"kind": "even" if number % 2 else "odd"}
        rows.add(
            Feedback(
                id=f"r-{number}",
                label=float(number % 5),
                features=features,
                predictions=(joined,),
                event_time=number,
                label_time=number,
            )
        )

    view = monitoring_views(rows, NOW)["m"]

    assert (view.loss_name, view.has_accuracy, view.has_auc, view.has_means) == (
        *("MAE", False, False, True),
    )
    assert (view.calibration, view.by_version) == (None, ())
    assert all(math.isfinite(one.loss) for one in view.by_feature[0].slices)


@pytest.mark.parametrize("count", [0, MIN_LABELS - 1])
def test_too_few_labels_have_no_figures(count):
    assert monitoring_views(rows_of(make_feedback(count)), NOW) == {}


def test_predictions_of_unknown_versions_are_left_out():
    rows = LabelledRows(VersionClasses())
    for one in make_feedback(50):
        rows.add(one)

    assert rows.models() == []
    assert monitoring_views(rows, NOW) == {}
