"""Isolation of the records on which a piece of work fails with an unforeseen exception.

    results = isolate(work, batch, set_aside)

`work` handles records and returns one result; `set_aside` returns the result of a record that
cannot be handled, mostly a dead letter. As long as `work` succeeds, it is called once with the
whole batch. Otherwise the batch is halved until each record that makes `work` fail is alone; that
record is set aside, and all others have the results that they have without it. So `work` must be
repeatable: a call that raises leaves no trace, or a trace that the next call with a part of the
same records removes.
"""

import traceback
from asyncio import CancelledError
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from threading import current_thread, main_thread
from typing import NamedTuple, TypeVar

import structlog

from modstream.broker.errors import (
    BrokerError,
    DecodeError,
    EndsProcess,
    InternalError,
    UnforeseenException,
)
from modstream.broker.wire.records import Record

T = TypeVar("T")
Item = TypeVar("Item")

Work = Callable[[Sequence[Record]], T]
SetAside = Callable[[Record, InternalError], T]
"""Returns the result of a record that cannot be handled. It must not raise."""

PLACE_FRAMES = 3
"""Number of the innermost frames that identify the place of an exception."""
LOGGED_FRAMES = 10
"""Number of the innermost frames that are logged."""
LOGGED_MESSAGE = 200
"""Maximum number of characters of an exception's message that are logged."""


class RecordFault(NamedTuple):
    """A record, and the exception that handling it alone raised."""

    record: Record
    error: BaseException
    place: str


class Failure(NamedTuple):
    """The unforeseen exception that work on a single item raises."""

    error: BaseException


def isolate(work: Work[T], batch: Sequence[Record], set_aside: SetAside[T]) -> list[T]:
    """Run work on a batch, and set aside the records that make it fail.

    Each place at which work failed is logged once, at the level of errors.

    Args:
        work: handles records; it is repeated on parts of the batch.
        batch: the records; there is at least one.
        set_aside: returns the result of a record on which `work` fails alone.

    Returns:
        The results in the order of the batch: one, if nothing failed.

    Raises:
        BaseException: the exception is not a record's fault, as `is_fault` says.
    """
    faults: list[RecordFault] = []
    results: list[T] = []
    for part, outcome in attempt_in_parts(work, batch):
        if not isinstance(outcome, Failure):
            results.append(outcome)
            continue
        fault = RecordFault(part[0], outcome.error, place_of(outcome.error))
        faults.append(fault)
        cause = UnforeseenException(type(fault.error).__qualname__, fault.place)
        results.append(set_aside(fault.record, cause))
    if faults:
        log_faults(faults)
    return results


def attempt_in_parts(
    work: Callable[[Sequence[Item]], T], items: Sequence[Item]
) -> Iterator[tuple[Sequence[Item], T | Failure]]:
    """Do work on items, and if it raises an unforeseen exception, on each half of them.

    Yields:
        The parts, in the order of the items, each with the result of `work`; a single item on
        which it fails has a `Failure` instead.

    Raises:
        BaseException: the exception is not an item's fault, as `is_fault` says.
    """
    try:
        outcome: T | Failure = work(items)
    except BaseException as error:
        if not is_fault(error):
            raise
        # What the failed call has allocated is released before the next one.
        traceback.clear_frames(error.__traceback__)
        outcome = Failure(error)
    if isinstance(outcome, Failure) and len(items) > 1:
        half = len(items) // 2
        yield from attempt_in_parts(work, items[:half])
        yield from attempt_in_parts(work, items[half:])
    else:
        yield items, outcome


def is_fault(error: BaseException) -> bool:
    """Return whether an exception may be the fault of a record.

    An error of the broker's clients is not, nor is one that ends the process, nor an interruption.
    A panic in a Rust library is not a subclass of Exception. In a thread beside the main one,
    only the code that handles a record raises SystemExit.
    """
    if isinstance(error, SystemExit):
        return current_thread() is not main_thread()
    if isinstance(error, BrokerError):
        return isinstance(error, DecodeError | InternalError)
    return not isinstance(error, EndsProcess | KeyboardInterrupt | GeneratorExit | CancelledError)


def place_of(error: BaseException) -> str:
    """Return a digest of where an exception was raised: 12 hexadecimal digits, without any value.

    It depends on the module, function and line of the innermost frames only, so it is the same in
    all processes that run the same code.
    """
    frames = list(traceback.walk_tb(error.__traceback__))[-PLACE_FRAMES:]
    text = "\n".join(
        f"{frame.f_globals.get('__name__')}:{frame.f_code.co_qualname}:{line}"
        for frame, line in frames
    )
    return sha256(text.encode(errors="replace")).hexdigest()[:12]


def log_faults(faults: Sequence[RecordFault]) -> None:
    """Log each place at which records failed, with their number and the first of them."""
    by_place: dict[str, list[RecordFault]] = {}
    for fault in faults:
        by_place.setdefault(fault.place, []).append(fault)
    for place, found in by_place.items():
        record, error, _ = found[0]
        structlog.get_logger(__name__).error(
            "records set aside",
            code=InternalError.code,
            exception=type(error).__qualname__,
            place=place,
            records=len(found),
            first=record.position,
            cause=message_of(error),
            frames="".join(traceback.format_tb(error.__traceback__, -LOGGED_FRAMES)),
        )


def message_of(error: BaseException) -> str:
    """Return the beginning of an exception's message; empty if it has none that can be read."""
    try:
        return str(error)[:LOGGED_MESSAGE]
    except Exception:  # noqa: BLE001 - the exception is of foreign code, and so is its __str__
        return ""
