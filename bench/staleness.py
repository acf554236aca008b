"""AUC of the online model from April to December, by the staleness of the served version.

    python bench/staleness.py 0.25:0.5 1:1 1:2    # INTERVAL:DELAY in hours

INTERVAL is the time between two versions, DELAY that between a label and its learning.

It uses no broker. Labels are learned in the order of landing with a delay, and a copy of the
model that is renewed at an interval makes the predictions. Delay and interval are in event time.
docs/adr/0002 is based on the results.
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
    """Return AUC and log loss with a version every `every` hours and labels `late` hours late."""
    flights = load_flights()
    rows = flights[list(FEATURES)].to_dict("records")
    scheduled = flights["scheduled_ms"].tolist()
    landed = flights["landed_ms"].astype("float").tolist()
    labels = flights["late"].astype("float").tolist()
    scored = (flights["date"].dt.month >= FIRST_SCORED).tolist()
    model, due = online_pipeline(), 0.0
    serving = model
    in_air: list[tuple[float, int]] = []
    scores, truths = [], []
    for number, now in enumerate(scheduled):
        while in_air and in_air[0][0] <= now - late * HOUR_MS:
            _, arrived = heapq.heappop(in_air)
            model.learn_one(rows[arrived], bool(labels[arrived]))
        if now >= due:
            serving = pickle.loads(pickle.dumps(model)) if every else model  # noqa: S301 - pickled here
            due = now + every * HOUR_MS
        if np.isnan(labels[number]):
            continue
        if scored[number]:
            scores.append(serving.predict_proba_one(rows[number]).get(True, 0.5))
            truths.append(labels[number])
        heapq.heappush(in_air, (landed[number], number))
    return auc(np.array(truths), np.array(scores)), log_loss(np.array(truths), np.array(scores))


def main() -> None:
    """Print a line for each pair of interval and delay."""
    for pair in sys.argv[1:] or ["0.25:0.5"]:
        every, late = map(float, pair.split(":"))
        area, loss = staleness(every, late)
        print(f"every {every:g} h, {late:g} h late: AUC {area:.4f}, log loss {loss:.4f}")  # noqa: T201


if __name__ == "__main__":
    main()
