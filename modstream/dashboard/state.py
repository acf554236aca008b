"""The state of the dashboard: threads that follow a stream, and views of what they have read."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack
from time import time
from typing import Self

from modstream.broker.errors import BrokerError
from modstream.dashboard.broker_watch import BrokerWatch
from modstream.dashboard.experiment_reader import ExperimentReader
from modstream.dashboard.figures import StreamFigures, counted_topics
from modstream.dashboard.history_reader import HistoryReader
from modstream.dashboard.model_pages import ModelPages
from modstream.dashboard.model_views import Moment
from modstream.dashboard.monitoring_reader import MonitoringReader
from modstream.dashboard.pipeline_views import PipelineDefinitions
from modstream.dashboard.registry_facts import RegistryFacts
from modstream.dashboard.request_search import RequestFinder
from modstream.dashboard.service_sampler import ServiceSampler, server_of
from modstream.dashboard.snapshots import (
    LabelsView,
    ModelSummary,
    ModelView,
    RequestView,
    StoredPredictions,
    StreamView,
)
from modstream.dashboard.store_sampler import StoreSampler
from modstream.dashboard.stream_views import StreamSources, labels_view, stream_view
from modstream.dashboard.updates import UpdateCallback, UpdateSignal
from modstream.dashboard.view_cache import ViewCache
from modstream.dashboard.window import HISTORY_MS, MAX_BUCKETS
from modstream.experiments.experiment import Experiment
from modstream.models.errors import ModelError
from modstream.models.evaluation.version_classes import VersionClasses
from modstream.operations.precompute.store_access import open_prediction_store
from modstream.process.background import BackgroundThread
from modstream.process.health import HealthFiles
from modstream.registry.access import open_registry
from modstream.registry.card_lookup import card_finder
from modstream.settings import Settings

HISTORY_SECONDS = HISTORY_MS // 1000
RETRY_SECONDS = 2.0
"""Time after which topics that cannot be read are tried again."""


STOP_SECONDS = 3.0
"""How long the end of a thread is waited for."""


class DashboardState:
    """The figures of one stream, kept current by background threads.

    Use it as a context manager: the threads run inside, from its beginning even if no server
    responds then. All methods are safe to call from any thread; those that return a view take
    milliseconds, except `request_view`, which reads topics, and `model_view`, which may read the
    registry.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._topics = settings.topics()
        # It publishes nothing, so it needs no key.
        self._registry = open_registry(settings.model_copy(update={"signing_key": None}))
        self._facts = RegistryFacts(self._registry, settings.models)
        self._figures = StreamFigures(self._topics, self._known_models())
        connection = settings.connection
        followed = (
            *counted_topics(self._topics),
            self._topics.model_events,
            self._topics.feedback,
        )
        self._watch = BrokerWatch(connection, followed)
        self._reader = HistoryReader(
            connection, self._topics, self._figures, self._watch.has_more_than
        )
        self._monitoring = MonitoringReader(
            connection,
            self._topics,
            VersionClasses(card_finder(self._registry)),
            self._watch.has_more_than,
            lambda: self._sampler.is_registry_known,
        )
        self._sampler = ServiceSampler(
            connection,
            self._topics,
            HealthFiles(settings.home),
            self._facts,
            lambda: self._figures.timelines.count,
        )
        self._stored = StoreSampler(
            lambda: open_prediction_store(settings),
            self._topics.predictions,
            lambda: self._sampler.latest.models,
        )
        self._models = ModelPages(
            settings.models,
            self._figures,
            self._facts,
            PipelineDefinitions(self._registry),
            self._monitoring,
            self._stored,
        )
        self._finder = RequestFinder(connection, self._topics, self._registry)
        self._experiments = ExperimentReader(settings.home)
        self._updates = UpdateSignal(self._mark)
        self._stream_views = ViewCache[StreamView]()
        self._model_views = ViewCache[ModelView | None]()
        self._exit = ExitStack()
        self._threads = (
            *(
                BackgroundThread(name, run, retry_on=(BrokerError,), retry_seconds=RETRY_SECONDS)
                for name, run in (
                    ("dashboard-reader", self._reader.run),
                    ("dashboard-monitoring", self._monitoring.run),
                )
            ),
            BackgroundThread("dashboard-broker", self._watch.run),
            BackgroundThread("dashboard-sampler", self._sampler.run),
            BackgroundThread("dashboard-store", self._stored.run),
            BackgroundThread("dashboard-updates", self._updates.run),
        )

    def __enter__(self) -> Self:
        self._exit.callback(self._registry.close)
        for thread in self._threads:
            # One that waits for a server that does not answer ends with the process.
            self._exit.callback(thread.stop, STOP_SECONDS)
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._exit.close()

    @property
    def revision(self) -> int:
        """The number of the newest update; it grows at most once a second."""
        return self._updates.revision

    def wait_for_update(self, after: int, timeout: float) -> int:
        """Wait until the revision is above `after`, at most `timeout` seconds; return it."""
        return self._updates.wait(after, timeout)

    def subscribe(self, callback: UpdateCallback) -> AbstractContextManager[None]:
        """Call `callback(revision)` from a background thread after each update, until left.

        The callback must not block; an event loop is woken with `loop.call_soon_threadsafe`.
        """
        return self._updates.subscribed(callback)

    def stream_view(
        self, seconds: int = HISTORY_SECONDS, max_points: int = MAX_BUCKETS
    ) -> StreamView:
        """Return the stream over the last `seconds`, in at most `max_points` intervals."""
        key, moment = (seconds, max_points), self._moment()
        return self._stream_views.get(
            key, moment.revision, lambda: self._stream_view(moment, seconds, max_points)
        )

    def _stream_view(self, moment: Moment, seconds: int, max_points: int) -> StreamView:
        sample = self._sampler.latest
        errors = dict(sample.errors)
        for error in (self._reader.error, self._watch.error):
            if error is not None:
                errors.setdefault(server_of(error), str(error))
        for thread in self._threads:
            if thread.has_failed:
                errors["dashboard"] = f"see the log for the error of {thread.name}"
        sources = StreamSources(
            stream=self._topics.stream,
            route=self._settings.models,
            sample=sample,
            history=self._reader.history(moment.now),
            errors=errors,
        )
        return self._figures.read(
            lambda found: stream_view(found, sources, moment, seconds, max_points), moment.now
        )

    def models(self) -> tuple[ModelSummary, ...]:
        """Return all models: those of the route first, then by name, at most 200."""
        return self._models.summaries(self._sampler.latest, self._moment())

    def model_view(self, name: str) -> ModelView | None:
        """Return one model, or None if neither the registry nor a topic knows it."""
        moment = self._moment()
        return self._model_views.get(
            name,
            moment.revision,
            lambda: self._models.view(name, self._sampler.latest, moment),
        )

    def stored_predictions(self) -> tuple[StoredPredictions, ...]:
        """Return the models with predictions in the prediction store, by name."""
        return tuple(found for _, found in sorted(self._stored.latest.items()))

    def experiments(self) -> Sequence[Experiment]:
        """Return the experiments of the home directory, the newest first.

        Raises:
            HomeUnusable: their journal cannot be read.
        """
        return self._experiments.read()

    def labels_view(self) -> LabelsView:
        """Return the labels and what was set aside."""
        moment = self._moment()
        history = self._reader.history(moment.now)
        return self._figures.read(lambda found: labels_view(found, history, moment), moment.now)

    def request_view(
        self,
        request_id: str,
        *,
        key: str | None = None,
        with_values: bool = False,
        timeout: float = 10.0,
    ) -> RequestView:
        """Search the records of a request, by its id or `topic:partition:offset`; keep nothing.

        Raises:
            SearchBusy: as many searches as are allowed run already.
            SearchFailed: Kafka or the registry does not respond.
        """
        return self._finder.find(request_id, key, timeout, with_values=with_values)

    def _moment(self) -> Moment:
        return Moment(int(time() * 1000), self._updates.revision)

    def _mark(self) -> tuple[object, ...]:
        """Return what changes when a view may show something else."""
        return (
            self._figures.records,
            self._reader.unread_slices,
            self._sampler.latest.number,
            self._monitoring.number,
            self._stored.number,
            self._experiments.mark(),
            self._watch.error is None,
        )

    def _known_models(self) -> tuple[str, ...]:
        """Return the models whose figures never collapse to others: the route and the registry's.

        So after a restart the same models have figures of their own, whatever is read first.
        """
        try:
            return tuple(dict.fromkeys((*self._settings.models, *self._facts.names())))
        except ModelError:
            return self._settings.models
