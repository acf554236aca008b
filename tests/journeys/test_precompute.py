"""Precompute: a table of rows through a worker into a store, with processes that are killed."""

import json

import pytest
from pyarrow.parquet import read_table

from modstream.broker.client.admin import Admin
from modstream.broker.client.publisher import Publisher
from modstream.broker.wire.records import ProducerRecord
from modstream.broker.wire.topics import TopicSpec
from modstream.operations.precompute.store_access import open_prediction_store
from tests.journeys.conftest import TIMEOUT_SECONDS
from tests.journeys.precompute_runs import (
    MODEL,
    check_run,
    check_store,
    kill_after,
    open_precompute_system,
    predictions_of,
    publish_echo,
    start,
    wait_until,
    write_rows,
)

pytestmark = [pytest.mark.real, pytest.mark.journey]


@pytest.fixture(scope="module")
def system(bootstrap, redis_url, tmp_path_factory):
    """A stream with a worker and a materializer, which the tests of this file share."""
    folder = tmp_path_factory.mktemp("precompute")
    with open_precompute_system(bootstrap, redis_url, folder) as opened:
        yield opened


def test_a_run_that_is_killed_twice_predicts_every_row_once(system):
    rows = 4_000
    source = write_rows(system.folder / "rows.jsonl", rows)
    arguments = ("--from", str(source), "--key", "tail", "--run", "killed")
    for share in (0.05, 0.1):
        # With few rows in flight the run takes seconds, so that it is killed long before its end.
        kill_after(system, int(share * rows), *arguments, "--window", "20")
        system.supervisor.kill("materializer")

    with start(system, *arguments, "--json", "--to", "answers.parquet") as third:
        stdout, stderr = third.communicate(timeout=TIMEOUT_SECONDS)

    assert third.returncode == 0, stderr
    assert "run killed continues" in stderr
    result = json.loads(stdout)
    check_run(system, result, rows)
    table = read_table(system.folder / "answers.parquet").to_pydict()
    assert sorted(table["row"]) == list(range(1, rows + 1))
    assert [float(key[1:]) for key in table["key"]] == table["value"]
    check_store(system, result, rows)


def test_a_complete_run_is_not_repeated_under_its_name(system):
    source = write_rows(system.folder / "few.jsonl", 3, first=100_000)
    arguments = ("precompute", "--from", str(source), "--key", "tail", "--json")
    named = [system.run(*arguments, "--run", "named") for _ in range(2)]
    unnamed = [system.run(*arguments) for _ in range(2)]

    assert [one.returncode for one in named + unnamed] == [0] * 4, named + unnamed
    assert "run named is complete" in named[1].stderr
    assert named[0].stdout == named[1].stdout
    ids = [json.loads(one.stdout)["ids"] for one in unnamed]
    assert ids[0] != ids[1]
    assert len(predictions_of(system, ids[1])) == 3


def test_an_unfinished_run_refuses_other_rows(system):
    source = write_rows(system.folder / "other.jsonl", 2_000, first=200_000)
    arguments = ("--from", str(source), "--key", "tail", "--run", "changed", "--window", "4")
    kill_after(system, 20, *arguments)
    write_rows(source, 3, first=300_000)

    refused = system.run("precompute", *arguments)
    restarted = system.run("precompute", *arguments, "--restart", "--json")

    assert refused.returncode == 1
    assert "the unfinished run changed has another file" in refused.stderr
    assert json.loads(restarted.stdout)["predicted"] == {"1": 3}


def test_rows_that_get_no_prediction_are_counted_by_the_reason(system):
    rows = [{"tail": "A1", "hash": 1}, {"tail": "A2", "hash": "x"}, {"hash": 3}, {"tail": "A4"}]
    source = system.folder / "bad.jsonl"
    source.write_text("\n".join(map(json.dumps, rows)))

    result = system.run("precompute", "--from", str(source), "--key", "tail", "--json")

    assert result.returncode == 1
    document = json.loads(result.stdout)
    assert document["predicted"] == {"1": 1}
    assert document["refused"] == {"not_sent": 1, "wrong_type": 1, "missing_feature": 1}


def test_the_records_of_a_topic_are_rows_with_their_own_keys(system):
    topic = f"{system.settings.prefix}tails"
    admin = Admin(system.settings.connection)
    admin.create([TopicSpec(topic, 2)])
    with Publisher(system.settings.connection) as publisher:
        for number in range(50):
            value = json.dumps({"hash": number}).encode()
            publisher.send(ProducerRecord(topic, f"T{number}".encode(), value))
        publisher.send(ProducerRecord(topic, b"T50", b"no row"))
        publisher.flush()

    result = system.run("precompute", "--from", f"topic:{topic}", "--json")

    assert result.returncode == 0, result.stderr
    ids = json.loads(result.stdout)["ids"]
    assert predictions_of(system, ids) == {(f"T{n}", float(n)): 1 for n in range(50)}


def test_stale_keys_are_known_and_predicted_again_from_their_features(system):
    source = write_rows(system.folder / "stale.jsonl", 20, first=400_000)
    system.run("precompute", "--from", str(source), "--key", "tail")
    with open_prediction_store(system.settings) as store:
        wait_until(lambda: store.get(MODEL, "N400019") is not None)
        before = store.count_versions(MODEL)
    card = publish_echo(system, note="a new champion")

    status = json.loads(system.run("precompute", "--status", "--json").stdout)
    again = system.run("precompute", "--stale", "--json")

    total = sum(before.values())
    assert status == [{"version": 1, "keys": total, "stale": True}]
    assert json.loads(again.stdout)["predicted"] == {str(card.version): total}, again.stderr
    with open_prediction_store(system.settings) as store:
        wait_until(lambda: store.count_versions(MODEL) == {card.version: total})
    assert json.loads(system.run("precompute", "--stale", "--json").stdout)["rows"] == 0


def test_a_lookup_prints_the_newest_prediction_with_its_version_and_age(system):
    source = write_rows(system.folder / "one.jsonl", 1, first=500_000)
    system.run("precompute", "--from", str(source), "--key", "tail")
    with open_prediction_store(system.settings) as store:
        wait_until(lambda: store.get(MODEL, "N500000") is not None)

    found = json.loads(system.run("lookup", "N500000", "--json").stdout)
    missing = system.run("lookup", "nobody")

    assert found["outputs"] == {"value": 500_000.0}
    assert 0 <= found["age_seconds"] < TIMEOUT_SECONDS
    assert "value" in system.run("lookup", "N500000").stdout
    assert (missing.returncode, missing.stdout) == (1, "")
    assert "has no prediction of flights for this key" in missing.stderr
