"""A record on which a step fails leaves as a dead letter, and its neighbours as without it."""

import numpy as np
import pytest
from structlog.testing import capture_logs

from modstream.broker.errors import BrokerUnavailable, UnforeseenException
from modstream.broker.wire.dead_letters import read_cause
from modstream.broker.wire.records import Record
from modstream.processors.predict import deduplication
from modstream.processors.predict.deduplication import Deduplicator
from modstream.processors.predict.handler import request_handler
from modstream.processors.predict.settings import InferenceSettings
from modstream.processors.predict.version_markers import VersionMarkers
from tests.processors.predict.handlers import GOOD, TOPICS, ask
from tests.processors.small_fixtures import (
    TWO_FLOATS,
    StubLoadedModel,
    StubModelProvider,
    make_card,
    make_record,
    river_model,
)

STEPS = range(7)
"""The numbers of the steps, with deduplication and version markers."""


class Hook:
    def __init__(self):
        self.refusals = []

    def __call__(self, code, model):
        self.refusals.append((code, model))


def handler_of(*models, hook=None, read_back=lambda _: (), **options):
    provider = StubModelProvider({loaded.card.name: loaded for loaded in models})
    return request_handler(
        TOPICS,
        provider,
        InferenceSettings(tuple(loaded.card.name for loaded in models)),
        deduplicator=Deduplicator(100, read_back, lambda _: 1),
        markers=VersionMarkers(TOPICS.version_markers, lambda _: 1),
        on_refusal=hook or Hook(),
        **options,
    )


def break_step(handle, number, poison, *, after=True):
    """Make a step raise, before or after its work, if the batch contains a poison offset."""
    steps = handle._steps
    step = steps[number]

    def broken(state):
        if after:
            step(state)
        if any(record.offset in poison for record in state.batch.records):
            raise ZeroDivisionError("a step that nobody foresaw")
        if not after:
            step(state)

    steps[number] = broken
    return handle


def mixed_batch(first=0, count=24):
    """Return rows, several rows, invalid rows, undecodable records and a duplicate."""
    values = {
        3: ask(id=f"three-{first}", features=(GOOD, GOOD)),
        5: b"not JSON",
        7: ask(id=f"seven-{first}", features={"x": "text", "city": "LGA"}),
        9: b'{"id":"nine-%d"}' % first,
        11: ask(id=f"eleven-{first}", features=GOOD, model="nowhere"),
    }
    batch = [
        make_record(
            values.get(n, ask(id=f"r-{first}-{n}", features=GOOD)), first + n, partition=n % 3
        )
        for n in range(count)
    ]
    return [*batch, make_record(ask(id=f"r-{first}-2", features=GOOD), first + count, partition=2)]


def letters(records):
    return [record for record in records if record.topic == TOPICS.dlq]


def internal(records):
    """Return the offsets of the dead letters with the code internal_error."""
    causes = [read_cause(letter) for letter in letters(records)]
    return [int(c["offset"]) for c in causes if c["class.name"] == "internal_error"]


def without_internal(records):
    return [
        one
        for one in records
        if one.topic != TOPICS.dlq or read_cause(one)["class.name"] != "internal_error"
    ]


@pytest.mark.parametrize("after", [False, True], ids=["before its work", "after its work"])
@pytest.mark.parametrize("poison", [{0}, {1, 4}, {5, 7, 9}, {23}, set(range(1, 24, 2))])
@pytest.mark.parametrize("number", STEPS)
def test_a_failure_in_any_step_costs_the_poison_records_only(number, poison, after):
    hook, plain_hook = Hook(), Hook()
    handle = break_step(
        handler_of(river_model("a"), river_model("b"), hook=hook), number, poison, after=after
    )
    plain = handler_of(river_model("a"), river_model("b"), hook=plain_hook)
    batch = mixed_batch()

    found = handle(batch).records

    assert sorted(internal(found)) == sorted(poison)
    healthy = [record for record in batch if record.offset not in poison]
    assert without_internal(found) == list(plain(healthy).records)
    assert hook.refusals.count(("internal_error", None)) == len(poison)
    others = [one for one in hook.refusals if one[0] != "internal_error"]
    assert sorted(others, key=str) == sorted(plain_hook.refusals, key=str)

    # What the handler remembers afterwards is what it remembers without the poison.
    more = mixed_batch(first=100)
    assert list(handle(more).records) == list(plain(more).records)


def test_a_dead_letter_has_the_original_and_names_the_exception_and_its_place():
    handle = break_step(handler_of(river_model()), 4, {1})
    headers = (("traceparent", b"00-1"),)
    batch = [make_record(ask(id=f"{n}", features=GOOD), n, headers=headers) for n in range(3)]

    (letter,) = letters(handle(batch).records)

    cause = read_cause(letter)
    assert (letter.key, letter.value) == (batch[1].key, batch[1].value)
    assert letter.headers[:1] == headers
    assert (cause["topic"], cause["partition"], cause["offset"]) == ("s.requests", "2", "1")
    assert cause["exception.class.name"] == "ZeroDivisionError"
    assert "a step that nobody foresaw" not in cause["exception.message"]
    assert cause["exception.message"].startswith(
        "an unforeseen ZeroDivisionError was raised at place "
    )


class BreakingRuntime:
    """A runtime with an error of its own on one value."""

    name = "breaking"

    def predict(self, batch):
        if 13 in batch.columns["a"]:
            raise AttributeError("model code")
        return np.asarray(batch.columns["a"]) / 100


def test_an_exception_of_model_code_costs_the_row_that_raises_it():
    model = StubLoadedModel(
        make_card("m", schema=TWO_FLOATS, runtime="breaking"), BreakingRuntime()
    )
    handle = handler_of(model)
    batch = [make_record(ask(id=f"{n}", features={"a": n, "b": 0}), offset=n) for n in range(20)]

    found = handle(batch).records

    assert internal(found) == [13]
    assert len([one for one in found if one.topic == TOPICS.predictions]) == 19


def test_a_poison_record_that_is_sent_again_is_a_duplicate():
    handle = break_step(handler_of(river_model()), 0, {1})
    batch = [make_record(ask(id=f"{n}", features=GOOD), offset=n) for n in range(3)]

    handle(batch)

    assert handle([make_record(ask(id="1", features=GOOD), offset=3)]).records == []
    assert handle([make_record(ask(id="4", features=GOOD), offset=4)]).records != []


def test_an_outage_while_the_window_is_read_back_ends_the_worker():
    def read_back(ranges):
        raise BrokerUnavailable("localhost:1", "connection refused")

    handle = handler_of(river_model(), read_back=read_back)

    with pytest.raises(BrokerUnavailable):
        handle([make_record(ask(features=GOOD), offset=5)])


def test_a_window_that_cannot_be_read_back_is_logged_and_costs_no_record():
    def read_back(ranges):
        yield make_record(ask(id="before", features=GOOD), offset=3)
        raise SystemError("a record that the client cannot read")

    handle = handler_of(river_model(), read_back=read_back)
    batch = [
        make_record(ask(id="before", features=GOOD), offset=5),
        make_record(ask(id="new", features=GOOD), offset=6),
    ]

    with capture_logs() as logs:
        found = handle(batch).records

    assert [one["event"] for one in logs] == ["dedup window not read"]
    assert len([one for one in found if one.topic == TOPICS.predictions]) == 1
    assert internal(found) == []


def test_an_id_that_cannot_be_read_back_costs_no_record(monkeypatch):
    read_dedup_id = deduplication.read_dedup_id

    def broken(record, limit=None):
        if record.offset == 3:
            raise RecursionError
        return read_dedup_id(record, limit)

    monkeypatch.setattr(deduplication, "read_dedup_id", broken)
    before = [make_record(ask(id=f"{n}", features=GOOD), offset=n) for n in range(5)]
    handle = handler_of(river_model(), read_back=lambda _: before)

    found = handle([make_record(ask(id="4", features=GOOD), offset=5),
                    make_record(ask(id="3", features=GOOD), offset=6)]).records  # fmt: skip

    assert len([one for one in found if one.topic == TOPICS.predictions]) == 1


def test_a_hook_that_raises_stops_nothing():
    def hook(code, model):
        raise RuntimeError("a user's hook")

    found = handler_of(river_model(), hook=hook)([make_record(b"not JSON", offset=1)]).records

    assert [one.topic for one in found] == [TOPICS.dlq]


def test_a_record_of_which_no_dead_letter_can_be_made_leaves_without_its_content():
    handle = handler_of(river_model())
    record = Record("s.requests", 1, 7, b"k", b"v", ((None, b"x"),), 5)

    (letter,) = handle.set_aside(record, UnforeseenException("ValueError", "0" * 12)).records

    assert read_cause(letter._replace(headers=letter.headers[-9:]))["offset"] == "7"
