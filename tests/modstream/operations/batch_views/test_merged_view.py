"""A batch view and the records since are together what one pass over all records gives."""

import json
from collections import defaultdict

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from modstream.broker.wire.records import TopicPartition
from modstream.errors import InvalidValue, ViewUnusable
from modstream.operations.batch_views.build import build_view
from modstream.operations.batch_views.definition import Group, Measure, ViewDefinition
from modstream.operations.batch_views.merged_view import MergedView, check_continuation
from modstream.operations.batch_views.state_queries import StateQueries
from modstream.operations.batch_views.view_file import ViewFile, ViewHead, read_view, view_names
from modstream.operations.inference_log.erasures import Erasures, erase
from modstream.operations.inference_log.log_folder import LogFolder
from tests.modstream.operations.inference_log.log_records import (
    PARTITIONS,
    TOPIC,
    MemoryLog,
    export_all,
    log_record,
)

pytestmark = pytest.mark.slow

VALUE = "(features->>'x')::DOUBLE"
BY_CARRIER = ViewDefinition(
    groups=(Group.parse("carrier = features->>'carrier'"), Group.parse("model")),
    measures=tuple(
        map(
            Measure.parse,
            (
                "requests = count()",
                f"known = count({VALUE})",
                f"total = sum({VALUE})",
                f"mean = mean({VALUE})",
                f"least = min({VALUE})",
                "last_time = max(answered)",
                f"newest = newest({VALUE})",
            ),
        )
    ),
    where="outcome = 'answered'",
)
NOTHING_ERASED = Erasures({})


def record_of(number, carrier, x):
    outcome = "answered" if number % 5 else "error"
    answer = {"outcome": outcome, "model": "online", "version": 3, "bytes_out": 80}
    return log_record(number, features={"carrier": carrier, "x": x}, answers=[answer])


def expected_of(records):
    """Return the figures by carrier, computed row by row."""
    rows = defaultdict(list)
    for number, record in enumerate(records):
        features = json.loads(record.value)["features"]
        if number % 5:
            rows[features["carrier"]].append((record.timestamp, features["x"]))
    found = {}
    for carrier, pairs in rows.items():
        values = [x for _, x in pairs if x is not None]
        found[carrier] = (
            len(pairs),
            len(values),
            sum(values) if values else None,
            sum(values) / len(values) if values else None,
            min(values, default=None),
            max(time for time, _ in pairs),
            max(pairs, key=lambda pair: pair[0])[1],
        )
    return found


def figures_of(rows):
    return {
        row["carrier"]: (
            row["requests"],
            row["known"],
            row["total"],
            pytest.approx(row["mean"]),
            row["least"],
            round(row["last_time"].timestamp() * 1000),
            row["newest"],
        )
        for row in rows
    }


def merged(view, records, start=None, erased=NOTHING_ERASED):
    """Return a view merged with a topic that has these records."""
    source = MemoryLog(records, view.head.offsets if start is None else start)
    ends = defaultdict(int)
    for record in records:
        ends[record.topic_partition] = record.offset + 1
    return MergedView(view, source, lambda: dict(ends), erased)


@settings(max_examples=6, deadline=None)
@given(st.data())
def test_batch_and_speed_layer_count_each_record_once(tmp_path_factory, data):
    drawn = data.draw(
        st.lists(
            st.tuples(st.sampled_from("abc"), st.one_of(st.none(), st.integers(-9, 9).map(float))),
            min_size=2,
            max_size=24,
        )
    )
    records = [record_of(number, *row) for number, row in enumerate(drawn)]
    exported = data.draw(st.integers(1, len(records)))
    folder = tmp_path_factory.mktemp("view")
    export_all(folder / "log", records[:exported], rows=3)
    view = build_view(LogFolder(folder / "log"), "v", BY_CARRIER, folder / "views")
    # A client may read from the beginning again.
    start = data.draw(st.sampled_from([None, {}]))

    both = merged(read_view(folder / "views", "v"), records, start)
    both.refresh()
    both.refresh()

    assert figures_of(both.values()) == expected_of(records)
    assert both.speed_rows == len(records) - exported
    batch = StateQueries("v", BY_CARRIER).values(view.states).to_pylist()
    assert figures_of(batch) == expected_of(records[:exported])


def test_a_view_without_groups_is_one_row(tmp_path):
    definition = ViewDefinition(measures=(Measure.parse("requests = count()"),))
    records = [log_record(number) for number in range(10)]
    export_all(tmp_path / "log", records[:4])
    view = build_view(LogFolder(tmp_path / "log"), "v", definition, tmp_path)

    both = merged(view, records)
    both.refresh()

    assert both.values() == [{"requests": 10}]


def test_erased_rows_are_counted_by_neither_layer(tmp_path):
    definition = ViewDefinition(groups=(Group.parse("key"),), measures=(COUNT,))
    records = [log_record(number) for number in range(40)]
    log = LogFolder(tmp_path / "log")
    export_all(log.path, records[:20])
    erase(log, {"key": ["k3"]}, records[-1].timestamp)
    view = build_view(log, "v", definition, tmp_path)

    both = merged(view, records, erased=Erasures.read(log.path))
    both.refresh()

    assert {row["key"] for row in both.values()} == {f"k{n}" for n in range(10) if n != 3}
    assert {row["requests"] for row in both.values()} == {4}


def test_a_view_is_built_again_by_its_own_definition(tmp_path):
    log = LogFolder(tmp_path / "log")
    export_all(log.path, [log_record(number) for number in range(4)])
    build_view(log, "v", BY_CARRIER, tmp_path / "views")

    found = read_view(tmp_path / "views", "v")

    assert found.head.definition == BY_CARRIER
    assert found.head.offsets == dict.fromkeys(range(PARTITIONS), 2)
    assert view_names(tmp_path / "views") == ["v"]


@pytest.mark.parametrize(
    ("measure", "reason"),
    [
        ("requests = count(nothing)", "nothing"),
        ("requests = sum('a')", "Could not convert"),
        ("requests = count(1) FROM inferences; SELECT count(1)", "expressions of SQL"),
        ("text = max((SELECT max(content) FROM read_text('/etc/hostname')))", "disabled"),
    ],
)
def test_an_expression_that_cannot_be_computed_is_refused_with_its_reason(
    tmp_path, measure, reason
):
    log = LogFolder(tmp_path / "log")
    export_all(log.path, [log_record(number) for number in range(4)])
    definition = ViewDefinition(measures=(Measure.parse(measure),))

    with pytest.raises(ViewUnusable, match=reason):
        build_view(log, "v", definition, tmp_path / "views")

    assert view_names(tmp_path / "views") == []


@pytest.mark.parametrize(
    "text", ["requests", "requests = median(x)", "requests = sum()", "1 = count()"]
)
def test_what_is_no_measure_is_refused(text):
    with pytest.raises((InvalidValue, ValueError)):
        Measure.parse(text)


def test_a_folder_without_a_log_and_a_file_without_a_view_are_refused(tmp_path):
    parquet.write_table(pa.table({"x": [1]}), tmp_path / "other.parquet")

    with pytest.raises(ViewUnusable, match="modstream log export"):
        build_view(LogFolder(tmp_path / "log"), "v", BY_CARRIER, tmp_path)
    with pytest.raises(ViewUnusable, match="was not built yet"):
        read_view(tmp_path, "v")
    with pytest.raises(ViewUnusable, match="has no batch view"):
        read_view(tmp_path, "other")


@pytest.mark.parametrize(
    ("first", "end", "reason"),
    [(0, 10, None), (7, 10, None), (8, 10, "have expired"), (0, 6, "created anew")],
)
def test_a_view_is_only_continued_where_its_topic_has_all_records_since(first, end, reason):
    head = ViewHead(
        definition=ViewDefinition(measures=(COUNT,)), topic=TOPIC, offsets={0: 7}, built=0
    )
    view, partition = ViewFile("v", head, None), TopicPartition(TOPIC, 0)

    if reason is None:
        check_continuation(view, {partition: first}, {partition: end})
    else:
        with pytest.raises(ViewUnusable, match=reason):
            check_continuation(view, {partition: first}, {partition: end})


COUNT = Measure.parse("requests = count()")
