"""The definitions of features: what is refused, with place and reason, and what is equal."""

import pytest

from modstream.processors.errors import InvalidFeatures
from modstream.processors.features.durations import default_slice, parse_duration
from modstream.processors.features.events import Event
from modstream.processors.features.files import load_features, parse_features

RATE = {
    "name": '"late"',
    "source": '"labels"',
    "window": '"1h"',
    "aggregate": '"rate"',
    "value": '"label"',
}


def document(**changes):
    """Return a document with one feature; a setting that is None is left out."""
    settings = {**RATE, **changes}
    lines = [f"{name} = {value}" for name, value in settings.items() if value is not None]
    return "\n".join(["[[features]]", *lines, ""])


def parse(*texts):
    return parse_features("\n".join(texts).encode(), "f.toml")


WRONG = {
    "window: '1x' is no duration": document(window='"1x"'),
    "window: Input should be greater than 0": document(window='"0s"'),
    "the window must be a multiple of the slice": document(slice='"7m"'),
    "the window has 3,600,000 slices, more than 10,000": document(slice='"1ms"'),
    "aggregate: Input should be 'count'": document(aggregate='"average"'),
    "value: the aggregate mean needs it": document(aggregate='"mean"', value=None),
    "value: the aggregate time_since has none": document(aggregate='"time_since"'),
    "quantile: say which one": document(aggregate='"quantile"'),
    "quantile: only the aggregate quantile has it": document(quantile="0.5"),
    "smoothing: only the aggregate rate has it": document(aggregate='"sum"', smoothing="1"),
    "smoothing: Input should be greater than or equal to 0": document(smoothing="-1"),
    "smoothing: Input should be a finite number": document(smoothing="inf"),
    "smothing: there is no such setting": document(smothing="20"),
    "source: it is required": document(source=None),
    "source: requests have no label": document(source='"requests"'),
    "source: there is no board: describe its topic in [sources.board]": document(source='"board"'),
    "group: a field is named twice": document(group='["a", "a"]'),
    "due_after: say how long": document(aggregate='"overdue"', value=None),
    "due_field and due_per_unit belong together": document(
        aggregate='"overdue"', value=None, due_after='"1h"', due_field='"d"'
    ),
    "source: say what is overdue": document(
        aggregate='"overdue"', value=None, due_after='"1h"', source='"requests"'
    ),
    "name: String should match pattern": document(name='"a b"'),
}


@pytest.mark.parametrize(("reason", "text"), WRONG.items(), ids=WRONG)
def test_a_wrong_definition_is_refused_with_its_entry_and_the_reason(reason, text):
    with pytest.raises(InvalidFeatures) as raised:
        parse(document(name='"first"'), text)

    assert len(raised.value.problems) == 1
    assert str(raised.value).startswith("f.toml: ")
    assert reason in str(raised.value)
    named = "late" in str(raised.value) or "a b" in str(raised.value)
    assert named, "the message names the feature"


def test_all_problems_are_told_at_once():
    with pytest.raises(InvalidFeatures) as raised:
        parse(document(window='"1x"'), document(name='"other"', aggregate='"foo"'))

    assert [one.partition(":")[0] for one in raised.value.problems] == [
        "entry 1 of features, late",
        "entry 2 of features, other",
    ]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "features: it is required"),
        ("features = 3", "features: "),
        ("features = [3]", "entry 1 of features: Input should be"),
        ("features = []", "features: "),
        ("= 3", "this is no TOML document"),
        (document() + document(), "another feature has this name"),
        (document() + '[sources.labels]\ntopic = "t"', "it is built in"),
        (document() + "[sources.board]", "sources: board.topic: it is required"),
        (
            document(aggregate='"overdue"', value=None, due_after='"1h"', source='"b"')
            + '[sources.b]\ntopic = "t"',
            "give request_time in [sources.b]",
        ),
    ],
)
def test_a_wrong_document_is_refused_with_the_reason(text, reason):
    with pytest.raises(InvalidFeatures) as raised:
        parse(text)

    assert reason in str(raised.value)


def test_a_file_that_is_missing_or_no_text_is_refused(tmp_path):
    with pytest.raises(InvalidFeatures, match="it cannot be read: No such file"):
        load_features(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_bytes(b"\xff")
    with pytest.raises(InvalidFeatures, match="this is no TOML document"):
        load_features(tmp_path / "bad.toml")


def test_an_entry_with_lists_defines_all_combinations():
    grid = document(
        name='"{aggregate}_{group}_{window}"',
        aggregate=None,
        aggregates='["rate", "count"]',
        groups='[[], ["a", "b"]]',
        window=None,
        windows='["1h", "24h"]',
        smoothing="3",
    )

    found = parse(grid)

    assert len(found.names) == 8
    assert {"rate_all_1h", "count_a_b_24h"} <= set(found.names)
    assert {one.smoothing for one in found.definitions if one.aggregate == "rate"} == {3.0}
    assert {one.smoothing for one in found.definitions if one.aggregate == "count"} == {None}


def test_more_combinations_than_may_be_are_refused_at_once():
    windows = ", ".join(f'"{one}h"' for one in range(1, 2000))
    groups = ", ".join(f'["f{one}"]' for one in range(2000))
    text = document(
        name='"{group}_{window}"', window=None, windows=f"[{windows}]", groups=f"[{groups}]"
    )

    with pytest.raises(InvalidFeatures, match="at most 1000 items"):
        parse(text)


def test_features_that_differ_in_their_windows_share_their_aggregations():
    found = parse(
        document(group='["a"]', slice='"5m"'),
        document(name='"longer"', group='["a"]', slice='"5m"', window='"4h"', aggregate='"mean"'),
        document(name='"count"', group='["a"]', slice='"5m"', window='"2h"', aggregate='"count"'),
    )
    event = Event("labels", 0, "1", {"a": "x"}, value=True)

    # One for the group, and one of all events for the prior of the rate.
    assert len(found.aggregations) == 2
    assert len(list(found.contributions(event))) == 2


def test_an_aggregation_keeps_its_id_when_features_are_added():
    one = parse(document())
    more = parse(document(), document(name='"other"', group='["a"]', smoothing="2"))

    assert set(one.aggregations) < set(more.aggregations)


def test_the_hash_depends_on_what_is_defined_and_not_on_the_order():
    first, second = document(), document(name='"other"', group='["a"]')

    assert parse(first, second).hash == parse(second, first).hash
    assert parse(first).hash != parse(document(smoothing="1")).hash


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [("250ms", 250), ("90s", 90_000), ("7.2s", 7200), ("5m", 300_000), ("7d", 604_800_000)],
)
def test_durations_are_read(text, milliseconds):
    assert parse_duration(text) == milliseconds


@pytest.mark.parametrize("text", ["", "1", "h", "-1h", "1 h", "0.0001s", "1h30m", "1e3s"])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ValueError, match=r"duration|milliseconds"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("window", "width"), [("1h", "1m"), ("4h", "5m"), ("24h", "30m"), ("7d", "3h"), ("60d", "1d")]
)
def test_a_window_is_cut_into_round_slices(window, width):
    assert default_slice(parse_duration(window)) == parse_duration(width)
