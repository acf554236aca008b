"""The parts of a model's page that only some models have, and which of them a person has chosen."""

from dataclasses import replace

import pytest

from modstream.dashboard.web.monitoring import monitoring_values, reliability_lines
from modstream.dashboard.web.tables import Address
from tests.modstream.dashboard.web.dashboards import Dashboard
from tests.modstream.dashboard.web.views_of_state import StateOfViews, monitoring_view

HOSTILE = '"><script>alert(1)</script>'
ADDRESS = Address("/models/online", {})


def page(path="/models/online", **changes):
    """Return the text of a page; `changes` are made to the view of the model."""
    state = StateOfViews()
    made = state.model_view
    state.model_view = lambda name: replace(made(name), **changes)
    return Dashboard.of(state).browser().get(path).text


def test_the_values_of_the_feature_with_the_worst_value_are_shown_unless_another_is_chosen():
    assert "carrier: AA" in page()
    chosen = page("/models/online?feature=origin&page=2")

    assert "origin: JFK" in chosen
    assert "carrier: AA" not in chosen
    assert 'href="/models/online?feature=distance&amp;page=2#values-title"' in chosen
    assert 'href="/models/online?feature=origin&amp;page=2#values-title" aria-current' in chosen
    assert "carrier: AA" in page("/models/online?feature=unknown")


def test_worst_slices_have_labels_bands_and_adjusted_p():
    text = page()

    assert "1 of 85 slices is worse" in text
    assert "p, adjusted" in text
    assert "&lt;0.0001" in text
    assert "of those that are kept" in text


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"worst": (), "found": 0}, "None of 85 slices is worse"),
        ({"worst": (), "found": 0, "tested": 0}, "No slice has enough rows"),
        ({"calibration": None, "by_version": ()}, "The model predicts no probabilities"),
        ({"drift": None}, "Too few labelled rows with features"),
    ],
)
def test_what_is_not_known_is_said(changes, sentence):
    assert sentence in page(monitoring=replace(monitoring_view(), **changes))


def test_without_figures_only_their_absence_is_said():
    text = page(monitoring=None)

    assert "No figures yet" in text
    assert "Calibration" not in text
    assert monitoring_values(None, ADDRESS) == {"monitoring": None}


def test_pipelines_and_stored_predictions_are_hidden_where_there_are_none():
    without, with_both = page(), page("/models/frozen")

    assert "Steps of version" not in without
    assert "Pre-computed" not in without
    assert 'class="pipeline"' in with_both
    assert "modstream precompute --stale --model frozen" in with_both


def test_texts_of_features_and_definitions_are_escaped():
    view = monitoring_view()
    slices = tuple(replace(one, name=HOSTILE) for one in view.worst)
    features = tuple(replace(one, feature=HOSTILE) for one in view.by_feature)
    drift = replace(
        view.drift, features=tuple(replace(o, feature=HOSTILE) for o in view.drift.features)
    )
    hostile = replace(view, worst=slices, by_feature=features, drift=drift)

    assert "<script>alert" not in page(monitoring=hostile)


def test_a_reliability_chart_is_drawn_within_its_square():
    view = monitoring_view()
    (line,) = reliability_lines([view.calibration])

    assert len(line.dots) == len(view.calibration.points)
    assert all(46 <= x <= 286 and 10 <= y <= 250 for x, y in line.dots)
    assert line.curve.startswith(f"M{line.dots[0][0]} {line.dots[0][1]}L")
