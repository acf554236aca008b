"""Training of a challenger from labelled rows: check, split, search, fit, export, test."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version

from modstream.models.evaluation.metrics import PredictedValue, compute_metrics
from modstream.models.importers.sklearn import ExportedModel
from modstream.models.importers.sklearn_samples import MAX_CARD_ROWS, card_rows, rows_of
from modstream.models.schema.columns import Scalar
from modstream.models.schema.version_spec import VersionSpec
from modstream.models.training.acceptance import (
    ConfidenceInterval,
    compare_with_champion,
    find_rejection_reasons,
    selection_metric,
)
from modstream.models.training.budget import Spent, Stopwatch
from modstream.models.training.costs import (
    DecisionThreshold,
    ErrorCosts,
    choose_threshold,
    measure_threshold,
)
from modstream.models.training.dataset import (
    LabelledDataset,
    check_trainable,
    split_by_time,
)
from modstream.models.training.error_analysis import ErrorAnalysis, analyse_errors
from modstream.models.training.errors import CostsMissing
from modstream.models.training.final_fit import fit_first_exportable, predict
from modstream.models.training.folds import TimeOrderedFolds
from modstream.models.training.search import ProgressCallback, SearchResult, search
from modstream.models.training.selection import order_by_simplicity
from modstream.models.training.settings import TrainSettings
from modstream.models.training.shared_search import join_study
from modstream.models.training.trials import ModelOutputs, ModelTrial, as_predictions

MAX_GOLDEN_ROWS = 500
"""Largest number of rows on which an ONNX export is compared with the original."""

TestRows = Callable[[], LabelledDataset]
"""Opens the rows of a test set; it is called once, after the model was fitted and exported."""
OnTest = Callable[[LabelledDataset], None]
"""Receives the rows that the model is tested on."""
ModelSearch = Callable[[LabelledDataset, str, TrainSettings, ProgressCallback], SearchResult]
"""Searches for models of the rows by a metric."""


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """A fitted challenger and the result of its test on the newest rows.

    `trials` are all trials, the best first; `chosen` is the best that a worker can load. `metrics`
    are over all test rows, of which `labels` and `predictions` are the metric labels and the
    challenger's predictions. `champion_on_overlap` and `challenger_on_overlap` are the metrics over
    the test rows that the champion predicted at serving time, and `gain` is the challenger's
    improvement there by `metric`; all three are empty or None if there are too few such rows.
    `rejection_reasons` are the reasons not to publish the challenger. `searched` and `spent` are
    the times of the search and of the whole training. `decision` is None without costs of errors.
    """

    spec: VersionSpec
    artifact: bytes
    metric: str
    trials: tuple[ModelTrial, ...]
    chosen: ModelTrial
    metrics: Mapping[str, float]
    champion_on_overlap: Mapping[str, float]
    challenger_on_overlap: Mapping[str, float]
    gain: ConfidenceInterval | None
    rejection_reasons: tuple[str, ...]
    labels: Sequence[Scalar]
    predictions: Sequence[PredictedValue]
    analysis: ErrorAnalysis
    searched: Spent
    spent: Spent
    decision: DecisionThreshold | None = None

    @property
    def is_accepted(self) -> bool:
        """Whether there is no reason to reject the challenger."""
        return not self.rejection_reasons


def train(
    dataset: LabelledDataset,
    settings: TrainSettings,
    on_progress: ProgressCallback,
    open_test: TestRows | None = None,
    on_test: OnTest = lambda _: None,
    search_models: ModelSearch = search,
) -> TrainingResult:
    """Train a challenger on all but the newest rows and test it on the newest.

    Args:
        dataset: the rows, oldest first.
        settings: how it is trained, and what it must reach.
        on_progress: receives the current step and the completed share, 0 to 1.
        open_test: opens the test rows, if they are not the newest rows of `dataset`.
        on_test: receives the test rows when they are used.
        search_models: searches for models; see `shared_search` for one of several processes.

    Raises:
        TrainingError: there are too few rows or usable folds, too many rejected rows, the metric or
            the costs do not fit the task, or models of its kind are not trained in batch.
        ArtifactError: no trial can be exported to a format that a worker loads.
    """
    watch = Stopwatch()
    check_trainable(dataset, settings)
    metric = selection_metric(dataset.card.task, settings.metric)
    costs = _costs_of(dataset, settings)
    older, open_rows = _split(dataset, settings, open_test)
    trials, folds = search_models(older, metric, settings, on_progress)
    searched = watch.spent()
    on_progress("fitting and exporting the best", 1.0)
    golden = older.batch.take(range(max(0, older.batch.size - MAX_GOLDEN_ROWS), older.batch.size))
    in_order = order_by_simplicity([one for one in trials if one.outputs.size], metric)
    chosen, model, exported = fit_first_exportable(in_order, older, golden, settings.threads)
    on_progress("analysing the errors", 1.0)
    analysis = analyse_errors(older, folds, chosen, trials)
    on_progress("testing the best", 1.0)
    tested = open_rows()
    on_test(tested)
    outputs = predict(model, tested)
    predictions = as_predictions(outputs, dataset.card.task)
    metrics = compute_metrics(tested.metric_labels(), predictions, dataset.card.task)
    decision = None if costs is None else _decide(folds, chosen, tested, outputs, costs)
    champion, challenger, gain = compare_with_champion(tested, predictions, metric, settings)
    compared = gain if settings.compare_champion else None
    reasons = find_rejection_reasons(metrics, metric, settings.threshold, compared)
    fitted = older
    if settings.fit_all and open_test is None and not reasons:
        on_progress("fitting the best to all rows", 1.0)
        fitted = dataset
        exported = fit_first_exportable([chosen], dataset, golden, settings.threads).exported
    return TrainingResult(
        spec=_challenger_spec(fitted, chosen, exported, metrics, decision),
        artifact=exported.artifact,
        metric=metric,
        trials=tuple(trials),
        chosen=chosen,
        metrics=metrics,
        champion_on_overlap=champion,
        challenger_on_overlap=challenger,
        gain=gain,
        rejection_reasons=tuple(reasons),
        labels=tested.metric_labels(),
        predictions=predictions,
        analysis=analysis,
        searched=searched,
        spent=watch.spent(),
        decision=decision,
    )


def join_search(
    dataset: LabelledDataset,
    settings: TrainSettings,
    location: str,
    on_progress: ProgressCallback,
    open_test: TestRows | None = None,
) -> int:
    """Take trials of a search that another process ends with `train`; return how many.

    Args:
        dataset: the same rows as those of the other process.
        settings: the same settings; the budget is that of this process.
        location: the study, a file or the URL of a database.
        on_progress: receives the current step and the completed share, 0 to 1.
        open_test: as in `train`; it is not called.

    Raises:
        TrainingError: as in `train`, or the study cannot be used.
    """
    check_trainable(dataset, settings)
    metric = selection_metric(dataset.card.task, settings.metric)
    older, _ = _split(dataset, settings, open_test)
    return join_study(location, older, metric, settings, on_progress)


def _split(
    dataset: LabelledDataset, settings: TrainSettings, open_test: TestRows | None
) -> tuple[LabelledDataset, TestRows]:
    """Return the rows to train on, and what opens those to test on."""
    if open_test is not None:
        return dataset, open_test
    older, newest = split_by_time(dataset, settings)
    return older, lambda: newest


def _costs_of(dataset: LabelledDataset, settings: TrainSettings) -> ErrorCosts | None:
    costs = ErrorCosts.of(settings.cost_false_positive, settings.cost_false_negative)
    if costs is not None and dataset.card.task != "binary":
        raise CostsMissing(f"a {dataset.card.task} model has no false positives")
    return costs


def _decide(
    folds: TimeOrderedFolds,
    chosen: ModelTrial,
    tested: LabelledDataset,
    outputs: ModelOutputs,
    costs: ErrorCosts,
) -> DecisionThreshold:
    """Choose a threshold on the rows of the folds, and measure it on the test rows."""
    threshold = choose_threshold(
        folds.targets[folds.scored_rows].astype("int64"), chosen.outputs, costs
    )
    return measure_threshold(threshold, tested.targets().astype("int64"), outputs, costs)


def _challenger_spec(
    fitted: LabelledDataset,
    chosen: ModelTrial,
    exported: ExportedModel,
    metrics: Mapping[str, float],
    decision: DecisionThreshold | None,
) -> VersionSpec:
    packages = ("scikit-learn", "optuna", exported.library)
    sample_count = min(fitted.batch.size, MAX_CARD_ROWS)
    decided = {} if decision is None else {"decision_threshold": decision.threshold}
    return VersionSpec(
        name=fitted.card.name,
        runtime=exported.runtime,
        task=fitted.card.task,
        classes=fitted.classes,
        input_schema=exported.schema,
        fidelity=exported.fidelity,
        sample_rows=card_rows(rows_of(exported.schema, fitted.batch.take(range(sample_count)))),
        parent=fitted.card.version if fitted.has_champion else None,
        metrics={**metrics, **decided, "trained_on": len(fitted.labels)},
        libraries={package: version(package) for package in packages},
        note=f"retrained: {chosen.name} on {len(fitted.labels):,} rows",
    )
