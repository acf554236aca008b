"""`modstream retrainings list | status`: what a retrainer has begun, why, and with which result."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

import typer

from modstream.cli.options import JsonOption, check_model
from modstream.cli.output import print_json, print_rows
from modstream.retrain.run_log import RetrainerState, RetrainingRun, read_states
from modstream.settings import load_settings

RUN_DROP = ("attempts", "alias", "ended", "stream", "result because")
"""Columns that a narrow terminal has no room for, the least important first."""
EMPTY = "no retrainer has run from this home directory: `modstream retrainer` starts one"

ModelOption = Annotated[
    str | None,
    typer.Option(
        "--model", "-m", help="Only those of a model.", show_default=False, callback=check_model
    ),
]


def list_(
    model: ModelOption = None,
    limit: Annotated[int, typer.Option(min=1, help="The newest ones, at most so many.")] = 20,
    as_json: JsonOption = False,
) -> None:
    """List the retrainings, the newest first: what triggered each, and what became of it."""
    runs = [(state, run) for state in _states(model) for run in state.runs]
    newest = sorted(runs, key=lambda one: one[1].began, reverse=True)[:limit]
    if as_json:
        print_json(
            [
                {
                    "stream": state.stream,
                    "model": state.model,
                    **run.model_dump(mode="json", exclude={"experiment"}),
                }
                for state, run in newest
            ]
        )
        return
    rows = [{"model": state.model, **run_row(run)} for state, run in newest]
    print_rows(rows, as_json=False, empty="there were no retrainings", drop=RUN_DROP)


def status(model: ModelOption = None, as_json: JsonOption = False) -> None:
    """Show what each retrainer has compared last, and whether it trains or waits."""
    rows = list(map(_status_row, _states(model)))
    print_rows(rows, as_json=as_json, empty=EMPTY)


def run_row(run: RetrainingRun) -> Mapping[str, Any]:
    """Return a retraining as a row of a table."""
    return {
        "run": run.id,
        "began": _shown(run.began),
        "because": run.trigger.reason,
        "result": run.outcome or "not ended",
        "result because": run.reason or None,
        "version": run.version,
        "alias": run.alias,
        "ended": None if run.ended is None else _shown(run.ended),
        "attempts": run.attempts,
    }


def _status_row(state: RetrainerState) -> Mapping[str, Any]:
    last = state.runs[-1] if state.runs else None
    running = state.unfinished
    return {
        "stream": state.stream,
        "model": state.model,
        "state": f"retraining ({running.id})" if running else "follows the feedback",
        "loss before": state.figures.get("before"),
        "loss now": state.figures.get("now"),
        "p": state.figures.get("p"),
        "labels": state.labels,
        "waits for": state.waiting or None,
        "last run": None if last is None else f"{last.id}: {last.outcome or 'not ended'}",
    }


def _states(model: str | None) -> list[RetrainerState]:
    return [one for one in read_states(load_settings().home) if model in {None, one.model}]


def _shown(time: datetime) -> str:
    return time.isoformat(timespec="seconds")
