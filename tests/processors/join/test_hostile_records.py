"""Generated records of any structure: none stops the join, and each label has one exit."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modstream.broker.wire.record_size import fits
from modstream.broker.wire.topics import Header
from tests.processors.join.join_log import TOPICS, JoinHarness

IDS = st.sampled_from(["a", "b", "", "x" * 300, "\ud800", "é"])
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from([0, 1, 10**400, "x" * 2000, "yes"])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)
TENSORS = st.lists(
    st.fixed_dictionaries(
        {
            "name": st.sampled_from(["probability", "probabilities", "label", "y"]),
            "shape": st.lists(st.integers(-1, 3), max_size=3),
            "datatype": st.sampled_from(["FP64", "BYTES", "?"]),
            "data": st.lists(SCALARS, max_size=9),
        },
        optional={"parameters": st.fixed_dictionaries({"columns": st.lists(SCALARS, max_size=3)})},
    ),
    max_size=3,
)
FEATURES = (
    st.dictionaries(st.sampled_from(["x", "names"]), VALUES, max_size=2)
    | st.lists(st.dictionaries(st.just("x"), SCALARS), max_size=3)
    | st.fixed_dictionaries(
        {"names": st.lists(st.sampled_from(["x", "y"]), max_size=2)},
        optional={
            "rows": st.integers(-1, 3),
            "data": st.lists(SCALARS, max_size=6),
            "fp32": st.sampled_from(["", "AACAPw==", "?"]),
        },
    )
)
LABEL = st.fixed_dictionaries(
    {"id": IDS, "label": VALUES, "event_time": st.sampled_from([0, 50, -1, 10**18]) | SCALARS},
    optional={"row": st.integers(-1, 3) | SCALARS, "revision": st.integers(0, 2) | SCALARS},
)
PREDICTION = st.fixed_dictionaries(
    {
        "id": IDS,
        "model": st.sampled_from(["m", "n"]),
        "version": st.sampled_from([1, -1, 10**30]),
        "outputs": st.dictionaries(st.text(max_size=3), VALUES, max_size=2)
        | TENSORS
        | st.lists(st.dictionaries(st.just("p"), SCALARS), max_size=3),
        "source": st.just({"topic": "t", "partition": 0, "offset": 0}),
    },
    optional={
        "features": FEATURES,
        "features_omitted": SCALARS,
        "event_time": st.integers(0, 100) | SCALARS,
    },
)
ERROR = st.fixed_dictionaries(
    {
        "id": IDS,
        "code": st.just("no_output") | SCALARS,
        "message": SCALARS,
        "source": st.just({"topic": "t", "partition": 0, "offset": 0}),
    }
)
HEADERS = st.lists(
    st.tuples(
        st.sampled_from([Header.KIND, Header.SKIPPED, "x"]),
        st.sampled_from([b"error", b"prediction", b"\xff", None]),
    ),
    max_size=2,
).map(tuple)
KEYS = st.none() | st.binary(max_size=3)
STEPS = st.lists(
    st.tuples(
        st.sampled_from([TOPICS.labels, TOPICS.predictions]),
        (LABEL | PREDICTION | ERROR | VALUES).map(json.dumps).map(str.encode)
        | st.binary(max_size=9)
        | st.none(),
        KEYS,
        HEADERS,
    ),
    max_size=12,
)
EXITS = ("joined", "late", "orphan", "duplicate", "revised", "unlabellable")


@pytest.mark.slow
@given(STEPS, st.booleans())
@settings(max_examples=400)
def test_no_record_stops_the_join_and_every_label_has_one_exit(steps, is_restarted):
    harness = JoinHarness()
    for topic, value, key, headers in steps:
        harness.append_value(topic, value, key, headers)
        harness.process(topic)
    if is_restarted:
        harness.restart()
    harness.advance_time(())

    counts = harness.join.state.counts
    labels = len(harness.records[TOPICS.labels])
    waiting = sum(entry.is_orphan for entry in harness.join.entries.values())
    letters = [one for one in harness.letters() if dict(one.headers)[TOPIC] == LABELS]
    malformed = sum(reason == "malformed" for _, _, reason, _ in harness.unjoined())
    assert sum(counts[one] for one in EXITS) + waiting + len(letters) + malformed == labels
    assert counts["internal_error"] == 0
    assert all(map(fits, harness.published))
    assert all(harness.changelog.values())


TOPIC = "__connect.errors.topic"
LABELS = TOPICS.labels.encode()
