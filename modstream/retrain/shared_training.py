"""A training whose search is shared by several processes, through a study of Optuna."""

from collections.abc import Callable
from functools import partial

from modstream.models.training.search import ProgressCallback
from modstream.models.training.settings import TrainSettings
from modstream.models.training.shared_search import search_in_study
from modstream.models.training.train import join_search, train
from modstream.retrain.recorded_training import Trainer, TrainRows
from modstream.retrain.table_source import TrainingRows

Joiner = Callable[[TrainingRows], int]
"""Takes trials of a search of some rows, and returns how many."""


def train_in_study(location: str) -> Trainer:
    """Return what trains with a search that is shared through the study at a file or URL."""

    def trainer(
        rows: TrainingRows, settings: TrainSettings, on_progress: ProgressCallback
    ) -> TrainRows:
        search = partial(search_in_study, location)
        return lambda on_test: train(
            rows.dataset, settings, on_progress, rows.open_test, on_test, search
        )

    return trainer


def join_in_study(location: str, settings: TrainSettings, on_progress: ProgressCallback) -> Joiner:
    """Return what takes trials of the search that is shared through a study."""
    return lambda rows: join_search(rows.dataset, settings, location, on_progress, rows.open_test)
