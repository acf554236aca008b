"""The plots of a training report: confusion and calibration of classes, errors of values."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap

from modstream.models.evaluation.metrics import Answer
from modstream.models.training.train import Trained
from modstream.report.plots import INK, MODELS, MUTED

BINS = 10
MOST_CLASSES = 20

Floats = npt.NDArray[np.float64]


def confusion(axes: Axes, trained: Trained) -> None:
    """Rows of the held-back part by true class and by the class that was answered."""
    names = [str(label) for label in trained.draft.classes]
    counts = np.zeros((len(names), len(names)), dtype=int)
    for truth, answer in zip(trained.truths, trained.answers, strict=True):
        true = int(truth) if trained.draft.task == "binary" else names.index(str(truth))
        counts[true, said_class(names, answer)] += 1
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    shades = LinearSegmentedColormap.from_list("shades", ["#ffffff00", "#0072b2aa"])
    axes.imshow(shares, cmap=shades, vmin=0, vmax=1, aspect="auto")
    for (row, column), count in np.ndenumerate(counts):
        axes.text(column, row, f"{count:,}", ha="center", va="center", color=INK)
    axes.set_xticks(range(len(names)), names, parse_math=False)
    axes.set_yticks(range(len(names)), names, parse_math=False)
    axes.grid(visible=False)
    axes.set_xlabel("answered")
    axes.set_ylabel("true")


def calibration(axes: Axes, trained: Trained) -> None:
    """How often it was so, by how likely it was said to be; on the diagonal all is as said."""
    said, was = probabilities(trained)
    axes.plot([0, 1], [0, 1], "--", color=MUTED, linewidth=1.0)
    axes.plot(*binned(said, was), "o-", color=MODELS[0], markersize=4, linewidth=1.6)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.set_xlabel("probability answered")
    axes.set_ylabel("share that was true")


def residuals(axes: Axes, trained: Trained) -> None:
    """True values over the answered ones; on the diagonal there is no error."""
    said = np.array(trained.answers, dtype=float)
    was = np.array(trained.truths, dtype=float)
    ends = [float(min(said.min(), was.min())), float(max(said.max(), was.max()))]
    axes.plot(ends, ends, "--", color=MUTED, linewidth=1.0)
    axes.plot(said, was, ".", color=MODELS[0], markersize=3, alpha=0.6)
    axes.set_xlabel("answered")
    axes.set_ylabel("true")


def said_class(names: Sequence[str], answer: Answer) -> int:
    """The place of the class that an answer means: of two the second from probability 0.5 on."""
    if isinstance(answer, Mapping):
        return names.index(max(answer, key=lambda name: answer[name]))
    return int(isinstance(answer, int | float) and answer >= 0.5)


def probabilities(trained: Trained) -> tuple[Floats, Floats]:
    """Each probability that was answered, and 1 where it came true: of two classes the second."""
    if trained.draft.task == "binary":
        return np.array(trained.answers, dtype=float), np.array(trained.truths, dtype=float)
    pairs = [
        (share, float(name == str(truth)))
        for truth, answer in zip(trained.truths, trained.answers, strict=True)
        if isinstance(answer, Mapping)
        for name, share in answer.items()
    ]
    said, came = zip(*pairs, strict=True)
    return np.array(said), np.array(came)


def binned(said: Floats, was: Floats) -> tuple[list[float], list[float]]:
    """Mean probability and mean truth of ten equal bins; empty ones are left out."""
    places = np.minimum((said * BINS).astype(int), BINS - 1)
    filled = [places == place for place in range(BINS) if (places == place).any()]
    return [float(said[one].mean()) for one in filled], [float(was[one].mean()) for one in filled]
