"""Wrangling steps before a model: they become a part of its artifact, checked on rows.

The model is asked twice: about rows that the steps have changed as they change a data set, and as
the new artifact about the rows before the steps. Both must answer the same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, cast, get_args

import numpy as np

from modstream.datasets.catalogue import Catalogue
from modstream.datasets.errors import StepsInvalid
from modstream.models.datasets.columns import ColumnKind
from modstream.models.datasets.wrangle_kinds import StepProblem, kinds_after
from modstream.models.datasets.wrangle_steps import Keep, WrangleSteps
from modstream.models.errors import GoldenMismatch, StepsNotServable
from modstream.models.importers.description import SAMPLE_ROW_LIMIT
from modstream.models.importers.imported_model import ImportedModel, Samples
from modstream.models.onnx_steps.precede import PrecededVersion, precede
from modstream.models.runtimes.runtime import load, predict_batch
from modstream.models.schema.artifact import Artifact
from modstream.models.schema.columns import FeatureKind
from modstream.models.schema.input_schema import Batch, Feature
from modstream.models.schema.synthetic import synthetic_batch
from modstream.models.schema.version_spec import VersionSpec
from modstream.models.trial.comparison import largest_difference
from modstream.operations.datasets.wrangle import read_steps, steps_of
from modstream.processors.wrangle.wrangler import Wrangler

FILE_SUFFIX = ".toml"
TOLERANCE = 1e-6
"""Largest difference that counts as equal: absolute for magnitudes below 1, relative above."""
SYNTHETIC_ROWS = 64
Row = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class ServedSteps:
    """Steps, what the columns before them are, and some of their rows."""

    steps: WrangleSteps
    columns: Sequence[Feature]
    rows: Sequence[Row] = ()

    def features_after(self) -> tuple[Feature, ...]:
        """Return the columns of a last step `keep`, in its order; none if the last is another."""
        if not isinstance(self.steps.step[-1], Keep):
            return ()
        kinds: Mapping[str, ColumnKind] = {one.name: one.kind for one in self.columns}
        try:
            for step in self.steps.step:
                kinds = kinds_after(step, kinds)  # type: ignore[arg-type]  # others are refused
        except StepProblem as problem:
            raise StepsNotServable(str(problem)) from None
        return tuple(
            Feature(name=name, kind=cast(FeatureKind, kind)) for name, kind in kinds.items()
        )


def read_served_steps(
    source: str, catalogue: Catalogue, columns: Sequence[Feature], rows: Sequence[Row]
) -> ServedSteps:
    """Return the steps in a TOML file, or those that made a data set, with constants.

    Of a data set, columns and rows are those of its parent, unless they are given.

    Raises:
        StepsInvalid: the file has faults, or the data set was not made by wrangling.
        UnknownName: there is no such data set.
        DatasetError: the data set, or its parent, cannot be read.
    """
    if source.endswith(FILE_SUFFIX):
        return ServedSteps(read_steps(Path(source)), columns, rows)
    dataset = catalogue.open(source)
    steps = steps_of(dataset)
    parent = catalogue.open(str(dataset.parent))
    given = {one.name: one for one in columns}
    known = [
        given.get(one.name)
        or Feature(
            name=one.name,
            kind=cast(FeatureKind, one.kind),
            missing=bool(one.missing) and one.kind in {"float", "string"},
        )
        for one in parent.columns
        if one.kind in get_args(FeatureKind)
    ]
    names = [one.name for one in known]
    first = islice(parent.batches(names, SAMPLE_ROW_LIMIT), 1)
    return ServedSteps(steps, known, rows or [row for batch in first for row in batch.to_pylist()])


def precede_model(imported: ImportedModel, served: ServedSteps) -> ImportedModel:
    """Return a model whose artifact begins with steps, and that takes the columns before them.

    Raises:
        StepsNotServable: a step cannot run before the model, or no row has a prediction.
        StepsInvalid: a step does not fit the columns.
        GoldenMismatch: the artifact answers a row otherwise than the model after the steps.
    """
    preceded = precede(imported.spec, imported.artifact, served.steps.step, served.columns)
    schema = preceded.spec.input_schema
    raw = schema.parse_rows(served.rows).batch if served.rows else _made_up(preceded)
    expected = _after_steps(imported, preceded, raw)
    found, answered = _answers(preceded.spec, preceded.artifact, raw)
    for row in range(raw.size):
        wanted, given = expected.get(row), found[row] if answered[row] else None
        if wanted is None and given is None:
            continue
        if largest_difference(wanted, given) > TOLERANCE:
            raise GoldenMismatch(row, wanted, given)
    if not expected:
        raise StepsNotServable(
            f"none of {raw.size:,} rows has a prediction after the steps: give rows of the columns"
            " before them with --sample FILE"
        )
    kept = sorted(expected)
    outputs = [expected[row] for row in kept]
    rows = schema.raw_rows(raw.take(kept))
    is_array = not isinstance(outputs[0], Mapping)
    samples = Samples(rows, np.array(outputs) if is_array else outputs, TOLERANCE)
    return ImportedModel(preceded.spec, preceded.artifact, samples)


def _made_up(preceded: PrecededVersion) -> Batch:
    return synthetic_batch(preceded.spec.input_schema, SYNTHETIC_ROWS)


def _after_steps(imported: ImportedModel, preceded: PrecededVersion, raw: Batch) -> dict[int, Any]:
    """Return the model's answers to rows as the steps change them in a batch, by position."""
    schema, spec = preceded.spec.input_schema, imported.spec
    try:
        wrangler = Wrangler(preceded.needed.steps, {one.name: one.kind for one in schema.features})
    except StepProblem as problem:
        raise StepsInvalid(spec.name, [str(problem)]) from None
    changed = wrangler.wrangle_rows(schema.raw_rows(raw))
    parsed = spec.input_schema.parse_rows(changed.rows)
    answers, answered = _answers(spec, imported.artifact, parsed.batch)
    in_range = spec.input_schema.rows_in_range(parsed.batch)
    return {
        changed.positions[position]: answers[at]
        for at, position in enumerate(parsed.valid_positions)
        if answered[at] and (in_range is None or in_range[at])
    }


def _answers(
    spec: VersionSpec, content: bytes, batch: Batch
) -> tuple[Sequence[Any], Sequence[bool]]:
    """Return a version's answer to each row, and whether it has one."""
    if not batch.size:
        return [], []
    artifact = Artifact(content)
    card = spec.make_card(1, artifact)
    outputs, answered = predict_batch(load(artifact, card), card, batch)
    rows = outputs.tolist() if isinstance(outputs, np.ndarray) else outputs
    return rows, answered.tolist()
