"""Erasure from files and the store, without a broker; `tests/journeys/test_privacy.py` has one."""

import pyarrow as pa
import pytest
from pyarrow import parquet

from modstream.operations.batch_views.build import build_view
from modstream.operations.batch_views.definition import Group, Measure, ViewDefinition
from modstream.operations.batch_views.view_file import read_view
from modstream.operations.inference_log.log_folder import LogFolder
from modstream.operations.privacy import search
from modstream.operations.privacy.erase import BY_HAND, STORE, Erasure
from modstream.operations.privacy.person_keys import PersonKeys
from modstream.operations.privacy.search import Person, SearchedPlaces
from tests.modstream.operations.inference_log.log_records import START, export_all, log_record

NOW = START * 2
BY_KEY = ViewDefinition(
    groups=(Group.parse("key"),), measures=(Measure.parse("requests = count()"),)
)


class MemoryStore:
    """A prediction store with some keys of one model."""

    def __init__(self, *keys):
        self.keys = set(keys)

    def get(self, _model, key):
        return key if key in self.keys else None

    def erase(self, _model, key):
        self.keys.remove(key)


@pytest.fixture
def erase(tmp_path, monkeypatch):
    """Return a function that erases a person from the files below a folder, and from a store."""
    monkeypatch.setattr(search, "read_to_end", lambda *_arguments, **_options: iter(()))
    log, views = LogFolder(tmp_path / "inferences" / "s"), tmp_path / "views" / "s"
    store, keys = MemoryStore("k1", "k2"), PersonKeys(tmp_path / "keys" / "persons.sqlite")
    places = SearchedPlaces(None, (), tmp_path, tmp_path / "data", store, ("m",))
    erasure = Erasure(places, log, views, (), frozenset(), keys)
    keys.of(["k1", "k2"])

    def run(key, *values):
        found = erasure.run(Person(key, values), NOW, truncates=False)
        return {one.place.rpartition("/")[2]: one[1:] for one in found}

    run.log, run.views, run.store, run.keys = log, views, store, keys
    return run


def test_rows_views_predictions_and_keys_are_erased_and_other_files_named(erase, tmp_path):
    export_all(erase.log.path, [log_record(number) for number in range(40)])
    build_view(erase.log, "v", BY_KEY, erase.views)
    (tmp_path / "notes.txt").write_text("call Anna@Mail.org\nnothing\n")
    for folder, name in (("stack/kafka/t-0", "0.log"), ("data/shop/1", "part-0.parquet")):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / name).write_text("anna@mail.org")
    parquet.write_table(pa.table({"key": ["k1"]}), tmp_path / "data/shop/1/part-0.parquet")

    found = erase("k1", "anna@mail.org")

    assert found.pop("notes.txt") == (1, 1, BY_HAND)
    assert found.pop("part-0.parquet") == (1, 1, BY_HAND)
    assert found.pop("v.parquet") == (1, 0, "computed anew")
    assert found.pop(STORE) == found.pop("key of pseudonyms") == (1, 0, "")
    assert sum(before for before, _, _ in found.values()) == 4
    assert {after for _, after, _ in found.values()} == {0}
    assert (erase.store.keys, erase.keys.has("k2")) == ({"k2"}, True)
    left = read_view(erase.views, "v").states["key"].to_pylist()
    assert sorted(left) == sorted(f"k{n}" for n in range(10) if n != 1)


def test_the_view_of_a_log_that_has_no_other_rows_is_removed(erase):
    export_all(erase.log.path, [log_record(1), log_record(11)])
    build_view(erase.log, "v", BY_KEY, erase.views)

    found = erase("k1")

    assert found["v.parquet"] == (1, 0, "removed, as the log has no rows any more")
    assert erase.log.data_files() == []


def test_the_catalogue_is_searched_wherever_it_is_and_the_files_of_servers_are_not(tmp_path):
    home, catalogue = tmp_path / "redis" / "home", tmp_path / "elsewhere"
    for file in ("redis/home/a.csv", "redis/home/stack/redis/b.txt", "elsewhere/shop/1/c.csv"):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text("key\nk1\n")

    places = SearchedPlaces(None, (), home, catalogue, MemoryStore(), ())

    assert [path.name for path in places.files()] == ["c.csv", "a.csv"]


def test_nobody_is_found_nowhere(erase, tmp_path):
    parquet.write_table(pa.table({"key": ["k1", "k11"]}), tmp_path / "rows.parquet")

    assert erase("k111", "anna@mail.org") == {}
    assert erase("k11")["rows.parquet"][:2] == (1, 1)
