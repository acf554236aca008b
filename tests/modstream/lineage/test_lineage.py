"""Lineage events: their content, and that no transport stops or delays a process."""

import json
import sys
from contextlib import nullcontext
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread

import pytest
from structlog.testing import capture_logs

from modstream.broker.wire.records import Record, TopicPartition
from modstream.broker.wire.topics import Topics
from modstream.cli.masked_settings import mask_secrets
from modstream.errors import Interrupted
from modstream.lineage import emitter
from modstream.lineage.emitter import LineageEmitter, open_lineage
from modstream.lineage.runs import JobKind, change_run, learning_run
from modstream.lineage.training import TrainingRun
from modstream.settings import load_settings
from tests.modstream.lineage.run_events import check
from tests.processors.small_fixtures import make_card

pytestmark = pytest.mark.slow

TOPICS = Topics("flights", "team.")
PARENT = make_card(offsets={"team.flights.feedback:0": 5})
CARD = make_card(
    version=2, parent=1,
    offsets={"team.flights.feedback:0": 9, "team.flights.feedback:1": 3},
)  # fmt: skip
RUNS = [
    change_run(TOPICS, CARD, JobKind.PROMOTE, "champion", reason="better", user="ada"),
    change_run(TOPICS, CARD, JobKind.ROLLBACK, "champion"),
    change_run(TOPICS, CARD, JobKind.PUBLISH, None),
    learning_run(TOPICS, CARD, PARENT, "champion", ""),
]


def settings_of(tmp_path, **lineage):
    chosen = {"enabled": True, "transport": file_transport(tmp_path), **lineage}
    return load_settings(home=tmp_path, bootstrap="a:1,b:2", stream="flights", lineage=chosen)


def file_transport(tmp_path):
    return {"type": "file", "log_file_path": str(tmp_path / "lineage.jsonl")}


def emitted(tmp_path, runs, **lineage):
    with open_lineage(settings_of(tmp_path, **lineage)) as found:
        for run in runs:
            found.record(run)
    return [json.loads(line) for line in (tmp_path / "lineage.jsonl").read_text().splitlines()]


class Recorded(list):
    """Keeps runs."""

    def record(self, run):
        self.append(run)


def record(partition, offset):
    return Record("team.flights.feedback", partition, offset, b"k", b"{}")


def test_every_event_is_valid_and_every_run_has_a_start_and_an_end(tmp_path):
    events = emitted(tmp_path, RUNS)

    for event in events:
        check(event)
    assert [one["eventType"] for one in events] == ["START", "COMPLETE"] * len(RUNS)
    assert [one["job"]["name"] for one in events[::2]] == [
        "flights.m.promote", "flights.m.rollback", "flights.m.publish", "flights.m.learn"
    ]  # fmt: skip
    assert len({one["run"]["runId"] for one in events}) == len(RUNS)


def test_a_published_version_names_its_parent_and_the_offsets_that_it_has_learned(tmp_path):
    *_, event = emitted(tmp_path, RUNS[3:], namespace="ours", schemas_url="https://x.org/s")

    topic, parent = event["inputs"]
    assert (topic["namespace"], topic["name"]) == ("kafka://a:1", "team.flights.feedback")
    offsets = topic["inputFacets"]["modstream_offsets"]
    assert offsets["ranges"] == [
        {"partition": 0, "first": 5, "stop": 9},
        {"partition": 1, "first": 0, "stop": 3},
    ]
    assert offsets["_schemaURL"] == (
        "https://x.org/s/lineage-facets.json#/$defs/OffsetRangesInputDatasetFacet"
    )
    (output,) = event["outputs"]
    for dataset, version in ((parent, "1"), (output, "2")):
        assert (dataset["namespace"], dataset["name"]) == ("ours", "models/m")
        assert dataset["facets"]["version"]["datasetVersion"] == version
    model = output["facets"]["modstream_model"]
    assert (model["version"], model["parent"], model["alias"]) == (2, 1, "champion")
    assert (model["sha256"], model["runtime"]) == (CARD.sha256, "river")


def test_a_promotion_tells_the_reason_and_the_person(tmp_path):
    *_, event = emitted(tmp_path, RUNS[:1])

    change = event["run"]["facets"]["modstream_change"]
    assert (change["reason"], change["user"]) == ("better", "ada")


def test_a_version_has_the_same_run_each_time_that_it_is_told():
    again = learning_run(TOPICS, CARD, PARENT, "champion", "")

    assert again.id == RUNS[3].id != RUNS[2].id
    assert change_run(TOPICS, CARD, JobKind.PROMOTE, "champion").id != RUNS[0].id


def test_a_training_begins_and_completes_with_the_offsets_read_and_the_version(tmp_path):
    runs = Recorded()
    with TrainingRun(runs, TOPICS, PARENT, "decayed") as run:
        assert len(list(run.reading([record(0, 7), record(1, 2), record(0, 9)]))) == 3
        run.published(CARD, "challenger")

    begun, done = emitted(tmp_path, runs)
    for event in (begun, done):
        check(event)
    assert (begun["eventType"], done["eventType"]) == ("START", "COMPLETE")
    assert begun["run"]["runId"] == done["run"]["runId"]
    assert begun.get("outputs", []) == []
    assert runs[1].offsets == {
        TopicPartition("team.flights.feedback", 0): (7, 10),
        TopicPartition("team.flights.feedback", 1): (2, 3),
    }
    assert done["outputs"][0]["facets"]["modstream_model"]["alias"] == "challenger"


@pytest.mark.parametrize(
    ("error", "state"),
    [(ValueError("bad"), "FAIL"), (Interrupted(), "ABORT"), (KeyboardInterrupt(), "ABORT")],
)
def test_a_training_that_raises_fails_or_is_aborted(tmp_path, error, state):
    runs = Recorded()
    with pytest.raises(type(error)), TrainingRun(runs, TOPICS, PARENT, ""):
        raise error

    *_, event = emitted(tmp_path, runs)
    check(event)
    assert event["eventType"] == state
    assert ("errorMessage" in event["run"]["facets"]) == (state == "FAIL")


def test_without_the_setting_nothing_is_sent_or_imported(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "modstream.lineage.client", None)

    with capture_logs() as logs, open_lineage(settings_of(tmp_path, enabled=False)) as found:
        found.record(RUNS[0])

    assert logs == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "transport",
    [
        {"type": "file", "log_file_path": "/missing/folder/file"},
        {"type": "http", "url": "http://127.0.0.1:9", "retry": {"total": 0}},
        {"type": "http"},
        {"type": "unheard-of"},
        {"type": "kafka", "topic": "t", "config": {"unknown.option": "1"}},
        {"type": "kafka", "topic": "t", "config": {"bootstrap.servers": "127.0.0.1:9",
                                                   "message.timeout.ms": 50}},
    ],
    ids=str,
)  # fmt: skip
def test_a_transport_that_fails_is_said_once(tmp_path, transport, capfd):
    with capture_logs() as logs, open_lineage(settings_of(tmp_path, transport=transport)) as found:
        for run in RUNS[:2]:
            found.record(run)

    assert [(one["event"], one["log_level"]) for one in logs] == [
        ("lineage events not sent", "warning")
    ]
    assert logs[0]["cause"]
    assert capfd.readouterr() == ("", "")


def test_a_missing_extra_is_said_once(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "modstream.lineage.client", None)

    with capture_logs() as logs, open_lineage(settings_of(tmp_path)) as found:
        found.record(RUNS[0])
        found.record(RUNS[1])

    assert len(logs) == 1


def test_a_transport_that_hangs_delays_neither_the_process_nor_its_end(monkeypatch):
    hanging, asked = Event(), Event()
    monkeypatch.setattr(emitter, "QUEUE_LENGTH", 2)

    def emit(_run):
        asked.set()
        hanging.wait(60)

    with capture_logs() as logs:
        lineage = LineageEmitter(lambda: nullcontext(emit))
        lineage.record(RUNS[0])
        assert asked.wait(10)
        for _ in range(4):
            lineage.record(RUNS[0])
        lineage.close(0.05)
    hanging.set()

    assert [one["cause"] for one in logs] == ["too many events wait"]


def test_events_are_posted_over_http(tmp_path):
    bodies = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            bodies.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(201)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        transport = {"type": "http", "url": f"http://127.0.0.1:{server.server_port}"}
        with open_lineage(settings_of(tmp_path, transport=transport)) as found:
            found.record(RUNS[0])
        server.shutdown()

    assert [one["eventType"] for one in bodies] == ["START", "COMPLETE"]
    for event in bodies:
        check(event)


def test_a_key_of_a_transport_is_not_shown(tmp_path):
    auth = {"type": "api_key", "apiKey": "canary"}
    settings = settings_of(tmp_path, transport={"type": "http", "url": "http://x", "auth": auth})

    assert "canary" not in json.dumps(mask_secrets(settings.model_dump(mode="json")))
