"""Record batches as the joiner reads them: within bounds, and whatever they contain.

aiokafka decompresses a batch without a limit, and fetches a batch for ever that it cannot read: one
with a wrong checksum, one that its decompressor refuses, one with a header name that is not UTF-8.
`FetchedBatches` takes the place of its `MemoryRecords`. What is unreadable becomes a record without
a value whose header `SKIPPED` names the offsets, so that it is noticed and stepped over. The header
`REASON` says why.

Format: https://kafka.apache.org/documentation/#recordbatch.
"""

import struct
from collections.abc import Iterator
from typing import Any, NamedTuple, Self

from aiokafka.record.default_records import DefaultRecordBatch
from aiokafka.record.legacy_records import LegacyRecordBatch
from aiokafka.record.util import calc_crc32c

from modstream.broker.wire.records import ILLEGIBLE_HEADERS, Headers
from modstream.broker.wire.topics import Header
from modstream.processors.join.faust.decompression import DECOMPRESSORS, UnreadableBatch

REASON = "modstream-reason"
"""The header of a skipped record that says why it was skipped."""

HEADER = struct.Struct(">qiibIhiqqqhii")
"""Base offset, length, leader epoch, magic, checksum, attributes, last offset delta, first and last
timestamp, producer id, producer epoch, base sequence, number of records."""
LENGTH_END = struct.calcsize(">qi")
CHECKED_FROM = struct.calcsize(">qiibI")
COMMIT_KEY = struct.pack(">hh", 0, 1)
"""The key of the marker of a committed transaction."""
CODEC, TRANSACTIONAL, CONTROL, APPEND_TIME = 0x07, 0x10, 0x20, 0x08


class BatchRecord(NamedTuple):
    """A record of a batch, with the attributes that aiokafka reads."""

    offset: int
    timestamp: int
    timestamp_type: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    checksum: None = None


class FetchedBatches:
    """The batches of one fetched partition, with the interface of aiokafka's `MemoryRecords`."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._start = 0

    def size_in_bytes(self) -> int:
        """Return the size of the content, which may end within a batch."""
        return len(self._content)

    def has_next(self) -> bool:
        """Return whether there is another complete batch."""
        return self._end() is not None

    def next_batch(self) -> Any:  # noqa: ANN401 - a SafeRecordBatch, or aiokafka's for old formats
        """Return the next complete batch, or None."""
        end = self._end()
        if end is None:
            return None
        content = self._content[self._start : end]
        self._start = end
        magic = content[16]
        return SafeRecordBatch(content) if magic >= 2 else LegacyRecordBatch(content, magic)

    def _end(self) -> int | None:
        start, size = self._start, len(self._content)
        if size - start < HEADER.size:
            return None
        (length,) = struct.unpack_from(">i", self._content, start + 8)
        end = start + LENGTH_END + max(length, HEADER.size - LENGTH_END)
        return end if end <= size else None


class SafeRecordBatch:
    """One batch; iterating over it never fails."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        fields = HEADER.unpack_from(content)
        self.base_offset: int = fields[0]
        self.next_offset: int = fields[0] + fields[6] + 1
        self.producer_id: int = fields[9]
        self._checksum, self._attributes, self._count = fields[4], fields[5], fields[12]
        self._first_timestamp, self._last_timestamp = fields[7], fields[8]
        self._records: Iterator[Any] = iter(())

    @property
    def is_transactional(self) -> bool:
        """Whether the batch belongs to a transaction."""
        return bool(self._attributes & TRANSACTIONAL)

    @property
    def is_control_batch(self) -> bool:
        """Whether the batch is the marker of a transaction's end."""
        return bool(self._attributes & CONTROL)

    def validate_crc(self) -> bool:
        """Return True: a wrong checksum is noticed when the records are read."""
        return True

    def __iter__(self) -> Self:
        self._records = self._read()
        return self

    def __next__(self) -> Any:  # noqa: ANN401 - a BatchRecord, or aiokafka's
        return self._marker() if self.is_control_batch else next(self._records)

    def _marker(self) -> Any:  # noqa: ANN401 - see __next__
        """Return the record of a transaction's end; a damaged one counts as that of a commit."""
        if self._has_right_checksum():
            return next(iter(DefaultRecordBatch(self._content)))
        return self._skipped(
            self.base_offset, self.next_offset - 1, UnreadableBatch("the checksum is wrong")
        )._replace(key=COMMIT_KEY)

    def _has_right_checksum(self) -> bool:
        return bool(calc_crc32c(self._content[CHECKED_FROM:]) == self._checksum)

    def _read(self) -> Iterator[Any]:
        """Yield the records; for those that cannot be read, one record that says so."""
        try:
            if not self._has_right_checksum():
                raise UnreadableBatch("the checksum is wrong")  # noqa: TRY301 - one way out
            plain = self._decompress()
        except Exception as error:  # noqa: BLE001 - decompressors have errors of their own
            yield self._skipped(self.base_offset, self.next_offset - 1, error)
            return
        # One by one: there can be millions of empty records in a batch.
        records, done = iter(DefaultRecordBatch(plain)), 0
        while True:
            try:
                record = next(records)
            except StopIteration:
                return
            except Exception:  # noqa: BLE001 - those of aiokafka's parsers in C and Python differ
                break
            yield record
            done += 1
        yield from self._read_one_by_one(plain, done)

    def _decompress(self) -> bytes:
        """Return the same batch without compression."""
        codec = self._attributes & CODEC
        if not codec:
            return self._content
        if codec not in DECOMPRESSORS:
            raise UnreadableBatch(f"unknown compression {codec}")
        records = DECOMPRESSORS[codec](self._content[HEADER.size :])
        fields = list(HEADER.unpack_from(self._content))
        fields[1] = HEADER.size - LENGTH_END + len(records)
        fields[5] &= ~CODEC
        return HEADER.pack(*fields) + records

    def _read_one_by_one(self, plain: bytes, done: int) -> Iterator[BatchRecord]:
        """Yield the records after the first `done`, of which one is damaged or has odd headers."""
        position, last = HEADER.size, self.base_offset - 1
        try:
            for number in range(self._count):
                length, start = _varint(plain, position)
                position = start + length
                if length < 0 or position > len(plain):
                    raise UnreadableBatch("a record is longer than its batch")
                record = self._parse(plain[start:position])
                last = record.offset
                if number >= done:
                    yield record
        except (ValueError, IndexError) as error:
            yield self._skipped(last + 1, self.next_offset - 1, error)

    def _parse(self, content: bytes) -> BatchRecord:
        delta, position = _varint(content, 1)
        offset, position = _varint(content, position)
        key, position = _bytes(content, position)
        value, position = _bytes(content, position)
        is_append_time = bool(self._attributes & APPEND_TIME)
        timestamp = self._last_timestamp if is_append_time else self._first_timestamp + delta
        headers = _headers(content, position)
        return BatchRecord(
            self.base_offset + offset, timestamp, int(is_append_time), key, value, headers
        )

    def _skipped(self, first: int, last: int, cause: Exception) -> BatchRecord:
        headers: Headers = (
            (Header.SKIPPED.value, f"{first}-{last}".encode()),
            (REASON, f"{type(cause).__name__}: {cause}"[:200].encode(errors="replace")),
        )
        return BatchRecord(last, self._last_timestamp, 0, None, None, headers)


def _headers(content: bytes, position: int) -> Headers:
    """Return a record's headers; none of them if a name is not UTF-8."""
    count, position = _varint(content, position)
    found: list[tuple[str, bytes | None]] = []
    try:
        for _ in range(count):
            name, position = _bytes(content, position)
            value, position = _bytes(content, position)
            found.append(((name or b"").decode(), value))
    except UnicodeDecodeError:
        return ILLEGIBLE_HEADERS
    return tuple(found)


def _varint(content: bytes, position: int) -> tuple[int, int]:
    """Return the number at a position, and the position behind it."""
    value = shift = 0
    while shift < 64:
        byte = content[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (value >> 1) ^ -(value & 1), position
        shift += 7
    raise UnreadableBatch("a number has more than 64 bits")


def _bytes(content: bytes, position: int) -> tuple[bytes | None, int]:
    length, position = _varint(content, position)
    if length < 0:
        return None, position
    if position + length > len(content):
        raise UnreadableBatch("a field is longer than its record")
    return content[position : position + length], position + length
