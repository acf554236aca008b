"""A pipeline at one moment, and the predictions that a store keeps."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StepView:
    """A step of a pipeline.

    Attributes:
        name: its name.
        kind: what it is, such as `model risk champion` or `transform`.
        model: the model that it asks, "" if it asks none.
        version: the version that it would ask now, None if it asks none or that is not known.
        asked: the version that it asked for the newest answer that is known; the other figures are
            those of this answer, None and "" without one.
        milliseconds: the time that it took for the requests of a batch together.
        outcome: `ok`, `skipped`, `default`, `failed` or `mixed`, and why it is not `ok`.
    """

    name: str
    kind: str
    model: str
    version: int | None
    asked: int | None
    milliseconds: float | None
    outcome: str
    reason: str


@dataclass(frozen=True, slots=True)
class PipelineView:
    """The steps of a version of a pipeline, and their drawing, an SVG element without styles.

    `answered_at` is the time of the newest answer that is known, None without one.
    """

    version: int
    drawing: str
    steps: tuple[StepView, ...]
    answered_at: int | None


@dataclass(frozen=True, slots=True)
class StoredVersion:
    """The keys in a prediction store that a version predicted.

    `oldest` and `newest` are the times of the first and last of these predictions.
    """

    version: int
    keys: int
    oldest: int
    newest: int
    is_stale: bool


@dataclass(frozen=True, slots=True)
class StoredPredictions:
    """The predictions of a model in the store, as they were counted at `at`.

    Those of other versions than the champion are stale.
    """

    model: str
    at: int
    champion: int | None
    keys: int
    stale: int
    versions: tuple[StoredVersion, ...]
