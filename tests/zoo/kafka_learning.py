"""River models that learn through Kafka: request, label, joined feedback, learned version, answer.

Models of equal features and labels share one stream, whose route asks all of them. Their learners
run one after the other in this process; worker and joiner are processes.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from time import monotonic, sleep
from typing import NamedTuple
from uuid import uuid4

from modstream.broker.client.reader import Reader
from modstream.broker.wire.codec import decode
from modstream.broker.wire.contracts import Feedback
from modstream.models.errors import ModelError
from modstream.models.runtimes.river.inspection import river_task
from modstream.models.schema.card import ModelCard
from modstream.models.schema.columns import Scalar
from modstream.models.schema.input_schema import Feature
from modstream.models.trial.process import TrialProcess
from modstream.registry.publishing import publish_model, try_model
from modstream.services.learner import run_learner
from modstream.settings import Settings
from tests.journeys.conftest import TIMEOUT_SECONDS, System, open_system
from tests.zoo.kafka import PublishedModel
from tests.zoo.results import ZooResult
from tests.zoo.river_answers import Wrong
from tests.zoo.river_models import RiverCase, Row, cases, copy_of, learn, rows, value_of
from tests.zoo.river_zoo import Trial, compare, publish, trials

TAUGHT, ASKED = 12, 4
FIRST_EVENT_TIME = 1_700_000_000_000


class Kind(NamedTuple):
    """What the models of one stream have in common."""

    features: tuple[Feature, ...]
    classes: tuple[Scalar, ...]
    are_detectors: bool
    first_row: str


def learning_groups(wanted: Sequence[RiverCase] | None = None) -> Iterator[list[Trial]]:
    """Yield the trials of untrained models whose labels are scalars, those of one kind together."""
    groups: defaultdict[Kind, list[Trial]] = defaultdict(list)
    for case in cases() if wanted is None else wanted:
        *_, trial = trials(case, 0)
        model = case.make()
        if hasattr(model, "learn_one") and case.features:
            kind = Kind(case.features, trial.classes, is_detector(trial), str(rows(case, 1)[0]))
            groups[kind].append(trial)
    yield from groups.values()


def learned_results(
    bootstrap: str, redis: str, folder: Path, groups: Iterator[list[Trial]]
) -> Iterator[ZooResult]:
    """Yield what became of each model that learns, after `TAUGHT` labels through Kafka."""
    for number, group in enumerate(groups):
        home = folder / f"learning-{number}"
        home.mkdir()
        with open_system(bootstrap, redis, f"z{uuid4().hex[:8]}.", home) as system:
            system.settings = system.settings.model_copy(
                update={"stream": f"group{number}", "partitions": 1}
            )
            with TrialProcess(system.settings.model_cache.trial_limits) as trial_process:
                yield from _results_of(system, trial_process, group)


def _results_of(
    system: System, trials: TrialProcess, group: Sequence[Trial]
) -> Iterator[ZooResult]:
    published: dict[str, tuple[Trial, ModelCard]] = {}
    route: list[str] = []
    has_primary = False
    system.create_topics()
    for trial in group:
        try:
            card, predicts = _publish(system, trials, trial, f"zoo-{len(published)}")
        except ModelError as error:
            yield ZooResult("learning", trial.case.name, "refused", sentence=str(error))
        else:
            published[card.name] = trial, card
            # The prediction of the first model carries the features that all learn from.
            route = [card.name, *route] if predicts else [*route, card.name]
            has_primary |= predicts
    if not has_primary:
        sentence = "no model of its stream predicts before its first label, so no label is joined"
        for trial, _ in published.values():
            yield ZooResult("learning", trial.case.name, "refused", sentence=sentence)
        return
    system.settings = system.settings.model_copy(update={"route": tuple(route)})
    for role in ("worker", "joiner"):
        system.start(role, role)
    system.wait_for_worker()
    taught = _teach(system, group[0])
    for name, (trial, card) in published.items():
        yield _learned_result(system, trial, card, taught, name)


def _publish(
    system: System, trials: TrialProcess, trial: Trial, name: str
) -> tuple[ModelCard, bool]:
    """Publish an untrained model; return its card, and whether it predicts already."""
    imported = publish(trial, trial.case.make())
    renamed = imported._replace(spec=imported.spec.model_copy(update={"name": name}))
    tried = try_model(renamed, trials)
    with system.registry() as registry:
        card = publish_model(system.settings, registry, tried, "champion").card
    return card, tried.report.rows > 0


def _teach(system: System, trial: Trial) -> list[Row]:
    """Send requests and their labels; return the rows in the order of their feedback."""
    client, table = system.client(), rows(trial.case, TAUGHT)
    sent = {}
    for at, row in enumerate(table):
        pending = client.send(row, event_time=FIRST_EVENT_TIME + at)
        sent[pending.id] = row
        client.wait(pending, TIMEOUT_SECONDS)
        client.label(pending, label_of(trial, row), event_time=FIRST_EVENT_TIME + at)
    joined: list[Row] = []
    deadline = monotonic() + TIMEOUT_SECONDS
    with Reader(system.settings.connection, [system.topics.feedback]) as reader:
        while len(joined) < TAUGHT and monotonic() < deadline:
            found = (decode(Feedback, record.value) for record in reader.poll(0.2))
            joined += [sent[one.id] for one in found if one.features is not None]
    return joined


def is_detector(trial: Trial) -> bool:
    """Return whether a model detects anomalies: its labels say whether a row was one."""
    return river_task(trial.case.make()) == "anomaly"


def label_of(trial: Trial, row: Row) -> Scalar:
    """Return a row's label as the stream has it."""
    return value_of(row) > 0 if is_detector(trial) else trial.card_label(row)


def _learned_result(
    system: System, trial: Trial, first: ModelCard, taught: Sequence[Row], name: str
) -> ZooResult:
    """Let a model learn the feedback, and compare its next version with River's own learning."""
    case, twin = trial.case, trial.case.make()
    if len(taught) < TAUGHT:
        sentence = f"only {len(taught)} of {TAUGHT} labels were joined"
        return ZooResult("learning", case.name, "not serving", sentence=sentence)
    for row in taught:
        learn(twin, row, trial.own_label(twin, row))
    try:
        with _learner(system.settings, name):
            card = _wait_for_version(system, first)
        model = PublishedModel(card, system.client())
        _wait_until_served(model, case)
        asked = rows(case, TAUGHT + ASKED)[TAUGHT:]
        largest = compare(trial, copy_of(twin), model, asked, TAUGHT)
    except (ModelError, TimeoutError) as error:
        return ZooResult("learning", case.name, "not serving", sentence=str(error))
    except Wrong as error:
        return ZooResult("learning", case.name, error.outcome, sentence=str(error))
    return ZooResult("learning", case.name, "served", largest)


@contextmanager
def _learner(settings: Settings, model: str) -> Iterator[None]:
    """Run a model's learner in a thread; what it has learned is published at the end."""
    stop = Event()
    thread = Thread(target=run_learner, args=(settings, model, stop), daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(TIMEOUT_SECONDS)


def _wait_for_version(system: System, first: ModelCard) -> ModelCard:
    """Return the version that has learned all feedback."""
    deadline = monotonic() + TIMEOUT_SECONDS
    with system.registry() as registry:
        while monotonic() < deadline:
            card = registry.newest(first.name)
            if card is not None and sum(card.offsets.values()) >= TAUGHT:
                return card
            sleep(0.1)
    raise TimeoutError("the learner has published no version")


def _wait_until_served(model: PublishedModel, case: RiverCase) -> None:
    """Wait until the worker answers with the learned version."""
    deadline = monotonic() + TIMEOUT_SECONDS
    row = rows(case, 1)[0]
    while monotonic() < deadline:
        found = model.client.wait(model.client.send(row, model=model.card.name), TIMEOUT_SECONDS)
        if getattr(found, "version", model.card.version) == model.card.version:
            return
        sleep(0.1)
    raise TimeoutError("the worker does not serve the learned version")
