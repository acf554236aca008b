"""Plots of a training report: confusion and calibration of classes, errors of values."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap

from modstream.models.evaluation.arrays import FloatArray
from modstream.models.evaluation.metrics import PredictedValue, most_probable
from modstream.models.schema.class_labels import show_label
from modstream.models.training.train import TrainingResult
from modstream.report.plots import INK, MODEL_COLOURS, MUTED

BINS = 10
MAX_NAME_LENGTH = 20
"""Maximum length of a class' name at an axis."""
MAX_CLASSES = 20
"""Maximum number of classes for which the confusion matrix is drawn."""


def plot_confusion(axes: Axes, training: TrainingResult) -> None:
    """Draw the numbers of test rows by true class and by predicted class."""
    names = [show_label(one, quote=False)[:MAX_NAME_LENGTH] for one in training.spec.classes]
    counts = np.zeros((len(names), len(names)), dtype=int)
    for label, prediction in zip(training.labels, training.predictions, strict=True):
        counts[int(label), predicted_class(prediction)] += 1
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    shades = LinearSegmentedColormap.from_list("shades", ["#ffffff00", "#0072b2aa"])
    axes.imshow(shares, cmap=shades, vmin=0, vmax=1, aspect="auto")
    for (row, column), count in np.ndenumerate(counts):
        axes.text(column, row, f"{count:,}", ha="center", va="center", color=INK)
    axes.set_xticks(range(len(names)), names, parse_math=False)
    axes.set_yticks(range(len(names)), names, parse_math=False)
    axes.grid(visible=False)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")


def plot_calibration(axes: Axes, training: TrainingResult) -> None:
    """Draw the observed share over the predicted probability; the diagonal is perfect."""
    predicted, observed = predicted_probabilities(training)
    axes.plot([0, 1], [0, 1], "--", color=MUTED, linewidth=1.0)
    bins = reliability_bins(predicted, observed)
    axes.plot(*bins, "o-", color=MODEL_COLOURS[0], markersize=4, linewidth=1.6)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.set_xlabel("predicted probability")
    axes.set_ylabel("observed share")


def plot_residuals(axes: Axes, training: TrainingResult) -> None:
    """Draw the labels over the predicted values; on the diagonal the error is 0."""
    predicted = np.array(training.predictions, dtype=float)
    labels = np.array(training.labels, dtype=float)
    ends = [
        float(min(predicted.min(), labels.min())),
        float(max(predicted.max(), labels.max())),
    ]
    axes.plot(ends, ends, "--", color=MUTED, linewidth=1.0)
    axes.plot(predicted, labels, ".", color=MODEL_COLOURS[0], markersize=3, alpha=0.6)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")


def predicted_class(prediction: PredictedValue) -> int:
    """Return the index of the most likely class; of two, the second from probability 0.5 on."""
    if isinstance(prediction, Mapping):
        return int(most_probable(prediction))
    return int(isinstance(prediction, int | float) and prediction >= 0.5)


def predicted_probabilities(training: TrainingResult) -> tuple[FloatArray, FloatArray]:
    """Return every predicted probability, and 1 where its class is the label, else 0.

    For a binary task, only the probabilities of the second class are returned.
    """
    if training.spec.task == "binary":
        return np.array(training.predictions, dtype=float), np.array(training.labels, dtype=float)
    pairs = [
        (probability, float(name == str(label)))
        for label, prediction in zip(training.labels, training.predictions, strict=True)
        if isinstance(prediction, Mapping)
        for name, probability in prediction.items()
    ]
    predicted, observed = zip(*pairs, strict=True)
    return np.array(predicted), np.array(observed)


def reliability_bins(
    predicted: FloatArray, observed: FloatArray
) -> tuple[list[float], list[float]]:
    """Return the mean probability and the observed share of each of ten equal, non-empty bins."""
    bins = np.minimum((predicted * BINS).astype(int), BINS - 1)
    filled = [bins == index for index in range(BINS) if (bins == index).any()]
    shares = [float(observed[one].mean()) for one in filled]
    return [float(predicted[one].mean()) for one in filled], shares
