"""A hostile corpus through a real worker, joiner and learner: none of them may end.

`make hostile RECORDS=200000 SEED=1` sends the whole corpus; `make test` a small part of it.
"""

import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from time import monotonic, sleep, time
from typing import NamedTuple

import numpy as np
import pytest
from rich.console import Console
from river.linear_model import LogisticRegression as OnlineLogisticRegression
from sklearn.linear_model import LogisticRegression

from modstream.broker.client.admin import Admin
from modstream.broker.client.reader import read_to_end
from modstream.models.importers.description import ModelDescription
from modstream.models.importers.river import import_river
from modstream.models.importers.sklearn import import_sklearn
from modstream.models.runtimes.river.artifact import UnpackedModel
from modstream.models.schema.input_schema import Feature
from modstream.process.supervisor import ProcessState
from tests.hostile.audit import (
    CorpusAudit,
    Place,
    audit_requests,
    count_label_exits,
    parse_places,
    read_exits,
    read_ids,
)
from tests.hostile.corpus import FEATURES, LEARNING_MODEL, STATIC_MODEL, corpus
from tests.journeys.conftest import open_system, with_route

pytestmark = [pytest.mark.real, pytest.mark.hostile, pytest.mark.long]

ROLES = ("worker", "joiner", "learner")
SECONDS_PER_RECORD = 0.02
"""The time that the slowest role may take for a record on a loaded machine."""


class CorpusPlan(NamedTuple):
    """The arguments of a corpus: seed, number of records, event time (ms)."""

    seed: int
    count: int
    now: int


@pytest.fixture(scope="module")
def static_model() -> LogisticRegression:
    """A fitted model whose predictions the answers are compared with."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(500, len(FEATURES)))
    return LogisticRegression().fit(rows, rows.sum(axis=1) > 0)


@pytest.fixture
def stream(bootstrap, redis_url, prefix, tmp_path, static_model):
    """A stream with both models, and a running worker, joiner and learner."""
    with open_system(bootstrap, redis_url, prefix, tmp_path) as opened:
        system = with_route(opened, LEARNING_MODEL, stream="hostile")
        system.create_topics()
        online = import_river(
            LEARNING_MODEL,
            UnpackedModel(OnlineLogisticRegression(), None),
            ModelDescription(features=tuple(Feature(name=n, kind="float") for n in FEATURES)),
        )
        static = import_sklearn(STATIC_MODEL, static_model)
        with system.registry() as registry:
            for found in (online, static):
                registry.publish(found.spec, found.artifact)
        for role in ROLES:
            system.start(role, role)
        system.wait_for_worker()
        yield system


def test_no_role_ends_and_every_record_has_exactly_one_exit(stream, static_model, pytestconfig):
    seed, count = pytestconfig.getoption("--seed"), pytestconfig.getoption("--records")
    plan = CorpusPlan(seed, count, int(time() * 1000))
    places = send_corpus(stream, plan)
    wait_until_read(stream, 120 + count * SECONDS_PER_RECORD)

    exits = read_exits(stream.settings.connection, stream.topics)
    requests = (
        (places[number], record)
        for number, record in enumerate(corpus(*plan))
        if record.topic == "requests"
    )
    audit = audit_requests(requests, exits, library_prediction(static_model))

    labels = count_label_exits(stream.settings.connection, stream.topics)
    show(audit, plan, labels)
    assert [exit_ for exit_ in labels if exit_.endswith("internal_error")] == []
    assert ends_of(stream) == {}
    assert dict(audit.faults) == {}
    assert_every_valid_label_is_joined(stream, plan)


def send_corpus(stream, plan: CorpusPlan) -> dict[int, Place]:
    """Send the corpus; return the place of each record by its number."""
    prefix = stream.topics.requests.removesuffix("requests")
    arguments = [stream.settings.bootstrap, prefix, *map(str, plan)]
    sent = subprocess.run(
        [sys.executable, "-m", "tests.hostile.sender", *arguments],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return parse_places(sent.stdout)


def show(audit: CorpusAudit, plan: CorpusPlan, labels: Counter[str]) -> None:
    """Print the closing table, and examples of the faults."""
    console = Console(width=100)
    console.print(f"hostile corpus: {plan.count:,} records of seed {plan.seed}", audit.table())
    console.print("error codes:", dict(audit.codes.most_common()))
    console.print("labels and feedback that were not learned:", dict(labels.most_common()))
    for fault, examples in audit.faults.items():
        console.print(f"{fault}: {len(examples)}", *examples[:5], sep="\n  ", markup=False)


def library_prediction(model: LogisticRegression) -> Callable[[tuple[float, ...]], float]:
    """Return the function that asks the library for the probability of a row."""
    return lambda row: float(model.predict_proba([row])[0, 1])


def ends_of(stream) -> dict[str, str]:
    """Return the end of the log of each role that has ended or was restarted."""
    return {
        row.name: stream.log(row.name)[-3000:]
        for row in stream.supervisor.status()
        if row.restarts or row.state is not ProcessState.RUNNING
    }


def wait_until_read(stream, seconds: float) -> None:
    """Wait until worker, joiner and learner have read all records, or one of them has ended."""
    admin, topics = Admin(stream.settings.connection), stream.topics
    inputs = {"worker": topics.requests, "joiner": topics.labels, "learner": topics.feedback}
    deadline = monotonic() + seconds
    behind: dict[str, int] = {"all": 1}
    while behind and monotonic() < deadline and not ends_of(stream):
        sleep(0.5)
        behind = {
            role: lag
            for role, topic in inputs.items()
            if (lag := sum(admin.lag(topics.group(role), [topic]).values()))
        }
    assert not behind or ends_of(stream), f"still to read after {seconds:.0f} s: {behind}"


def assert_every_valid_label_is_joined(stream, plan: CorpusPlan) -> None:
    """Assert that the label of each answered request has become one feedback record."""
    answered, labelled = set(), set()
    for record in corpus(*plan):
        if record.kind == "valid, learning":
            answered.add(record.id)
        if (record.topic, record.kind) == ("labels", "valid"):
            labelled.add(record.id)
    found = read_ids(read_to_end(stream.settings.connection, [stream.topics.feedback]))
    missing = [name for name in labelled & answered if found[name] != 1]
    assert labelled & answered
    assert missing == []
