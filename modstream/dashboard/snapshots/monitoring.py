"""What is monitored of a model at one moment: slices, calibration, drift of each feature."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from modstream.dashboard.snapshots.values import Band


@dataclass(frozen=True, slots=True)
class SliceView:
    """The labelled rows with one value of a feature, or with one pair of values of two.

    Attributes:
        name: the features with their values.
        labels: the number of rows.
        loss: the mean loss, with its band; `rest_loss` is that of all other rows.
        accuracy: the share of right classes, with its band; None of a regression.
        auc: the area under the ROC curve, None where it is not defined.
        observed: the mean label, `predicted` the mean prediction; None of several classes.
        p_value: that of the test that found the slice, adjusted for all slices that were tested;
            None if it was not searched.
    """

    name: str
    labels: int
    loss: float
    loss_band: Band
    rest_loss: float | None
    accuracy: float | None
    accuracy_band: Band | None
    auc: float | None
    observed: float | None
    predicted: float | None
    p_value: float | None


@dataclass(frozen=True, slots=True)
class FeatureSlices:
    """The slices by the values of one feature, in the order of the values."""

    feature: str
    slices: tuple[SliceView, ...]


@dataclass(frozen=True, slots=True)
class ReliabilityPoint:
    """Rows with about the same probability: its mean, and the frequency of the event.

    `low` and `high` are the ends of the frequency's 95% interval.
    """

    labels: int
    predicted: float
    observed: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class CalibrationView:
    """The calibration of the versions from `first` to `last`, over `labels` rows."""

    first: int
    last: int
    labels: int
    ece: float
    ece_by_chance: float
    rms_error: float
    points: tuple[ReliabilityPoint, ...]

    @property
    def name(self) -> str:
        """The versions in words."""
        if self.first == self.last:
            return f"version {self.first}"
        return f"versions {self.first} to {self.last}"


@dataclass(frozen=True, slots=True)
class FeatureDriftView:
    """The drift of one feature; see `FeatureDrift` in `models/evaluation/monitoring`.

    `size` is `large`, `notable` or `small`, by the customary bounds of the PSI.
    """

    feature: str
    test: str
    psi: float
    psi_by_chance: float
    statistic: float
    p_value: float
    missing_before: float
    missing_after: float
    size: str


@dataclass(frozen=True, slots=True)
class InputDriftView:
    """The drift per feature between the first and the newest rows, `rows` of each.

    `reference` and `current` are the event times of the first and last row of each window.
    """

    rows: int
    reference: tuple[int, int]
    current: tuple[int, int]
    features: tuple[FeatureDriftView, ...]


@dataclass(frozen=True, slots=True)
class MonitoringView:
    """What is monitored of a model, over the newest labelled rows.

    Attributes:
        at: when it was computed.
        loss_name: the name of the mean loss, such as `log loss`.
        labels: the number of labelled predictions, `with_features` of those whose features are
            known.
        block: the blocks of rows by which slices are compared: `day`, `hour` or `row`.
        level: the bound on the expected share of false slices among those that are found.
        tested: the number of slices that were tested, `found` of those that are worse.
        worst: the worst slices, that with the greatest loss first.
        by_feature: the slices by the values of single features.
        calibration: that of all versions, None without probabilities; `by_version` that of
            versions, or of consecutive ones together.
        drift: of the features of the stream's rows, None with too few of them.
    """

    at: int
    loss_name: str
    labels: int
    with_features: int
    block: str
    level: float
    tested: int
    found: int
    worst: tuple[SliceView, ...]
    by_feature: tuple[FeatureSlices, ...]
    calibration: CalibrationView | None
    by_version: tuple[CalibrationView, ...]
    drift: InputDriftView | None

    @property
    def has_accuracy(self) -> bool:
        """Whether slices have an accuracy."""
        return any(one.accuracy is not None for one in self._slices)

    @property
    def has_auc(self) -> bool:
        """Whether slices have an AUC."""
        return any(one.auc is not None for one in self._slices)

    @property
    def has_means(self) -> bool:
        """Whether slices have means of labels and predictions."""
        return any(one.observed is not None for one in self._slices)

    @property
    def _slices(self) -> Iterator[SliceView]:
        return chain(self.worst, *(one.slices for one in self.by_feature))
