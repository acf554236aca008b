"""A record on which work fails is set aside alone, and all others have their own results."""

import asyncio
import random
import threading
from weakref import ref

import pytest
from structlog.testing import capture_logs

from modstream.broker.errors import BrokerUnavailable, NotJson, UnforeseenException
from modstream.broker.loop.isolation import isolate, place_of
from modstream.broker.wire.records import Record


class Panic(BaseException):
    """A panic as pyo3 raises it: no subclass of Exception."""


class Unprintable(Exception):
    def __str__(self):
        raise ValueError


def batch_of(count):
    return [Record("t", 0, offset, None, b"%d" % offset) for offset in range(count)]


POISONED = ValueError("secret 4711")


def failing_at(poison, error=POISONED):
    """Return work that gives each offset, fails on some, and counts its calls."""
    calls = []

    def work(records):
        calls.append(len(records))
        if any(record.offset in poison for record in records):
            raise error
        return [record.offset for record in records]

    return work, calls


def aside(record, error):
    return [(record.offset, error)]


def outcome(results):
    """Return all results in order, the failures as (offset, code)."""
    flat = [one for result in results for one in result]
    return [one if isinstance(one, int) else (one[0], one[1].code) for one in flat]


def expected(count, poison):
    return [(n, "internal_error") if n in poison else n for n in range(count)]


def test_work_that_succeeds_is_called_once():
    work, calls = failing_at(())

    assert isolate(work, batch_of(100), aside) == [list(range(100))]
    assert calls == [100]


@pytest.mark.parametrize("seed", range(30))
def test_only_the_poison_is_set_aside_and_the_order_is_kept(seed):
    rng = random.Random(seed)
    count = rng.randint(1, 70)
    poison = set(rng.sample(range(count), rng.randint(1, count)))
    work, _ = failing_at(poison)

    assert outcome(isolate(work, batch_of(count), aside)) == expected(count, poison)


def test_one_poison_record_costs_a_logarithm_of_the_batch():
    work, calls = failing_at({777})

    isolate(work, batch_of(1024), aside)

    assert len(calls) == 1 + 2 * 10


@pytest.mark.parametrize(
    "error",
    [ValueError(), MemoryError(), RecursionError(), SystemError(), Panic(), Unprintable(),
     NotJson("late"), AssertionError(), KeyError("x"), StopIteration()],
    ids=lambda one: type(one).__name__,
)  # fmt: skip
def test_any_exception_of_foreign_code_is_isolated(error):
    work, _ = failing_at({2}, error)

    found = isolate(work, batch_of(5), aside)

    assert outcome(found) == expected(5, {2})
    cause = next(one[1] for result in found for one in result if not isinstance(one, int))
    assert cause.exception == type(error).__qualname__


@pytest.mark.parametrize(
    "error",
    [KeyboardInterrupt(), SystemExit(1), asyncio.CancelledError(), BrokerUnavailable("k:1", "no")],
    ids=lambda one: type(one).__name__,
)
def test_an_interruption_or_an_outage_is_no_fault_of_a_record(error):
    work, calls = failing_at({2}, error)

    with pytest.raises(type(error)):
        isolate(work, batch_of(5), aside)
    assert calls == [5]


def test_foreign_code_cannot_end_the_process_from_the_thread_of_a_handler():
    work, _ = failing_at({2}, SystemExit(0))
    found = []

    thread = threading.Thread(target=lambda: found.extend(isolate(work, batch_of(5), aside)))
    thread.start()
    thread.join(10)

    assert outcome(found) == expected(5, {2})


def test_a_failed_call_holds_no_memory_while_its_halves_are_handled():
    class Table:
        """What a call allocates."""

    tables = []

    def work(records):
        table = Table()
        tables.append(ref(table))
        assert sum(one() is not None for one in tables) == 1
        if len(records) > 1:
            raise MemoryError
        return [record.offset for record in records]

    assert outcome(isolate(work, batch_of(8), aside)) == list(range(8))


def divide(by):
    return 1 / by


def raised_by(call):
    with pytest.raises(ArithmeticError) as caught:
        call()
    return caught.value


def test_the_place_is_the_same_for_the_same_line_and_has_no_values():
    first, second = (raised_by(lambda: divide(0)) for _ in range(2))
    other = raised_by(lambda: float("1e999").as_integer_ratio())

    assert place_of(first) == place_of(second) != place_of(other)
    assert len(place_of(first)) == 12
    error = UnforeseenException("ZeroDivisionError", place_of(first))
    assert str(error) == f"an unforeseen ZeroDivisionError was raised at place {place_of(first)}"


def test_each_place_is_logged_once_at_the_level_of_errors():
    work, _ = failing_at({3, 5, 9})

    with capture_logs() as logs:
        isolate(work, batch_of(16), aside)

    (line,) = logs
    assert line["log_level"] == "error"
    assert (line["code"], line["exception"], line["records"]) == ("internal_error", "ValueError", 3)
    assert line["first"] == "t:0:3"
    assert "test_isolation.py" in line["frames"]
