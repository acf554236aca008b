"""The hooks of a worker: each event reaches every hook, in their order."""

from structlog.testing import capture_logs

from modstream.broker.loop.ports import BatchStats
from modstream.models.serving.model_cache import ModelSwap
from modstream.services.worker_hooks import HookList, WorkerStats

BATCH = BatchStats(records=3, produced=4, handling_seconds=0.5)
SWAP = ModelSwap("m", "champion", 1, 2, 0.1)


class Recorder:
    """A hook that notes its calls."""

    def __init__(self, name, calls):
        self._name, self._calls = name, calls

    def on_batch(self, batch):
        self._calls.append((self._name, "batch", batch))

    def on_delivery(self, batch, seconds):
        self._calls.append((self._name, "delivery", batch, seconds))

    def on_swap(self, swap):
        self._calls.append((self._name, "swap", swap))

    def on_refusal(self, code, model):
        self._calls.append((self._name, "refusal", code, model))


def test_every_event_reaches_every_hook():
    calls = []
    hooks = HookList([Recorder("a", calls), Recorder("b", calls)])

    hooks.on_batch(BATCH)
    hooks.on_delivery(BATCH, 0.25)
    hooks.on_swap(SWAP)
    hooks.on_refusal("not_json", None)

    assert calls == [
        ("a", "batch", BATCH),
        ("b", "batch", BATCH),
        ("a", "delivery", BATCH, 0.25),
        ("b", "delivery", BATCH, 0.25),
        ("a", "swap", SWAP),
        ("b", "swap", SWAP),
        ("a", "refusal", "not_json", None),
        ("b", "refusal", "not_json", None),
    ]


def test_a_hook_that_raises_is_logged_and_the_others_are_called():
    class Broken(Recorder):
        def on_refusal(self, code, model):
            raise KeyError(code)

        on_batch = on_refusal

    calls = []
    hooks = HookList([Broken("a", calls), Recorder("b", calls)])

    with capture_logs() as logs:
        hooks.on_refusal("not_json", None)
        hooks.on_batch(BATCH)

    assert calls == [("b", "refusal", "not_json", None), ("b", "batch", BATCH)]
    assert [line["log_level"] for line in logs] == ["error", "error"]


def test_the_totals_count_delivered_batches_swaps_and_refusals():
    stats = WorkerStats()

    stats.on_batch(BATCH)
    stats.on_delivery(BATCH, 0.25)
    stats.on_swap(SWAP)
    stats.on_refusal("not_json", None)
    stats.on_refusal("not_json", "m")

    assert stats.totals() == {
        "batches": 1,
        "records": 3,
        "handling_seconds": 0.5,
        "delivery_seconds": 0.25,
        "swaps": 1,
        "refusals": {"not_json": 2},
    }
