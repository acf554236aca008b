"""Import of River models, whose features the caller describes."""

from collections.abc import Iterable
from importlib.metadata import version
from typing import Any, cast

from modstream.models.errors import (
    ForbiddenGlobal,
    ModelError,
    NotConvertible,
    OptionNotSupported,
    PredictError,
    UnreadableArtifact,
)
from modstream.models.importers.description import ModelDescription
from modstream.models.importers.imported_model import ImportedModel
from modstream.models.importers.river_features import learned_features
from modstream.models.importers.river_outputs import (
    SEVERAL_LABELS,
    RiverOutputs,
    describe_outputs,
)
from modstream.models.runtimes.first_labels import first_labels, first_labels_fail
from modstream.models.runtimes.river.artifact import UnpackedModel, pack
from modstream.models.runtimes.river.inspection import (
    NotServable,
    last_step,
    river_task,
    takes_text,
)
from modstream.models.runtimes.river.runtime import make_runtime
from modstream.models.runtimes.river.safe_pickle import clone
from modstream.models.runtimes.runtime import (
    AnyRuntime,
    Learning,
    NamedRuntime,
    Runtime,
    usable_rows,
)
from modstream.models.schema.artifact import Artifact
from modstream.models.schema.card import ModelCard
from modstream.models.schema.columns import Scalar
from modstream.models.schema.input_schema import Batch, InputSchema
from modstream.models.schema.synthetic import synthetic_batch
from modstream.models.schema.version_spec import VersionSpec
from modstream.models.trial.samples import OriginalOutputs, Samples

_SAMPLE_ROWS = 8
_MAX_SAMPLE_VALUES = 1000
_SHOWN_FEATURES = 5
_TOLERANCE = 1e-9


def import_river(
    name: str, unpacked: UnpackedModel, description: ModelDescription, note: str = ""
) -> ImportedModel:
    """Import a River model, after a copy of it has predicted sample rows and learned them.

    A trained classifier says which labels it knows; the classes of an untrained one are described.
    A model without a prediction for the sample rows is imported if it has one after its first
    labels.

    Raises:
        OptionNotSupported: the description contradicts the model, or lacks a feature that it has
            learned.
        NotConvertible: it has no task, its classes are unknown, it fails on the sample rows, or it
            cannot be pickled and loaded back, as with functions of a user's own; or the description
            has no features.
    """
    model, last_period = unpacked
    class_name = type(last_step(model)).__name__
    task = river_task(model)
    if isinstance(task, NotServable):
        raise NotConvertible(class_name, task.reason)
    if not description.features:
        reason = "a River model does not record its features; name each with --feature NAME:KIND"
        raise NotConvertible(class_name, reason)
    schema = InputSchema(features=description.features)
    if takes_text(model) and [one.kind for one in schema.features] != ["string"]:
        reason = (
            f"{class_name} takes a text: describe one feature of kind string, as -f text:string"
        )
        raise OptionNotSupported("--feature", reason)
    _check_learned(model, schema)
    artifact = _pack(model, last_period, class_name)
    rows = _sample_rows(schema, description)
    outputs = describe_outputs(clone(model), task, description, rows)
    spec = _make_spec(name, schema, outputs, note or class_name)
    card = spec.make_card(1, Artifact(b""))
    runtime = make_runtime(clone(model), last_period, card)
    predicted = _try(runtime, card, rows, class_name)
    samples = None
    if predicted is not None:
        rows = predicted
        samples = Samples(schema.raw_rows(rows), _outputs(runtime, card, rows), _TOLERANCE)
    count = max(1, min(rows.size, _MAX_SAMPLE_VALUES // len(schema.features)))
    kept = tuple(schema.raw_rows(rows.take(range(count))))
    return ImportedModel(spec.model_copy(update={"sample_rows": kept}), artifact, samples)


def _check_learned(model: Any, schema: InputSchema) -> None:  # noqa: ANN401 - any of River's classes
    """Raise if a model has learned features that the schema does not have.

    Raises:
        OptionNotSupported: it has.
    """
    learned = learned_features(model)
    if others := [one for one in learned if not isinstance(one, str)]:
        reason = (
            f"{_shown(others)} are no names: train the model with rows whose features have texts as"
            " names, as those of requests have"
        )
        raise NotConvertible(type(last_step(model)).__name__, reason)
    if missing := learned - set(schema.names):
        reason = (
            f"the model has learned {_shown(missing)} too: name each feature of its rows with"
            " -f NAME:KIND"
        )
        raise OptionNotSupported("--feature", reason)


def _shown(names: Iterable[object]) -> str:
    ordered = sorted(map(repr, names))
    more = f" and {len(ordered) - _SHOWN_FEATURES} more" if len(ordered) > _SHOWN_FEATURES else ""
    return f"{', '.join(ordered[:_SHOWN_FEATURES])}{more}"


def _pack(model: Any, last_period: int | None, class_name: str) -> bytes:  # noqa: ANN401
    """Return a model's artifact.

    Raises:
        NotConvertible: a part of it cannot be stored.
    """
    remedy = (
        "replace it by a step of River's own, or let the client calculate the feature before it"
        " sends the request"
    )
    try:
        return pack(model, last_period)
    except ForbiddenGlobal as error:
        reason = f"its part {error.qualified_name} is code that workers do not load: {remedy}"
        raise NotConvertible(class_name, reason) from error
    except UnreadableArtifact as error:
        if "pickle" not in error.reason:
            raise
        reason = f"a part of it, such as a function, cannot be stored ({error.reason}): {remedy}"
        raise NotConvertible(class_name, reason) from error


def _make_spec(name: str, schema: InputSchema, outputs: RiverOutputs, note: str) -> VersionSpec:
    return VersionSpec(
        name=name,
        runtime="river",
        task=outputs.task,
        classes=outputs.classes,
        scores=outputs.scores,
        targets=outputs.targets,
        input_schema=schema,
        libraries={"river": version("river")},
        note=note,
    )


def _sample_rows(schema: InputSchema, description: ModelDescription) -> Batch:
    """Return the described samples as a batch, or synthetic rows.

    Raises:
        OptionNotSupported: a sample does not fit the schema.
    """
    if not description.samples:
        return synthetic_batch(schema, _SAMPLE_ROWS)
    parsed = schema.parse_rows(description.samples)
    if parsed.errors:
        row, error = next(iter(parsed.errors.items()))
        raise OptionNotSupported("--sample", f"row {row + 1}: {error}")
    return parsed.batch


def _try(runtime: AnyRuntime, card: ModelCard, rows: Batch, class_name: str) -> Batch | None:
    """Let a model predict rows, and a copy of it learn one; return those with a prediction.

    Returns:
        None if the model has no prediction before its first labels.

    Raises:
        NotConvertible: the model cannot do one of both.
    """
    usable, reason = _usable_rows(runtime, card, rows)
    if usable:
        _try_to_learn(runtime, card, rows.take(usable), class_name)
        return rows.take(usable)
    if hasattr(runtime, "learn"):
        reason = first_labels_fail(runtime, card, rows)
        if not reason:
            return None
    elif not reason:
        reason = f"it has no prediction yet, and {SEVERAL_LABELS}"
    names = ", ".join(card.input_schema.names[:_SHOWN_FEATURES])
    hint = f"give rows of the model's own data with --sample, if these do not fit it: {names}"
    raise NotConvertible(class_name, f"{reason}; {hint}")


def _usable_rows(runtime: AnyRuntime, card: ModelCard, rows: Batch) -> tuple[list[int], str]:
    """Return the positions of the rows that have a prediction, and why the first other has none."""
    usable, reason = [], ""
    for row in range(rows.size):
        try:
            if usable_rows(runtime, card, rows.take([row])).all():
                usable.append(row)
        except PredictError as error:
            reason = reason or str(error)
    return usable, reason


def _outputs(runtime: Any, card: ModelCard, rows: Batch) -> OriginalOutputs:  # noqa: ANN401 - one of three kinds
    """Return what a model predicts for rows."""
    if card.output_form == "named":
        return cast(NamedRuntime, runtime).predict_rows(rows)
    return cast(Runtime, runtime).predict(rows)


def _try_to_learn(runtime: Any, card: ModelCard, rows: Batch, class_name: str) -> None:  # noqa: ANN401 - any of three kinds
    """Let a copy learn a row of each class; forecasters check the order of periods themselves."""
    if not hasattr(runtime, "learn") or card.task == "forecast":
        return
    failed: dict[Scalar, ModelError] = {}
    labels = list(dict.fromkeys(first_labels(card, 1)))
    for label in labels:
        copy: Learning = runtime.copy()
        try:
            copy.learn(rows.take([0]), [label])
        except ModelError as error:
            failed[label] = error
    # Not every number need be a possible value: some models learn the logarithm.
    if failed and (card.task != "regression" or len(failed) == len(labels)):
        first, cause = next(iter(failed.items()))
        raise NotConvertible(class_name, f"with the label {first!r}, {cause}") from cause
