"""What every prediction store does alike: one suite on a real Redis and a real PostgreSQL."""

from threading import Thread

import pytest

from modstream.models.prediction_store.errors import StoreMoved, StoreUnavailable, UnknownStore
from modstream.models.prediction_store.open_store import open_store
from modstream.models.prediction_store.store import VersionKeys
from modstream.models.prediction_store.stored_prediction import StoredPrediction
from modstream.stack.embedded.ports import free_port

pytestmark = pytest.mark.real

CREATED = 1_700_000_000_000
P0, P1 = "flights.predictions:0", "flights.predictions:1"


def stored(key, version=1, model="m", **fields):
    outputs = fields.pop("outputs", b'{"probability":0.25}')
    created = fields.pop("created", CREATED)
    return StoredPrediction(
        model, key, version, outputs, f"id-{key}", created, f"{P0}:{version}", **fields
    )


@pytest.fixture(params=["redis", "postgresql"])
def url(request):
    name = {"redis": "redis_url", "postgresql": "postgres_url"}[request.param]
    return request.getfixturevalue(name)


@pytest.fixture
def store(url, prefix):
    with open_store(url, prefix, 5.0) as opened:
        yield opened


def test_a_key_without_a_prediction_has_none(store):
    assert store.get("m", "nobody") is None
    assert store.offsets("flights.predictions") == {}
    assert store.count_versions("m") == store.version_ages("m") == {}


def test_an_erased_key_has_no_prediction_until_a_later_one_is_written(store):
    store.write([stored("k"), stored("k", model="other"), stored("l")], {}, {P0: 3})

    assert store.erase("m", "k")
    assert not store.erase("m", "k")

    assert store.get("m", "k") is None
    assert None not in {store.get("other", "k"), store.get("m", "l")}
    assert store.offsets("flights.predictions") == {P0: 3}
    store.write([stored("k", version=2)], {P0: 3}, {P0: 4})
    assert store.get("m", "k").version == 2


def test_a_lookup_returns_what_was_written(store):
    one = stored("BTV-é/1", event_time=-5, features_json=b'{"a": 1}', outputs=b'{"p": NaN}')
    other = stored("BTV-é/1", model="other")
    store.write([one, other], {P0: 0}, {P0: 8})

    found = store.get("m", "BTV-é/1")

    assert (found.version, found.id, found.created, found.position, found.event_time) == (
        *(1, "id-BTV-é/1", 1_700_000_000_000, f"{P0}:1"),
        -5,
    )
    assert found.features == {"a": 1}
    assert str(found.outputs) == "{'p': nan}"
    assert store.get("other", "BTV-é/1").features is None


def test_a_newer_prediction_replaces_the_one_of_its_model_and_key_only(store):
    store.write([stored("a"), stored("b"), stored("a", model="n")], {P0: 0}, {P0: 3})
    store.write([stored("a", 2, created=CREATED + 9)], {P0: 3}, {P0: 5})

    assert store.get("m", "a").version == 2
    assert store.get("m", "b").version == 1
    assert store.get("n", "a").version == 1
    assert store.count_versions("m") == {1: 1, 2: 1}
    store.write([stored("c", created=CREATED - 7)], {P0: 5}, {P0: 6})
    assert store.version_ages("m") == {
        1: VersionKeys(2, CREATED - 7, CREATED),
        2: VersionKeys(1, CREATED + 9, CREATED + 9),
    }


def test_the_offsets_of_a_topic_are_those_written_last(store):
    store.write([], {P0: 0, P1: 0}, {P0: 5, P1: 7})
    store.write([], {P1: 7}, {P1: 9})
    store.write([], {"other.predictions:0": 0}, {"other.predictions:0": 1})

    assert store.offsets("flights.predictions") == {P0: 5, P1: 9}


def test_a_writer_that_expects_other_offsets_changes_nothing(store):
    store.write([stored("a")], {P0: 0}, {P0: 5})

    with pytest.raises(StoreMoved, match=r"up to offset 5, and this materializer up to 3"):
        store.write([stored("a", 2)], {P0: 3}, {P0: 6})

    assert store.get("m", "a").version == 1
    assert store.offsets("flights.predictions") == {P0: 5}


def test_of_writers_at_the_same_time_one_moves_the_offsets(store):
    refused = []

    def write(version):
        try:
            store.write([stored("a", version)], {P0: 0}, {P0: version})
        except StoreMoved:
            refused.append(version)

    threads = [Thread(target=write, args=[version]) for version in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(refused) == 7
    assert store.offsets("flights.predictions") == {P0: store.get("m", "a").version}


def test_the_predictions_of_other_versions_are_found_each_once(store):
    rows = [stored(f"k{number}", 1 + number % 3) for number in range(6_000)]
    store.write(rows, {P0: 0}, {P0: 1})

    found = [one.key for one in store.by_other_versions("m", 2)]

    assert store.count_versions("m") == {1: 2_000, 2: 2_000, 3: 2_000}
    assert sorted(found) == sorted(row.key for row in rows if row.version != 2)


def test_installations_do_not_see_each_other(store, url, prefix):
    with open_store(url, f"{prefix}other", 5.0) as other:
        other.write([stored("a")], {P0: 0}, {P0: 5})

        assert store.get("m", "a") is None
        assert store.offsets("flights.predictions") == {}
        assert list(store.by_other_versions("m", 9)) == []


@pytest.mark.parametrize("scheme", ["redis", "postgresql"])
def test_a_store_that_does_not_answer_says_where_and_never_the_password(scheme, prefix):
    port = free_port()
    with open_store(f"{scheme}://user:secret@127.0.0.1:{port}/0", prefix, 1.0) as gone:
        with pytest.raises(StoreUnavailable, match=r"at 127\.0\.0\.1") as caught:
            gone.get("m", "k")
        with pytest.raises(StoreUnavailable):
            gone.write([], {P0: 0}, {P0: 1})

    assert "secret" not in str(caught.value)


def test_the_url_of_another_database_is_refused_without_its_password(prefix):
    with pytest.raises(UnknownStore, match=r"^mysql://host is no prediction store") as caught:
        open_store("mysql://user:secret@host/db", prefix, 1.0)

    assert "secret" not in str(caught.value)
