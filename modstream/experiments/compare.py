"""Experiments side by side: figures, and the settings in which they differ."""

from collections.abc import Mapping, Sequence
from typing import Any

from modstream.experiments.experiment import Experiment

Row = Mapping[str, Any]


def compare_experiments(experiments: Sequence[Experiment]) -> list[Row]:
    """Return a row for each figure, with a column for each experiment, named by its id.

    Of facts and settings, only those that differ are compared.
    """
    facts = [_facts(one) for one in experiments]
    figures = [_figures(one) for one in experiments]
    differing = [
        (name, values)
        for name, values in _by_name(facts)
        if any(one != values[0] for one in values[1:])
    ]
    ids = [one.id for one in experiments]
    return [
        {"": name, **dict(zip(ids, values, strict=True))}
        for name, values in [*_by_name(figures), *differing]
    ]


def _figures(one: Experiment) -> dict[str, Any]:
    found: dict[str, Any] = {"state": one.state, **one.metrics}
    if one.chosen is not None:
        found |= {
            "chosen": one.chosen.kind,
            "mean of folds": one.chosen.mean,
            "deviation of folds": one.chosen.deviation,
        }
    return found | {f"{clock} seconds": value for clock, value in one.spent.items()}


def _facts(one: Experiment) -> dict[str, Any]:
    """Return what may explain a difference, by name."""
    data = one.data
    return {
        "model": one.model,
        "code": one.code,
        "data": data.sha256[:12],
        "source": data.source,
        "rows": data.rows,
        "features": len(data.features),
        "test rows": data.test_sha256[:12],
        **{f"settings.{name}": value for name, value in one.settings.items()},
        **{f"libraries.{name}": value for name, value in one.libraries.items()},
    }


def _by_name(tables: Sequence[Mapping[str, Any]]) -> list[tuple[str, list[Any]]]:
    names = dict.fromkeys(name for table in tables for name in table)
    return [(name, [table.get(name) for table in tables]) for name in names]
