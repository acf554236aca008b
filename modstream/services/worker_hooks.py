"""Hooks of a worker: the one place where telemetry attaches."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Protocol

import structlog

from modstream.broker.loop.ports import BatchStats, LoopHooks
from modstream.models.serving.model_cache import ModelSwap
from modstream.process.activity import ActivityLog


class WorkerHooks(LoopHooks, Protocol):
    """Called at the events of a worker, from the thread where each happens. A hook must not raise.

    `on_batch` and `on_delivery` are called by the loop's thread, `on_refusal` by the handler's,
    `on_swap` by a thread that loads models.
    """

    def on_swap(self, swap: ModelSwap, /) -> None:
        """Observe that an alias serves another version from now on."""

    def on_refusal(self, code: str, model: str | None, /) -> None:
        """Observe a request that got a typed error or became a dead letter."""


class HookList:
    """Calls several hooks, in their order. A hook that raises is logged, and the others go on."""

    def __init__(self, hooks: Sequence[WorkerHooks]) -> None:
        self._hooks = hooks

    def on_batch(self, batch: BatchStats) -> None:
        """Call every hook's `on_batch`."""
        for hook in self._hooks:
            call_safely(hook.on_batch, batch)

    def on_delivery(self, batch: BatchStats, seconds: float) -> None:
        """Call every hook's `on_delivery`."""
        for hook in self._hooks:
            call_safely(hook.on_delivery, batch, seconds)

    def on_swap(self, swap: ModelSwap, /) -> None:
        """Call every hook's `on_swap`."""
        for hook in self._hooks:
            call_safely(hook.on_swap, swap)

    def on_refusal(self, code: str, model: str | None, /) -> None:
        """Call every hook's `on_refusal`."""
        for hook in self._hooks:
            call_safely(hook.on_refusal, code, model)


def call_safely(call: Callable[..., None], *event: object) -> None:
    """Call a hook's method; no exception of it stops a worker."""
    try:
        call(*event)
    except Exception:  # noqa: BLE001 - telemetry is foreign code
        structlog.get_logger(__name__).exception("hook failed", hook=repr(call))


class WorkerStats:
    """Totals of one worker, for its log and its watchdog."""

    def __init__(self) -> None:
        self.batches = 0
        self.records = 0
        self.handling_seconds = 0.0
        self.delivery_seconds = 0.0
        self.swaps = 0
        self.refusals: Counter[str] = Counter()
        self._activity = ActivityLog("requests answered")

    def on_batch(self, batch: BatchStats) -> None:
        """Count nothing: a batch counts once it is delivered."""

    def on_delivery(self, batch: BatchStats, seconds: float) -> None:
        """Count a delivered batch."""
        self.batches += 1
        self.records += batch.records
        self.handling_seconds += batch.handling_seconds
        self.delivery_seconds += seconds
        self._activity.update(lambda: {"requests": self.records, "refused": self.refusals.total()})

    def on_swap(self, _swap: ModelSwap, /) -> None:
        """Count a swap."""
        self.swaps += 1

    def on_refusal(self, code: str, _model: str | None, /) -> None:
        """Count a refusal by its error code."""
        self.refusals[code] += 1

    def totals(self) -> dict[str, object]:
        """Return the totals for a log line; times are in seconds."""
        return {
            "batches": self.batches,
            "records": self.records,
            "handling_seconds": round(self.handling_seconds, 3),
            "delivery_seconds": round(self.delivery_seconds, 3),
            "swaps": self.swaps,
            "refusals": dict(self.refusals),
        }
