"""Rows that a fitted scikit-learn model can predict, and its features that may be missing."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError

from modstream.models.errors import NotConvertible, OptionNotSupported
from modstream.models.importers.description import ModelDescription
from modstream.models.importers.sklearn_samples import (
    Row,
    batch_of,
    described_rows,
    make_rows,
    row_count,
    usable_positions,
)
from modstream.models.importers.sklearn_signature import find_method, renamed_features
from modstream.models.runtimes.runtime import BoolArray
from modstream.models.runtimes.sklearn_features import FeatureFacts
from modstream.models.runtimes.sklearn_introspection import (
    InputBuilder,
    feature_names,
    quiet,
    read_facts,
    schema_of,
)
from modstream.models.runtimes.sklearn_outputs import dense, table_of
from modstream.models.schema.input_schema import Batch, Feature, InputSchema

MAX_TRIED_FEATURES = 300
"""Largest number of features that are tried without a value one by one."""
_SHOWN_FEATURES = 10


class FoundRows(NamedTuple):
    """The schema of a model, and a batch of rows that fit it and that the model can predict."""

    schema: InputSchema
    batch: Batch


def find_rows(model: BaseEstimator, description: ModelDescription) -> FoundRows:
    """Return a model's schema, and rows at its own scale or the caller's samples.

    Raises:
        OptionNotSupported: the described features or samples do not fit the model.
        NotConvertible: the model cannot predict any of the rows.
    """
    finder = _RowFinder(model)
    schema = finder.schema
    if description.features:
        schema = renamed_features(schema, finder.unused, description.features)
    if description.samples is not None:
        found = finder.find_samples(schema, description.samples)
    else:
        found = finder.find(_with_missing(schema, lambda _: False), None)
        schema_with_missing = finder.find_missing(found.schema, found.batch.take([0]).rows()[0])
        if schema_with_missing != found.schema:
            found = finder.find(schema_with_missing, None)
    for asked, inferred in zip(schema.features, found.schema.features, strict=True):
        if asked.missing and not inferred.missing:
            raise OptionNotSupported(
                "--feature", f"the model predicts no row without {asked.name!r}"
            )
    return found


class _RowFinder:
    """Predicts candidate rows, and keeps those with a finite prediction."""

    def __init__(self, model: BaseEstimator) -> None:
        self._model = model
        method = find_method(model)
        self._is_transformer = method == "transform"
        self._predict: Callable[..., Any] = getattr(model, method)
        self._inputs = InputBuilder(model)
        facts = read_facts(model)
        names = feature_names(model) or ()
        self.unused = {name for name, fact in zip(names, facts, strict=False) if fact.is_unused}
        self.schema = schema_of(model, facts)
        self._facts: Sequence[FeatureFacts] = [fact for fact in facts if not fact.is_unused]

    def find(
        self, schema: InputSchema, samples: Sequence[Mapping[str, object]] | None
    ) -> FoundRows:
        """Return those of the samples, or of rows made for the schema, that can be predicted."""
        if samples is None:
            rows: Sequence[Row] = make_rows(schema, self._facts, row_count(len(self._facts)))
        else:
            rows = described_rows(schema, samples)
        batch = batch_of(schema, rows)
        found, reason = usable_positions(batch, self._is_usable)
        if not found:
            _check_present(schema, samples or ())
            raise self._unusable(batch.size, reason, is_sample=samples is not None)
        return FoundRows(schema, batch.take(found))

    def _unusable(self, size: int, reason: str, *, is_sample: bool) -> NotConvertible:
        """Return the error for a model that predicts none of some rows."""
        kind, first_line = type(self._model).__name__, reason.partition("\n")[0]
        if reason.startswith(NotFittedError.__name__):
            return NotConvertible(kind, "it is not fitted; fit it before publishing it")
        if is_sample:
            what, remedy = f"{size:,} rows of --sample", "give rows that it can predict"
        else:
            what = f"{size} rows like those that it was fitted on"
            remedy = "describe its features with --feature, or give rows with --sample"
        return NotConvertible(kind, f"it predicts none of {what} ({first_line}); {remedy}")

    def find_samples(
        self, schema: InputSchema, samples: Sequence[Mapping[str, object]]
    ) -> FoundRows:
        """Return the samples that can be predicted, and the schema that they fit."""
        schema = _with_missing(_with_strings(schema, samples), lambda _: True)
        found = self.find(schema, samples)
        rows = found.batch.rows()
        absent = {name for row in rows for name, value in row.items() if _is_missing(value)}
        whole = next((row for row in rows if not any(map(_is_missing, row.values()))), None)
        if whole is not None:
            plain = _with_missing(schema, lambda _: False)
            optional = self.find_missing(plain, whole)
            absent |= {feature.name for feature in optional.features if feature.missing}
        return FoundRows(_with_missing(schema, lambda one: one.name in absent), found.batch)

    def find_missing(self, schema: InputSchema, row: Mapping[str, Any]) -> InputSchema:
        """Return the schema with the features marked that the model predicts without a value.

        An encoder's feature may be missing only if the encoder knows missing values, or an imputer
        fills them; it would otherwise count as an unknown category.
        """
        names = [
            feature.name
            for feature, fact in zip(schema.features, self._facts, strict=True)
            if feature.kind in {"float", "string"} and _may_be_missing(fact)
        ]
        if not names:
            return schema
        optional = _with_missing(schema, lambda one: one.name in names)
        rows: list[Row] = [{**row, name: None} for name in names]
        if len(names) > MAX_TRIED_FEATURES:
            rows = [{**row, **dict.fromkeys(names)}]
        found, _ = usable_positions(batch_of(optional, rows), self._is_usable)
        usable = {names[at] for at in found}
        if len(names) > MAX_TRIED_FEATURES and found:
            usable = set(names)
        return _with_missing(schema, lambda one: one.name in usable)

    def _is_usable(self, batch: Batch) -> BoolArray:
        with quiet():
            found = self._predict(self._inputs.build(batch))
        outputs = table_of(found, batch.size) if self._is_transformer else dense(found)
        if outputs.dtype.kind not in "fc":
            return np.ones(batch.size, np.bool_)
        finite = np.isfinite(outputs.reshape(batch.size, -1)).all(axis=1)
        return np.asarray(finite, dtype=np.bool_)


def _check_present(schema: InputSchema, samples: Sequence[Mapping[str, object]]) -> None:
    """Raise if no sample has a value of one of the features.

    Raises:
        OptionNotSupported: none has; the samples may be those of another model.
    """
    for name in schema.names if samples else ():
        if all(row.get(name) is None for row in samples):
            known = ", ".join(schema.names[:_SHOWN_FEATURES])
            reason = f"no row has a value of the feature {name!r}; the model's features are {known}"
            raise OptionNotSupported("--sample", reason)


def _may_be_missing(fact: FeatureFacts) -> bool:
    if fact.is_text:
        return False
    return fact.is_imputed or not fact.is_encoded or any(map(_is_missing, fact.categories))


def _is_missing(value: object) -> bool:
    return value is None or value != value  # noqa: PLR0124 - only NaN differs from itself


def _with_missing(schema: InputSchema, may_be: Callable[[Feature], bool]) -> InputSchema:
    return InputSchema(
        features=tuple(
            feature.model_copy(
                update={"missing": feature.kind in {"float", "string"} and may_be(feature)}
            )
            for feature in schema.features
        )
    )


def _with_strings(schema: InputSchema, samples: Sequence[Mapping[str, object]]) -> InputSchema:
    """Return the schema with the features as strings of which the samples have strings.

    A model without encoders records no types.
    """
    strings = {name for row in samples for name, value in row.items() if isinstance(value, str)}
    numbers = {
        feature.name
        for feature in schema.features
        if feature.kind != "string" and feature.name in strings
    }
    known = {feature.name for feature in schema.features if feature.kind in {"int", "bool"}}
    for name in sorted(numbers & known):
        raise OptionNotSupported("--sample", f"feature {name!r} has strings, the model numbers")
    return InputSchema(
        features=tuple(
            feature.model_copy(update={"kind": "string"}) if feature.name in numbers else feature
            for feature in schema.features
        )
    )
