"""AUC of the online model on April to December by how stale the serving copy is, in event time.

    python bench/staleness.py 0.25:0.5 1:1 1:2        # hours between versions : hours unlearned

No broker is involved: labels are learned in the order of landing, so many hours late, and a copy
that is renewed every so many hours answers. docs/adr/0002 rests on it.
"""

import heapq
import pickle
import sys

import numpy as np

from modstream.models.evaluation.metrics import auc, log_loss
from modstream.models.examples.flights import online_pipeline
from modstream.producers.replay.flights import FEATURES, load_flights

HOUR_MS = 3_600_000
FIRST_SCORED = 4


def staleness(every: float, late: float) -> tuple[float, float]:
    """AUC and log loss with a version every `every` hours that lacks the last `late` hours."""
    flights = load_flights()
    rows = flights[list(FEATURES)].to_dict("records")
    asked = flights["scheduled_ms"].tolist()
    landed = flights["landed_ms"].astype("float").tolist()
    labels = flights["late"].astype("float").tolist()
    scored = (flights["date"].dt.month >= FIRST_SCORED).tolist()
    model, due = online_pipeline(), 0.0
    serving = model
    in_air: list[tuple[float, int]] = []
    said, true = [], []
    for number, now in enumerate(asked):
        while in_air and in_air[0][0] <= now - late * HOUR_MS:
            _, done = heapq.heappop(in_air)
            model.learn_one(rows[done], bool(labels[done]))
        if now >= due:
            serving = pickle.loads(pickle.dumps(model)) if every else model  # noqa: S301 - our own
            due = now + every * HOUR_MS
        if np.isnan(labels[number]):
            continue
        if scored[number]:
            said.append(serving.predict_proba_one(rows[number]).get(True, 0.5))
            true.append(labels[number])
        heapq.heappush(in_air, (landed[number], number))
    return auc(np.array(true), np.array(said)), log_loss(np.array(true), np.array(said))


def main() -> None:
    """Print a line for each pair of hours."""
    for pair in sys.argv[1:] or ["0.25:0.5"]:
        every, late = map(float, pair.split(":"))
        area, loss = staleness(every, late)
        print(f"every {every:g} h, {late:g} h late: AUC {area:.4f}, log loss {loss:.4f}")  # noqa: T201


if __name__ == "__main__":
    main()
