"""Confidence bands: their values, and how often they cover the truth."""

import numpy as np
import pytest
from scipy.stats import binomtest

from modstream.dashboard.bands import band_of, share_band
from modstream.models.evaluation.metrics import regression_metrics


@pytest.mark.parametrize(("hits", "rows"), [(0, 1), (1, 1), (7, 10), (190, 200), (1999, 2000)])
def test_wilson_interval_is_that_of_scipy(hits, rows):
    expected = binomtest(hits, rows).proportion_ci(method="wilson")

    band = share_band(hits / rows, rows)

    assert (band.low, band.high) == pytest.approx((expected.low, expected.high), abs=1e-6)


def test_accuracy_has_a_wilson_band():
    band = band_of("accuracy", {"accuracy": 0.9, "auc": 0.8}, 100)

    assert band.method == "wilson"
    assert (band.low, band.high) == pytest.approx((0.8256, 0.9448), abs=1e-4)


def test_mae_has_the_normal_band_of_the_mean_of_its_errors():
    rng = np.random.default_rng(1)
    labels = rng.normal(size=500)
    values = labels + rng.normal(size=500)
    errors = np.abs(labels - values)
    metrics = regression_metrics(labels, values)

    band = band_of("mae", metrics, 500)

    half = 1.959964 * errors.std(ddof=1) / np.sqrt(500)
    assert band.method == "normal"
    assert (band.low, band.high) == pytest.approx((errors.mean() - half, errors.mean() + half))


def test_bands_of_mae_cover_the_truth_as_often_as_they_say():
    rng, covered, truth = np.random.default_rng(7), 0, np.sqrt(2 / np.pi)
    for _ in range(400):
        values = rng.normal(size=100)
        band = band_of("mae", regression_metrics(np.zeros(100), values), 100)
        covered += band.low <= truth <= band.high

    assert 0.91 <= covered / 400 <= 0.98


@pytest.mark.parametrize("metric", ["auc", "log_loss", "macro_f1", "rmse", "r2", "smape"])
def test_a_figure_whose_variance_is_unknown_has_no_band_and_says_why(metric):
    band = band_of(metric, {metric: 0.5}, 1000)

    assert (band.method, band.low, band.high) == ("none", None, None)
    assert "variance" in band.reason


def test_few_rows_have_no_normal_band():
    assert band_of("mae", {"mae": 1.0, "rmse": 2.0}, 29).method == "none"
    assert band_of("accuracy", {"accuracy": 1.0}, 0).method == "none"
