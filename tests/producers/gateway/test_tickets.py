"""Tickets: text for a URL and back, and nothing else is one."""

from contextlib import suppress

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modstream.producers.gateway.errors import NotFound
from modstream.producers.gateway.protocol.call_parameters import MAX_KEY_LENGTH
from modstream.producers.gateway.tickets import Ticket, decode_ticket

PRINTABLE = st.characters(exclude_categories=["C", "Z"]) | st.just(" ")
TEXTS = st.text(PRINTABLE, min_size=1, max_size=40)
TICKET = Ticket("flights", 3, "id-1", "key-1", 1_700_000_000_000, "flights", "row", "mine")


@given(
    st.builds(
        Ticket,
        TEXTS,
        st.integers(0, 2**31 - 1),
        TEXTS,
        TEXTS,
        st.integers(0, 2**62),
        st.one_of(st.just(""), TEXTS),
        st.sampled_from(["oip", "row"]),
        st.none() | TEXTS,
    )
)
def test_a_ticket_is_read_as_it_was_written(ticket):
    text = ticket.encode()
    assert text.isascii()
    assert "/" not in text
    assert decode_ticket(text) == ticket


@pytest.mark.parametrize("text", ["", "x", "=", "é", "ab/cd", "A" * 5000, TICKET.encode()[:-3]])
def test_a_text_that_is_no_ticket_is_not_found(text):
    with pytest.raises(NotFound):
        decode_ticket(text)


@given(st.integers(0, len(TICKET.encode()) - 1), st.characters(codec="ascii"))
def test_a_changed_ticket_is_refused_or_another_ticket(position, character):
    text = TICKET.encode()
    changed = text[:position] + character + text[position + 1 :]
    with suppress(NotFound):
        assert isinstance(decode_ticket(changed), Ticket)


def test_the_longest_key_of_a_call_fits_into_a_ticket():
    ticket = msgspec.structs.replace(TICKET, key="\N{GRINNING FACE}" * MAX_KEY_LENGTH)
    assert decode_ticket(ticket.encode()) == ticket
