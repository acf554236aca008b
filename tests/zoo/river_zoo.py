"""Every estimator of River: imported, served equal to River, taught, and served equal again."""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from river import base
from river.time_series.base import Forecaster

from modstream.models.errors import ModelError
from modstream.models.importers.description import ModelDescription
from modstream.models.importers.imported_model import ImportedModel
from modstream.models.importers.river import import_river
from modstream.models.runtimes.river.artifact import UnpackedModel
from modstream.models.schema.columns import Scalar
from modstream.models.schema.version_spec import VersionSpec
from modstream.services.version_publisher import INHERITED_FIELDS
from tests.zoo.engine import LoadedModel, load_imported
from tests.zoo.results import ZooResult
from tests.zoo.river_answers import Wrong, compare_answers
from tests.zoo.river_models import RiverCase, Row, cases, copy_of, learn, rows, value_of

STAGES = (0, 1, 300)
"""The numbers of rows that a model has learned before it is published."""
_ASKED, _TAUGHT = 6, 12
_BOOLEANS = (False, True)
_CLASSES: tuple[tuple[Scalar, ...], ...] = (_BOOLEANS, (1, 2), ("no", "yes"), ("low", "mid", "top"))


@dataclass(frozen=True, slots=True)
class Trial:
    """A model that has learned rows by River's own means, and the labels of its rows.

    `classes` are the card's, `own` the labels that River's model uses for them.
    """

    case: RiverCase
    stage: int
    classes: tuple[Scalar, ...] = ()
    own: tuple[Scalar, ...] = ()

    @property
    def labels(self) -> dict[Any, Scalar]:
        """The card's classes by River's own labels."""
        return dict(zip(self.own, self.classes, strict=True))

    def card_label(self, row: Row) -> Any:
        """Return a row's label as the stream has it."""
        return self._label(row, self.classes)

    def own_label(self, model: Any, row: Row) -> Any:
        """Return a row's label as River's model learns it."""
        value = value_of(row)
        if isinstance(model, base.MultiTargetRegressor):
            return {"p": value, "q": -value}
        if isinstance(model, base.MultiLabelClassifier):
            return {"p": value > 0, "q": value > 1}
        return self._label(row, self.own)

    def _label(self, row: Row, classes: Sequence[Scalar]) -> Scalar:
        value = value_of(row)
        if not classes:
            return abs(value) + 0.1
        if len(classes) > 2:
            return classes[0 if value < -0.5 else 1 if value < 0.5 else 2]
        return classes[value > 0]


def trials(case: RiverCase, stage: int) -> Iterator[Trial]:
    """Yield a trial for each kind of classes that a case can have."""
    model = case.make()
    if not isinstance(model, base.Classifier):
        yield Trial(case, stage)
        return
    multiclass = model._multiclass
    if multiclass() if callable(multiclass) else multiclass:
        yield from (Trial(case, stage, classes, classes) for classes in _CLASSES)
    else:
        yield from (Trial(case, stage, classes, _BOOLEANS) for classes in _CLASSES[:3])


def results(stages: Sequence[int] = STAGES) -> list[ZooResult]:
    """Return what became of every estimator after each number of learned rows."""
    return [result_of(case, stage) for case in cases() for stage in stages]


def result_of(case: RiverCase, stage: int) -> ZooResult:
    """Return the worst result of a case's trials."""
    name = f"{case.name}, {'untrained' if not stage else f'{stage} rows'}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some models diverge, and numpy warns of it
        return _worst(name, case, stage)


def _worst(name: str, case: RiverCase, stage: int) -> ZooResult:
    largest, refusals, count = 0.0, [], 0
    for trial in trials(case, stage):
        count += 1
        try:
            largest = max(largest, try_one(trial))
        except ModelError as error:
            refusals.append(str(error))
        except Wrong as error:
            return ZooResult("river", name, error.outcome, sentence=f"{trial.classes}: {error}")
    if len(refusals) == count:
        return ZooResult("river", name, "refused", sentence=refusals[0])
    sentence = f"but refused with other classes: {refusals[0]}" if refusals else ""
    return ZooResult("river", name, "served", largest, sentence)


def try_one(trial: Trial) -> float:
    """Publish a model, ask it, teach it and ask again; return the largest difference from River.

    Raises:
        ModelError: it is refused.
        Wrong: it answers otherwise than River.
    """
    twin = trial.case.make()
    if not hasattr(twin, "learn_one"):
        publish(trial, twin)
    table = rows(trial.case, trial.stage + _ASKED + _TAUGHT)
    for row in table[: trial.stage]:
        learn(twin, row, trial.own_label(twin, row))
    asked, taught = table[trial.stage :][:_ASKED], table[trial.stage :][:_TAUGHT]
    loaded = load_imported(publish(trial, twin))
    largest = compare(trial, twin, loaded, asked, trial.stage)
    if not hasattr(loaded.runtime, "learn"):
        return largest
    batch = loaded.card.input_schema.parse_rows(taught).batch
    loaded.runtime.learn(batch, [trial.card_label(row) for row in taught])
    for row in taught:
        learn(twin, row, trial.own_label(twin, row))
    spec = next_spec(loaded)
    again = load_imported(ImportedModel(spec, loaded.runtime.snapshot()))
    later = rows(trial.case, trial.stage + _ASKED + _TAUGHT)[trial.stage + _TAUGHT :]
    return max(largest, compare(trial, twin, again, later, trial.stage + _TAUGHT))


def publish(trial: Trial, model: Any) -> ImportedModel:
    """Import a copy of a model; a classifier that has learned many rows says its own classes."""
    # Some rows have no value for the first of three classes.
    says_classes = trial.stage > 1 and trial.classes == trial.own and len(trial.classes) < 3
    description = ModelDescription(
        features=trial.case.features, classes=() if says_classes else trial.classes
    )
    period = trial.stage - 1 if trial.stage and isinstance(model, Forecaster) else None
    return import_river("m", UnpackedModel(copy_of(model), period), description)


def next_spec(loaded: LoadedModel) -> VersionSpec:
    """Return the description of the version that a learner publishes next."""
    fields = {name: getattr(loaded.card, name) for name in INHERITED_FIELDS}
    return VersionSpec(**fields, input_schema=loaded.card.input_schema)


def compare(
    trial: Trial, twin: Any, loaded: LoadedModel, asked: Sequence[Row], learned: int
) -> float:
    """Return the largest difference between a served model's answers and River's.

    Raises:
        Wrong: an answer differs by more than the tolerance, or there is none.
    """
    return compare_answers(trial.labels, twin, loaded, asked, learned)
