"""Points in time as options name them and as tables show them."""

from time import time

import pytest
import typer

from modstream.cli.time_options import format_time, parse_time


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-01", 0),
        ("1970-01-01T00:01", 60_000),
        ("1970-01-01T01:00+01:00", 0),
        ("1700000000000", 1_700_000_000_000),
    ],
)
def test_dates_are_utc_and_long_numbers_are_milliseconds(text, expected):
    assert parse_time(text) == expected


def test_a_number_with_a_unit_is_an_age():
    assert parse_time("90m") == pytest.approx((time() - 5400) * 1000, abs=10_000)


@pytest.mark.parametrize("text", ["yesterday", "2h30m", "12"])
def test_an_invalid_time_is_rejected_with_the_supported_formats(text):
    with pytest.raises(typer.BadParameter, match="is not a time; write 2026-11-24T17:30"):
        parse_time(text)


@pytest.mark.parametrize(
    ("timestamp_ms", "expected"),
    [
        (0, "1970-01-01 00:00:00"),
        (1_700_000_000_999, "2023-11-14 22:13:20"),
        (-1, "-1"),
        (2**62, str(2**62)),
    ],
)
def test_a_time_that_no_calendar_represents_is_shown_as_its_number(timestamp_ms, expected):
    assert format_time(timestamp_ms) == expected
