"""A request decoded from its head equals the request decoded from its record, errors included."""

from hypothesis import given

from modstream.broker.errors import DecodeError
from modstream.broker.wire.codec import decode_request
from modstream.broker.wire.fast_codec import HeadDecoder
from modstream.broker.wire.records import Record
from modstream.broker.wire.request_codec import decode_head
from tests.broker.wire.request_strategies import damaged_values

HEADS = HeadDecoder()


def result_of(decode):
    try:
        return repr(decode())
    except DecodeError as error:
        return type(error), str(error), error.request_id


@given(damaged_values())
def test_both_ways_give_the_same_request_or_error(value):
    (head,) = HEADS.decode([value])
    if head is None:
        return
    record = Record("s.requests", 0, 0, b"k", value)

    from_head = result_of(lambda: decode_head(head, None, value))

    assert from_head == result_of(lambda: decode_request(record))
