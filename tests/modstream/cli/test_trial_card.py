"""The examples of a card: no figure is cut, and a wide row does not fill the screen."""

import json

from modstream.cli.trial_card import INPUT_DIGITS, MAX_EXAMPLE_LENGTH, _one_line


def test_a_short_row_is_whole():
    row = {"x0": 6.750000119, "x1": None, "x2": 1e300}

    assert json.loads(_one_line(row, INPUT_DIGITS)) == row


def test_a_long_row_ends_after_a_whole_figure():
    row = {f"x{number}": number + 0.25 for number in range(100)}

    shown = _one_line(row, INPUT_DIGITS)

    assert len(shown) <= MAX_EXAMPLE_LENGTH + 2
    assert shown.endswith(", …")
    kept = json.loads(shown.removesuffix(", …") + "}")
    assert kept.items() <= row.items()
    assert len(kept) > 10
