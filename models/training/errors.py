"""The errors of training: no challenger can be trained from the collected rows.

TrainingError
├── CostsMissing        the costs of errors are incomplete, or do not apply
├── NoUsableFold        no time-ordered fold has enough classes to fit and score on
├── NotTrainable        models of this kind are not trained in batch
├── SearcherMissing     the package of a searcher is not installed
├── StudyMismatch       a shared study has trials on other rows, or with other settings
├── StudyUnusable       a shared study cannot be read or written
├── TooFewRows
├── TooFewRowsOfClass
├── TooManyRejectedRows
├── UnknownMetric       the requested metric does not apply to the task
└── UnusableTable       the columns of a table cannot be used as label and features
"""

from modstream.models.errors import ModelError


class TrainingError(ModelError):
    """No challenger can be trained from the collected rows."""


class CostsMissing(TrainingError):
    """The costs of errors, by which a decision threshold is chosen, are incomplete."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"no decision threshold can be chosen: {reason}")
        self.reason = reason


class NoUsableFold(TrainingError):
    """No fold of the time-ordered cross-validation can be fitted and scored."""

    def __init__(self, folds: int) -> None:
        super().__init__(
            f"none of the {folds} time-ordered folds has at least 3 training rows of every class"
            " and two different labels to score on; collect more feedback"
        )
        self.folds = folds


class NotTrainable(TrainingError):
    """There is no batch training for models of this task, or without probabilities."""

    def __init__(self, name: str, task: str) -> None:
        super().__init__(f"{name} is a model for {task}: such models are not trained in batch")
        self.name, self.task = name, task


class SearcherMissing(TrainingError):
    """The package of a searcher is not installed; an extra of modstream installs it."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(
            f"{what} is not installed: install it with pip install 'modstream[{extra}]', or search"
            " by successive halving"
        )
        self.what, self.extra = what, extra


class StudyMismatch(TrainingError):
    """A shared study has trials that were scored on other rows, or with other settings."""

    def __init__(self, location: str, name: str) -> None:
        super().__init__(
            f"the study {name!r} in {location} has trials on other rows, or with another metric,"
            " seed or number of folds: give all its processes the same ones, or name another study"
        )
        self.location, self.name = location, name


class StudyUnusable(TrainingError):
    """A shared study cannot be read or written."""

    def __init__(self, location: str, reason: str) -> None:
        super().__init__(f"the study in {location} cannot be used: {reason}")
        self.location, self.reason = location, reason


class TooFewRows(TrainingError):
    """There are fewer labelled rows than a reliable model needs."""

    def __init__(self, found: int, required: int) -> None:
        super().__init__(f"there are {found:,} labelled rows, at least {required:,} are needed")
        self.found, self.required = found, required


class TooFewRowsOfClass(TrainingError):
    """A class has too few rows to train or to test on."""

    def __init__(self, label: object, found: int, required: int) -> None:
        super().__init__(f"class {label!r} has {found:,} rows, at least {required:,} are needed")
        self.label, self.found, self.required = label, found, required


class TooManyRejectedRows(TrainingError):
    """Too many rows were rejected to trust the others; `rules` counts the rejections by rule."""

    def __init__(self, rejected: int, rows: int, rules: dict[str, int]) -> None:
        counts = ", ".join(f"{rule} {count:,}" for rule, count in rules.items())
        super().__init__(f"{rejected:,} of {rows:,} labelled rows were rejected: {counts}")
        self.rejected, self.rows, self.rules = rejected, rows, rules


class UnknownMetric(TrainingError):
    """The requested metric does not apply to the task."""

    def __init__(self, metric: str, known: tuple[str, ...]) -> None:
        super().__init__(f"{metric!r} is not a metric of this task: use {', '.join(known)}")
        self.metric, self.known = metric, known


class UnusableTable(TrainingError):
    """The columns of a table cannot be used as label, time and features."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the table cannot be trained on: {reason}")
        self.reason = reason
