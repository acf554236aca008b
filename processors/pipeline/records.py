"""What a prediction tells of the steps that made it."""

from typing import Any

import numpy as np

from modstream.broker.wire.bounds import MAX_DETAIL_LENGTH
from modstream.broker.wire.contracts import StepResult
from modstream.processors.pipeline.executor import PipelineResult
from modstream.processors.pipeline.frame import Outcome, StepRun

MIXED = "mixed"


class StepRecords:
    """Makes the records of a batch; rows on which nothing special happened share theirs."""

    def __init__(self, result: PipelineResult) -> None:
        self._runs = result.runs
        self._shadows = {
            run.name: {
                name: value.expand(len(result.outputs)) for name, value in run.values.items()
            }
            for run in result.runs
            if run.is_shadow
        }
        self._common = {run.name: _record(run, Outcome.OK.name.lower()) for run in result.runs}
        self._all_common = tuple(self._common.values())
        self._is_common = not self._shadows and all(run.outcomes is None for run in result.runs)

    def of(self, start: int, stop: int, *, is_row: bool) -> tuple[StepResult, ...]:
        """Return the records for the request that has the rows from `start` to before `stop`.

        `is_row`: the outputs of a shadow are those of a single row, not a list.
        """
        if self._is_common:
            return self._all_common
        return tuple(self._of_step(run, start, stop, is_row=is_row) for run in self._runs)

    def _of_step(self, run: StepRun, start: int, stop: int, *, is_row: bool) -> StepResult:
        special = None if run.outcomes is None else run.outcomes[start:stop]
        if not run.is_shadow and (special is None or not special.any()):
            return self._common[run.name]
        outcome, reason = Outcome.OK.name.lower(), None
        if special is not None and special.any():
            is_same = bool((special == special[0]).all())
            outcome = Outcome(int(special[0])).name.lower() if is_same else MIXED
            reason = run.reasons.of(start + int(np.flatnonzero(special)[0]))
        rows = [self._shadow_row(run, row) for row in range(start, stop) if run.is_shadow]
        outputs: Any = None
        if rows:
            outputs = rows[0] if is_row else tuple(rows)
        return _record(run, outcome, reason, outputs)

    def _shadow_row(self, run: StepRun, row: int) -> dict[str, Any]:
        if run.has_output is not None and not run.has_output[row]:
            return {}
        return {
            name: value.data[row : row + 1].tolist()[0]
            for name, value in self._shadows[run.name].items()
            if value.missing is None or not value.missing[row]
        }


def _record(
    run: StepRun,
    outcome: str,
    reason: str | None = None,
    outputs: Any = None,  # noqa: ANN401 - as the contract has them
) -> StepResult:
    return StepResult(
        name=run.name,
        model=run.model,
        version=run.version,
        milliseconds=round(run.milliseconds, 3),
        outcome=outcome,
        reason=None if reason is None else reason[:MAX_DETAIL_LENGTH],
        outputs=outputs,
    )
