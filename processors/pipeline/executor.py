"""The executor of a pipeline: its steps as callables, composed once and run on each batch."""

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np

from modstream.models.pipelines.pipeline import ParsedOutput, Pipeline
from modstream.models.pipelines.step_definitions import (
    AnyStep,
    EnsembleStep,
    ModelStep,
    TransformStep,
)
from modstream.models.pipelines.steps import ParsedStep
from modstream.models.schema.input_schema import Batch, InputSchema
from modstream.processors.errors import Refusal, StepUnusable
from modstream.processors.pipeline.evaluation import Evaluate, compile_expression
from modstream.processors.pipeline.frame import Failure, Frame, Outcome, StepRun
from modstream.processors.pipeline.model_step import Resolve, ask_model
from modstream.processors.pipeline.selected_rows import SelectedRows
from modstream.processors.pipeline.transforms import (
    Compute,
    compile_any,
    compile_ensemble,
    compile_transform,
)
from modstream.processors.pipeline.values import Value, fill

NOT_FINITE = "{} has no result: it is not finite, cannot be cast, or is not in its table"


@dataclass(frozen=True, slots=True)
class PipelineResult:
    """The answers to the rows of a batch, and what each step did.

    `outputs` are those of each row by name; those of a row in `failures` mean nothing.
    """

    outputs: list[dict[str, Any]]
    failures: dict[int, Failure]
    runs: list[StepRun]

    def first_failure(self, start: int, stop: int) -> Failure | None:
        """Return the failure of the first row that has one, from `start` to before `stop`."""
        if not self.failures:
            return None
        found = (self.failures.get(row) for row in range(start, stop))
        return next((one for one in found if one is not None), None)


class PipelineExecutor:
    """Runs a pipeline on batches. It keeps nothing between two of them."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.schema: InputSchema = pipeline.definition.input_schema
        self._outputs = pipeline.outputs
        self._steps = [_CompiledStep.of(step, pipeline) for step in pipeline.steps]

    def run(self, batch: Batch, resolve: Resolve) -> PipelineResult:
        """Run all steps on the rows of a batch, with the models that it sees."""
        frame = Frame(self.schema, batch)
        with np.errstate(all="ignore"):  # what is not finite is a failed row, and said so
            for step in self._steps:
                started = perf_counter()
                run = step(frame, resolve)
                run.milliseconds = (perf_counter() - started) * 1000
                frame.runs[run.name] = run
            columns = {one.name: self._read(frame, one) for one in self._outputs}
        names = list(columns)
        rows = zip(*columns.values(), strict=True)
        outputs = [dict(zip(names, row, strict=True)) for row in rows]
        return PipelineResult(outputs, frame.failures, list(frame.runs.values()))

    @staticmethod
    def _read(frame: Frame, output: ParsedOutput) -> list[Any]:
        """Return an entry of the answer to each row; a row without it fails."""
        value = frame.value(output.reference).expand(frame.size)
        if value.missing is None:
            return list(value.data.tolist())
        if output.default is not None:
            return list(fill(value, value.missing, output.default).data.tolist())
        text = f"the output {output.name} has no value: {output.reference} is missing"
        found = np.flatnonzero(value.missing).tolist()
        frame.fail(dict.fromkeys(found, Failure(None, text)))
        return list(value.data.tolist())


@dataclass(frozen=True, slots=True)
class _CompiledStep:
    """One step, ready to run.

    `compute` is that of a step without a model. `fields` are the outputs that anything reads, None
    for all.
    """

    parsed: ParsedStep
    fields: Sequence[str] | None
    when: Evaluate | None
    compute: Compute | None

    @classmethod
    def of(cls, step: ParsedStep, pipeline: Pipeline) -> "_CompiledStep":
        """Compile a step."""
        definition, compute = step.definition, None
        match definition:
            case TransformStep():
                compute = compile_transform(step, definition)
            case EnsembleStep():
                compute = compile_ensemble(step, definition)
            case AnyStep():
                compute = compile_any(step, definition)
        # The outputs of a shadow are recorded, all of them.
        fields = None if definition.shadow else pipeline.fields_of(step.name)
        when = None if step.when is None else compile_expression(step.when)
        return cls(step, fields, when, compute)

    def __call__(self, frame: Frame, resolve: Resolve) -> StepRun:
        """Run the step on the rows that it is meant for."""
        run = StepRun(self.parsed.name, is_shadow=self.parsed.definition.shadow)
        rows = SelectedRows(frame)
        try:
            self._select(frame, rows)
            if rows.selected is None or rows.selected.any():
                self._run(frame, rows, run, resolve)
        except StepUnusable as error:
            rows.fail_all(str(error))
        self._settle(frame, rows, run)
        return run

    def _select(self, frame: Frame, rows: SelectedRows) -> None:
        """Leave out the rows that failed before, lack an input, or whose `when` is false."""
        if frame.alive is not None:
            rows.skip(~frame.alive, "the row has failed before")
        if self.parsed.needs_all:
            for source in self.parsed.sources:
                has_output = frame.runs[source].has_output
                if has_output is not None:
                    rows.skip(~has_output, f"step {source} has no output")
        if self.when is not None:
            found = self.when(frame).expand(frame.size)
            if found.failed is not None:
                rows.fail(found.failed, NOT_FINITE.format("`when`"))
            if found.missing is not None:
                rows.skip(found.missing, "a value that `when` compares is missing")
            if found.data.dtype.kind == "b":
                rows.skip(~found.data, "`when` is false")
            elif found.missing is None or not found.missing.all():
                raise StepUnusable("`when` must be true or false")

    def _run(self, frame: Frame, rows: SelectedRows, run: StepRun, resolve: Resolve) -> None:
        if self.compute is not None:
            run.values = self.compute(frame, frame.size)
            self._note_values(rows, run)
            return
        definition = self.parsed.definition
        assert isinstance(definition, ModelStep)  # noqa: S101 - what has no `compute` is a model
        model = resolve(definition.model, definition.version)
        run.model = definition.model
        if isinstance(model, Refusal):
            rows.fail_all(str(model), model)
            return
        run.version = model.card.version
        selected = rows.indices()
        asked = ask_model(self.parsed, model, frame, selected, self.fields)
        run.values = asked.values
        rows.fail_each(asked.failed)

    def _note_values(self, rows: SelectedRows, run: StepRun) -> None:
        """Fail the rows whose values have no result, and skip those for which there are none."""
        is_choice = not isinstance(self.parsed.definition, TransformStep)
        for name, value in run.values.items():
            if value.failed is not None:
                rows.fail(value.failed, NOT_FINITE.format(name))
                run.values[name] = value._replace(failed=None)
            if is_choice and value.missing is not None:
                rows.skip(value.missing, "too few of its values are there")

    def _settle(self, frame: Frame, rows: SelectedRows, run: StepRun) -> None:
        """Decide what becomes of the rows that failed."""
        definition = self.parsed.definition
        failed = rows.failed
        run.reasons, run.causes = rows.reasons, rows.causes
        if failed is None and rows.selected is None:
            return
        size = frame.size
        run.outcomes = np.zeros(size, np.uint8)
        has_output = np.ones(size, np.bool_) if rows.selected is None else rows.selected.copy()
        run.outcomes[~has_output] = Outcome.SKIPPED
        if failed is not None:
            has_output &= ~failed
            run.outcomes[failed] = Outcome.FAILED
            if definition.on_error == "default":
                has_output |= failed
                run.outcomes[failed] = Outcome.DEFAULT
                for name, default in (definition.default or {}).items():
                    value = run.values.get(name, Value(np.zeros(size), np.ones(size, np.bool_)))
                    run.values[name] = fill(value, failed, default)
            elif definition.on_error == "fail" and not definition.shadow:
                frame.fail(
                    {
                        row: Failure(run.name, run.causes.get(row) or run.reasons.of(row) or "")
                        for row in np.flatnonzero(failed).tolist()
                    }
                )
        run.has_output = None if has_output.all() else has_output
