"""Wrangling: a new data set by named steps, which also run on the rows of a stream."""

import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from modstream.datasets.catalogue import Catalogue
from modstream.datasets.dataset import DataSet, Provenance
from modstream.datasets.errors import StepsInvalid, WrangleFailed
from modstream.datasets.parquet import kind_of, load_library
from modstream.datasets.staged_version import Description, parent_of
from modstream.models.datasets.columns import ColumnKind
from modstream.models.datasets.wrangle_kinds import StepProblem
from modstream.models.datasets.wrangle_steps import (
    Fill,
    FittedFill,
    StatefulStep,
    StatelessStep,
    WrangleSteps,
    step_label,
)
from modstream.operations.datasets.arrow_values import schema_of, to_batch, to_table
from modstream.operations.datasets.stateful_steps import fit, run_stateful
from modstream.processors.errors import StepUnusable
from modstream.processors.wrangle.wrangler import Wrangler

Step = StatelessStep | StatefulStep


def read_steps(path: Path) -> WrangleSteps:
    """Return the steps in a TOML file.

    Raises:
        StepsInvalid: it cannot be read, or has faults.
    """
    try:
        return WrangleSteps.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise StepsInvalid(path, [error.strerror or str(error)]) from None
    except ValidationError as error:
        problems = [
            f"{'.'.join(map(str, one['loc']))}: {one['msg']}"
            for one in error.errors(include_url=False)
        ]
        raise StepsInvalid(path, problems) from None
    except ValueError as error:
        raise StepsInvalid(path, [str(error)]) from None


def wrangle_dataset(
    catalogue: Catalogue, dataset: DataSet, steps: WrangleSteps, name: str
) -> DataSet:
    """Add a data set with what the steps make of another one, which it names as its parent.

    Its provenance has the steps with fitted values as constants, and the kinds of the columns.

    Raises:
        StepsInvalid: a step does not fit the columns.
        WrangleFailed: an expression has no result for some rows.
        CatalogueUnusable: files cannot be read or written.
    """
    with catalogue.create(name) as staged:
        try:
            done, schema, batches = _run(dataset, steps, staged.folder)
            staged.write_batches(schema, batches)
        except (StepProblem, StepUnusable) as problem:
            raise StepsInvalid(name, [str(problem)]) from None
        return staged.commit(_describe(dataset, done, schema.names))


def wrangler_of(dataset: DataSet) -> Wrangler:
    """Return the steps that made a data set, for the rows of a stream.

    Raises:
        StepsInvalid: it was made otherwise, or by steps that need all rows.
    """
    steps = steps_of(dataset)
    try:
        return Wrangler(steps.step, dataset.facts.provenance.details["kinds"])
    except StepProblem as problem:
        raise StepsInvalid(dataset, [str(problem)]) from None


def steps_of(dataset: DataSet) -> WrangleSteps:
    """Return the steps that made a data set, with constants in place of fitted values.

    Raises:
        StepsInvalid: it was made otherwise.
    """
    provenance = dataset.facts.provenance
    if provenance.operation != "wrangle":
        raise StepsInvalid(dataset, ["it was not made by wrangling"])
    return WrangleSteps.model_validate({"step": provenance.details["steps"]})


def _run(
    dataset: DataSet, steps: WrangleSteps, folder: Path
) -> tuple[list[Step], Any, Iterator[Any]]:
    """Return the steps with constants, and the schema and record batches that they make."""
    arrow = load_library("pyarrow")
    schema, batches, done = dataset.arrow_schema(), dataset.batches(), list[Step]()
    pending: list[Step] = []
    for number, step in enumerate(steps.step, start=1):
        is_fitted = isinstance(step, Fill) and any(
            isinstance(one, FittedFill) for one in step.fill.values()
        )
        if not is_fitted and not isinstance(step, StatefulStep):
            pending.append(step)
            continue
        label = step_label(number, step)
        schema, batches = _stateless(pending, schema, batches, number - len(pending))
        table = arrow.Table.from_batches(list(batches), schema)
        done, pending = [*done, *pending], []
        try:
            if isinstance(step, Fill):
                pending.append(fit(step, table, folder, label))
            else:
                table = run_stateful(step, table, folder, label)  # type: ignore[arg-type]  # the rest
                done.append(step)
        except StepProblem as problem:
            raise StepProblem(f"step {label}: {problem}") from None
        schema, batches = table.schema, iter(table.to_batches())
    first = len(steps.step) - len(pending) + 1
    schema, batches = _stateless(pending, schema, batches, first)
    return [*done, *pending], schema, batches


def _stateless(
    steps: Sequence[Step],
    schema: Any,  # noqa: ANN401 - of pyarrow
    batches: Iterator[Any],
    first: int,
) -> tuple[Any, Iterator[Any]]:
    """Return the schema and the batches after steps that look at one row at a time."""
    wrangler = Wrangler(steps, _kinds(schema), first)
    types = {field.name: field.type for field in schema}
    after = schema_of(wrangler.kinds_after, _types_after(steps, types))
    return after, _wrangled(wrangler, after, batches)


def _wrangled(wrangler: Wrangler, schema: Any, batches: Iterator[Any]) -> Iterator[Any]:  # noqa: ANN401
    first, failures = 0, dict[int, tuple[str, str]]()
    for batch in batches:
        table = wrangler.run(to_table(batch, first))
        failures |= table.failures
        first += batch.num_rows
        yield to_batch(table, schema)
    if failures:
        row = min(failures)
        step, reason = failures[row]
        count = sum(label == step for label, _ in failures.values())
        raise WrangleFailed(step, count, row, reason)


def _types_after(steps: Sequence[Step], types: dict[str, Any]) -> dict[str, Any]:
    """Return the types of columns by name, also by the names that steps give them."""
    found = dict(types)
    for step in steps:
        for old, new in getattr(step, "rename", {}).items():
            if old in found:
                found[new] = found[old]
    return found


def _kinds(schema: Any) -> dict[str, ColumnKind]:  # noqa: ANN401 - of pyarrow
    return {field.name: kind_of(field.type) for field in schema}


def _describe(dataset: DataSet, steps: Sequence[Step], names: Sequence[str]) -> Description:
    facts = dataset.facts
    details = {
        "steps": [
            one.model_dump(mode="json", by_alias=True, exclude_defaults=True) for one in steps
        ],
        "kinds": {column.name: column.kind for column in dataset.columns},
    }
    return Description(
        Provenance(operation="wrangle", source=str(dataset), details=details),
        parent=parent_of(dataset),
        label=_renamed(facts.label, steps, names),
        time_column=_renamed(facts.time_column, steps, names),
        description=facts.description,
        access=facts.access,
        license=facts.license,
    )


def _renamed(column: str | None, steps: Sequence[Step], names: Sequence[str]) -> str | None:
    """Return what a column is called after the steps; None if it is no longer there."""
    for step in steps:
        if column is not None:
            column = getattr(step, "rename", {}).get(column, column)
    return column if column in names else None
