"""A process of a shared search, for tests: `LOCATION victim` takes a trial and ends it never."""

import sys
import time

from modstream.models.training.folds import TimeOrderedFolds
from modstream.models.training.search_space import FIRST_HYPERPARAMETERS
from modstream.models.training.shared_search import SharedSearch
from modstream.models.training.study import Candidate, PulseTiming, SharedStudy
from tests.models.training.training_datasets import (
    QUICK_SETTINGS,
    ignore_progress,
    make_dataset,
)

FIRST = Candidate.of("boosting", FIRST_HYPERPARAMETERS["boosting"], 1)
"""The candidate that each process would try first."""
PULSE_SECONDS, DEAD_SECONDS = 0.1, 5.0


def open_shared(location, name="rows"):
    return SharedStudy(
        location,
        "modstream m",
        name,
        higher_is_better=True,
        timing=PulseTiming(PULSE_SECONDS, DEAD_SECONDS),
    )


def shared_search(study, settings=QUICK_SETTINGS):
    folds = TimeOrderedFolds(make_dataset(), settings.folds, settings.threads)
    return SharedSearch(folds, "auc", settings, study, ignore_progress, lambda _: time.sleep(0.05))


def main(location, role):
    with open_shared(location) as study:
        if role == "victim":
            taken = study.take(FIRST)
            print(taken.trial.number, flush=True)  # noqa: T201
            time.sleep(600)
        shared_search(study).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
