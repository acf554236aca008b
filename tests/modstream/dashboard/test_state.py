"""The state on a real stream: what clients and a worker do is shown, and again after a restart."""

from time import time

import pytest

from modstream.broker.client.publisher import Publisher
from modstream.broker.wire.codec import encode
from modstream.broker.wire.model_contracts import Metrics
from modstream.broker.wire.records import ProducerRecord
from modstream.dashboard import store_sampler
from modstream.dashboard.snapshots import PipelineView, StreamTotals
from modstream.dashboard.state import DashboardState
from modstream.models.examples.flights import FLIGHT_SCHEMA
from modstream.models.pipelines.checks import check_pipeline
from modstream.models.pipelines.pipeline import parse_pipeline
from modstream.pipelines.publishing import spec_of
from modstream.process.background import BackgroundThread
from modstream.services.materializer import run_materializer
from modstream.services.worker import run_worker
from tests.journeys.conftest import TIMEOUT_SECONDS, open_system, publish_untrained

pytestmark = pytest.mark.real

ROW = {f.name: "AA" if f.kind == "string" else 1.0 for f in FLIGHT_SCHEMA.features}
PIPELINE = """
name = "double"
[request]
%s
[steps.a]
model = "flights"
[steps.b]
transform = { twice = "a.probability * 2" }
[output]
twice = "b.twice"
"""
SERIES = ("requests", "answers", "refusals", "dead_letters", "labels", "p50", "p95", "p99")


@pytest.fixture
def system(bootstrap, redis_url, prefix, tmp_path):
    with open_system(bootstrap, redis_url, prefix, tmp_path) as opened:
        yield opened


def wait_until(state, is_reached):
    """Wait for updates until a condition holds, and check that it does."""
    deadline, revision = time() + TIMEOUT_SECONDS, state.revision
    while not is_reached() and time() < deadline:
        revision = state.wait_for_update(revision, 1.0)
    assert is_reached()


def counts(totals: StreamTotals):
    names = ("requests", "answers", "refusals", "dead_letters", "labels")
    return {name: getattr(totals, name) for name in names}


def by_time(series, name):
    """Return the values of a series that are not empty, by the beginning of their interval."""
    values = enumerate(getattr(series, name))
    return {series.start + number * series.step: value for number, value in values if value}


def send_everything(system):
    """Send 20 requests that are answered, one that is refused, one dead letter, and labels."""
    client = system.client()
    sent = [client.send(ROW) for _ in range(20)]
    for pending in sent:
        client.wait(pending, TIMEOUT_SECONDS)
    for pending in sent[:3]:
        client.label(pending, True, 1_356_998_400_000)
    with Publisher(system.settings.connection) as publisher:
        publisher.send(ProducerRecord(system.topics.requests, b"broken", b'{"secret": '))
        metrics = Metrics(kind="coverage", model="flights", version=1, values={"predicted": 20.0})
        publisher.send(ProducerRecord(system.topics.metrics, b"coverage", encode(metrics)))
        publisher.flush()
    return sent[0]


def test_a_stream_is_shown_as_it_is_and_again_after_a_restart(system):
    expected = {"requests": 22, "answers": 20, "refusals": 1, "dead_letters": 1, "labels": 3}
    with DashboardState(system.settings) as state:
        wait_until(state, lambda: "server/topics" in abouts(state))
        publish_untrained(system, "flights")
        with BackgroundThread("worker", lambda stop: run_worker(system.settings, stop)):
            system.wait_for_worker()
            first = send_everything(system)
            wait_until(state, lambda: counts(state.stream_view().totals) == expected)
            wait_until(state, lambda: abouts(state) == {"dead_letters", "refusals"})
            check_views(state, first)

        with DashboardState(system.settings) as restarted:
            wait_until(restarted, lambda: restarted.stream_view().history.is_complete)
            check_same(state, restarted)
            assert restarted.labels_view().coverage[0].coverage.predicted == 20


def test_a_pipeline_is_shown_with_its_steps_and_the_store_with_its_keys(system, monkeypatch):
    monkeypatch.setattr(store_sampler, "FIRST_PAUSE_S", 0.1)
    monkeypatch.setattr(store_sampler, "MIN_PAUSE_S", 0.2)
    publish_untrained(system, "flights")
    publish_pipeline(system)
    with (
        BackgroundThread("worker", lambda stop: run_worker(system.settings, stop)),
        BackgroundThread("materializer", lambda stop: run_materializer(system.settings, stop)),
        DashboardState(system.settings) as state,
    ):
        client = system.client()
        system.wait_until_loaded(client, ROW, "double")
        wait_until(state, lambda: (state.model_view("double").pipeline or NONE).answered_at)
        wait_until(state, state.stored_predictions)

        steps = {one.name: one for one in state.model_view("double").pipeline.steps}
        (stored,) = state.stored_predictions()

    assert (steps["a"].model, steps["a"].version, steps["a"].asked) == ("flights", 1, 1)
    assert steps["a"].milliseconds > 0
    assert (steps["b"].kind, steps["b"].outcome) == ("transform", "ok")
    assert state.model_view("flights").pipeline is None
    assert (stored.model, stored.keys, stored.stale, stored.champion) == ("double", 1, 0, 1)
    assert state.model_view("double").stored == stored


NONE = PipelineView(0, "", (), None)


def publish_pipeline(system):
    """Publish a pipeline that doubles the probability of the model `flights`."""
    request = "\n".join(f'{one.name} = "{one.kind}"' for one in FLIGHT_SCHEMA.features)
    text = PIPELINE % request
    with system.registry() as registry:
        checked = check_pipeline(parse_pipeline(text.encode(), "double"), registry.card, "double")
        registry.publish(spec_of(checked), text.encode())


def check_views(state, first):
    view = state.stream_view(seconds=600, max_points=60)
    (worker,) = [one for one in view.services if one.service == "worker"]
    (summary,) = state.models()
    (cause,) = state.labels_view().dead_letters
    found = state.request_view(first.id)

    assert 0 < view.totals.p50 <= view.totals.p99
    assert worker.is_running
    assert sorted(worker.members[0].partitions) == [0, 1, 2, 3]
    assert (summary.answers, summary.is_in_route, summary.task) == (20, True, "binary")
    assert state.model_view("flights").versions[0].answers == 20
    assert state.model_view("flights").versions[0].runtime == "river"
    assert state.model_view("ghost") is None
    assert (cause.cause, cause.examples[0].key) == ("not_json", "broken")
    assert [one.kind for one in found.facts] == ["request", "prediction", "label"]
    assert not any(one.values for one in found.facts)
    assert "AA" in state.request_view(first.id, with_values=True).facts[0].values["features"]
    assert not state.request_view("nobody").is_found
    assert not state.request_view(first.id, timeout=-1).is_complete


def check_same(state, restarted):
    before, after = state.stream_view().series, restarted.stream_view().series
    for name in SERIES:
        assert by_time(before, name) == by_time(after, name)
    assert counts(state.stream_view().totals) == counts(restarted.stream_view().totals)
    assert state.labels_view().dead_letters == restarted.labels_view().dead_letters
    assert state.models()[0].answers == restarted.models()[0].answers


def abouts(state):
    return {one.about for one in state.stream_view().problems}
