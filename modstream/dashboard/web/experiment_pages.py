"""The pages of experiments: the list, and one or several of them side by side."""

from collections.abc import Mapping, Sequence
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from modstream.dashboard.experiment_views import (
    MAX_COMPARED,
    SORT_KEYS,
    STATES,
    fact_rows,
    figure_rows,
    filtered,
    fold_rows,
    is_higher_better,
    row_of,
)
from modstream.dashboard.snapshots import Band
from modstream.dashboard.state import DashboardState
from modstream.dashboard.web.charts import Whisker, whiskers
from modstream.dashboard.web.context import check_may_see
from modstream.dashboard.web.errors import NoSuchPage
from modstream.dashboard.web.tables import Address, order_of, page_of, sort_rows
from modstream.dashboard.web.views import View, ViewBuilder
from modstream.errors import HomeUnusable
from modstream.experiments.experiment import Experiment

SECTION = "experiments"
MAX_TEXT = 100
SEE_OTHER = 303


def experiments_view(state: DashboardState, address: Address, _: Mapping[str, str]) -> View:
    """Return the view of all experiments, filtered and sorted as the address says."""
    query = address.query
    model, wanted = query.get("model", "")[:MAX_TEXT], query.get("state", "")
    text = query.get("text", "").strip()[:MAX_TEXT]
    wanted = wanted if wanted in STATES else ""
    experiments, failure = _read(state)
    order = order_of(query, tuple(SORT_KEYS), "-time")
    found = sort_rows(filtered(experiments, model, wanted, text), order, SORT_KEYS)
    return View(
        "views/experiments.html",
        SECTION,
        "Experiments",
        f"{len(found)} of {len(experiments)} experiments",
        {
            "experiments": page_of(found, query),
            "total": len(experiments),
            "models": sorted({one.model for one in experiments}),
            "states": STATES,
            "chosen": {"model": model, "state": wanted, "text": text},
            "order": order,
            "failure": failure,
            "most": MAX_COMPARED,
        },
    )


def compare_view(state: DashboardState, address: Address, path: Mapping[str, str]) -> View:
    """Return the view of one or several experiments side by side.

    Raises:
        NoSuchPage: there is no experiment with one of the ids.
    """
    experiments, failure = _read(state)
    known = {one.id: one for one in experiments}
    ids = list(dict.fromkeys(path["ids"].split(",")))[:MAX_COMPARED]
    unknown = [one for one in ids if one not in known]
    if unknown and not failure:
        raise NoSuchPage(f"the home directory has no experiment {unknown[0][:100]!r}")
    compared = [known[one] for one in ids if one in known]
    facts = fact_rows(compared)
    metrics = {one.metric for one in compared}
    title = f"Experiment {ids[0]}" if len(ids) == 1 else f"{len(ids)} experiments side by side"
    return View(
        "views/experiment.html",
        SECTION,
        title[:MAX_TEXT],
        title[:MAX_TEXT],
        {
            "heading": title[:MAX_TEXT],
            "rows": [row_of(one) for one in compared],
            "figures": figure_rows(compared),
            "folds": fold_rows(compared),
            "whiskers": fold_whiskers(compared) if len(metrics) == 1 < len(compared) else {},
            "higher": {name: is_higher_better(name) for name in metrics},
            "differing": [one for one in facts if one.differs],
            "equal": [one for one in facts if not one.differs],
            "trials": page_of(compared[0].trials if len(compared) == 1 else (), address.query),
            "failure": failure,
        },
    )


def fold_whiskers(experiments: Sequence[Experiment]) -> dict[str, Whisker]:
    """Return the mean of the folds and its deviation of each experiment, on one scale, by id."""
    figures = {}
    for one in experiments:
        chosen = one.chosen
        if chosen is not None and chosen.mean is not None and chosen.deviation is not None:
            low, high = chosen.mean - chosen.deviation, chosen.mean + chosen.deviation
            figures[one.id] = (chosen.mean, Band(low, high, "deviation"))
    return whiskers(figures)


async def compare_selected(request: Request) -> Response:
    """Lead from the boxes of the list to the page of the chosen experiments."""
    check_may_see(request)
    ids = [one for one in request.query_params.getlist("id") if "," not in one][:MAX_COMPARED]
    path = f"/experiments/{quote(','.join(ids), safe=',')}" if ids else "/experiments"
    return RedirectResponse(path, SEE_OTHER)


def _read(state: DashboardState) -> tuple[Sequence[Experiment], str]:
    """Return the experiments, the newest first, and why they cannot be read, if so."""
    try:
        return state.experiments(), ""
    except HomeUnusable as error:
        return (), str(error)


EXPERIMENT_VIEWS: Mapping[str, ViewBuilder] = {
    "/experiments": experiments_view,
    "/experiments/{ids}": compare_view,
}
"""The views that are kept current, by the path of their page."""
