"""One run of a retrainer: begun, repeated after its process was killed, and recorded.

A run is published at most once: its id is in the history of the alias, where the next process
looks before it trains again.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from modstream.broker.loop.isolation import is_fault, message_of, place_of
from modstream.errors import Interrupted, TrainingFailed
from modstream.experiments.experiment import Experiment
from modstream.experiments.journal import Journal
from modstream.experiments.recorded import abandoned_experiment
from modstream.models.registry.refs import CHAMPION
from modstream.models.registry.registry import Registry
from modstream.models.training.errors import TrainingError
from modstream.processors.learn.retrain_policy import RetrainSettings, Trigger
from modstream.retrain.recorded_training import RecordedTraining, RunOrigin, Trainer
from modstream.retrain.retrain import RetrainPlan, announce_challenger, retrain
from modstream.retrain.run_log import RetrainingRun, RunLog, RunOutcome
from modstream.retrain.training_process import TrainingProcess
from modstream.settings import Settings

OUTCOME_OF_STATE: Mapping[str, RunOutcome] = {
    "accepted": "published",
    "rejected": "rejected",
    "failed": "not_trained",
}
"""The outcome of a run by the state of its experiment."""


@dataclass(frozen=True, slots=True)
class RunResult:
    """What became of a run, and why; `version` is the one that it has published."""

    outcome: RunOutcome
    reason: str = ""
    version: int | None = None


@dataclass(frozen=True, slots=True)
class RetrainingRuns:
    """Begins the runs of one model, and brings them to an end.

    Attributes:
        settings: the settings.
        registry: the model registry.
        model: the model's name.
        log: the runs on disk.
        check_stop: called several times a second; raises `Interrupted` to stop.
        trainer: trains the rows; by default in a process of its own.
    """

    settings: Settings
    registry: Registry
    model: str
    log: RunLog
    check_stop: Callable[[], None]
    trainer: Trainer | None = None

    def begin(self, trigger: Trigger, baseline: Mapping[str, int]) -> RetrainingRun:
        """Retrain once; return the run, without an outcome if it was interrupted.

        `baseline` are the offsets from which feedback is read again after a restart.

        Raises:
            HomeUnusable: the run cannot be written down.
            BrokerError: the feedback cannot be read.
        """
        run = RetrainingRun.begin(trigger)
        self.log.put(run, baseline=baseline, labels=0, figures={}, waiting="")
        return self._perform(run)

    def resume(self) -> RetrainingRun | None:
        """Bring the run to an end whose process was killed or stopped; None if there is none."""
        run = self.log.state.unfinished
        if run is None:
            return None
        structlog.get_logger(__name__).info("a retraining had not ended", run=run.id)
        return self._finish_recorded(run) or self._repeat(run)

    def _finish_recorded(self, run: RetrainingRun) -> RetrainingRun | None:
        """Finish a run whose version is published, or whose experiment is in the journal."""
        journal = Journal(self.settings.home)
        experiment, version = journal.get(run.id), self._published_version(run)
        if version is not None:
            card = self.registry.card(self.model, version)
            announce_challenger(self.settings, card, run.alias or "", run.note)
            if experiment is None and run.experiment is not None:
                journal.append(run.experiment.model_copy(update={"version": version}))
            return self._finish(run, RunResult("published", "", version))
        if experiment is None or experiment.state == "accepted":
            return None
        return self._finish(run, RunResult(OUTCOME_OF_STATE[experiment.state], experiment.reason))

    def _repeat(self, run: RetrainingRun) -> RetrainingRun:
        """Begin a run again, or abandon it."""
        if run.attempts < self.settings.retrain.max_attempts:
            again = run.model_copy(update={"attempts": run.attempts + 1, "experiment": None})
            return self._perform(self.log.put(again))
        reason = f"its process was ended {run.attempts} times"
        origin = RunOrigin(run.id, run.trigger)._asdict()
        abandoned = abandoned_experiment(self.model, reason, self.settings.train)
        Journal(self.settings.home).append(abandoned.model_copy(update=origin))
        return self._finish(run, RunResult("abandoned", reason))

    def _perform(self, run: RetrainingRun) -> RetrainingRun:
        """Train, and publish what is accepted.

        A failure does not end the service: the next run has other feedback.
        """
        alias = choose_alias(self.registry.aliases(self.model), self.settings.retrain)
        run = self.log.put(run.model_copy(update={"alias": alias}))
        log = structlog.get_logger(__name__).bind(
            model=self.model, run=run.id, reason=run.trigger.reason
        )
        log.info("retraining")
        try:
            found = _result_of(retrain(self.settings, self.registry, self.model, self._plan(run)))
        except TrainingError as error:
            log.warning("not retrained", cause=str(error))
            found = RunResult("not_trained", str(error))
        except TrainingFailed as error:
            log.error("retraining failed", cause=str(error))  # noqa: TRY400 - another process's
            found = RunResult("failed", str(error))
        except Interrupted:
            log.info("retraining interrupted")
            return self.log.put(run.model_copy(update={"attempts": run.attempts - 1}))
        except BaseException as error:
            # The feedback can make any step fail, in any way.
            if not is_fault(error):
                raise
            log.exception("retraining failed", cause=message_of(error), place=place_of(error))
            found = RunResult("failed", message_of(error))
        return self._finish(run, found)

    def _plan(self, run: RetrainingRun) -> RetrainPlan:
        limit = self.settings.retrain.max_seconds
        process = TrainingProcess(self.log.work_folder, limit, self.check_stop)

        def on_progress(_step: str, _share: float) -> None:
            self.check_stop()

        def keep(experiment: Experiment) -> None:
            self.check_stop()
            self.log.put(run.model_copy(update={"experiment": experiment}))

        origin = RunOrigin(run.id, run.trigger)
        trainer = self.trainer or process.train_rows
        return RetrainPlan(run.note, run.alias, on_progress, trainer, origin, keep)

    def _published_version(self, run: RetrainingRun) -> int | None:
        """Return the version that a run has published, by the history of its alias."""
        if run.alias is None:
            return None
        moves = self.registry.moves(self.model, run.alias)
        return next((one.new for one in reversed(moves) if one.reason == run.note), None)

    def _finish(self, run: RetrainingRun, found: RunResult) -> RetrainingRun:
        update = {
            "ended": datetime.now(UTC),
            "outcome": found.outcome,
            "reason": found.reason,
            "version": found.version,
            "experiment": None,
        }
        return self.log.put(run.model_copy(update=update))


def choose_alias(aliases: Mapping[str, int], settings: RetrainSettings) -> str:
    """Return the alias of the next challenger: one whose version does not serve, if there is one.

    The gate knows a batch candidate by its alias: while its version serves, a new one must not take
    the place that stands for the champion.
    """
    alias, spare = settings.alias, settings.spare_alias
    is_serving = aliases.get(alias, 0) == aliases.get(CHAMPION)
    return spare if spare and is_serving else alias


def _result_of(found: RecordedTraining) -> RunResult:
    if found.training.is_accepted:
        return RunResult("published", "", None if found.card is None else found.card.version)
    return RunResult("rejected", "; ".join(found.training.rejection_reasons))
