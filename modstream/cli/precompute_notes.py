"""What a precompute command says about the prediction store, on standard error."""

from modstream.cli.output import stderr
from modstream.models.prediction_store.errors import StoreError
from modstream.operations.precompute.stale_rows import StaleRows
from modstream.operations.precompute.store_access import open_prediction_store
from modstream.settings import Settings


def note_stale(rows: StaleRows) -> None:
    """Say which stale keys cannot be predicted again without their source."""
    if rows.without_features:
        _say(
            f"{rows.without_features:,} stale keys have no features in the store:"
            " predict them again with --from and their source"
        )


def note_store(settings: Settings) -> None:
    """Say it if nothing stores the predictions of a run."""
    try:
        with open_prediction_store(settings) as store:
            is_filled = bool(store.offsets(settings.topics().predictions))
    except StoreError as error:
        _say(str(error))
        return
    if not is_filled:
        _say(
            "the predictions are in the topic, and in no store yet:"
            f" `modstream materializer {settings.stream}` stores them"
        )


def _say(text: str) -> None:
    stderr.print(text, markup=False, highlight=False)
