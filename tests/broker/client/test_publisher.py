"""What a delivery report says of a record that was acknowledged."""

import pytest

from modstream.broker.client.publisher import UNKNOWN_OFFSET, acknowledged


class Message:
    """A client's message of a report, at an offset that may be unknown."""

    def __init__(self, offset):
        self._offset = offset

    def offset(self):
        return self._offset

    def topic(self):
        return "requests"

    def partition(self):
        return 2

    def key(self):
        return b"key"

    def value(self):
        return b"{}"

    def headers(self):
        return None

    def timestamp(self):
        return 1, 99


@pytest.mark.parametrize(("told", "read"), [(0, 0), (7, 7), (None, UNKNOWN_OFFSET)])
def test_a_report_without_an_offset_is_of_a_record_whose_place_is_unknown(told, read):
    assert acknowledged(Message(told))[:5] == ("requests", 2, read, b"key", b"{}")
