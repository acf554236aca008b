"""Record batches of any content are read within bounds, and what is unreadable is stepped over."""

import gzip
import struct
import tracemalloc

import cramjam
import pytest
from aiokafka.consumer.fetcher import PartitionRecords
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.util import calc_crc32c
from aiokafka.structs import TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from modstream.broker.wire.records import ILLEGIBLE_HEADERS
from modstream.broker.wire.topics import Header
from modstream.processors.join.faust import decompression
from modstream.processors.join.faust.record_batches import (
    CHECKED_FROM,
    HEADER,
    FetchedBatches,
    SafeRecordBatch,
)

TP = TopicPartition("flights.labels", 0)
GZIP, SNAPPY, LZ4, ZSTD = 1, 2, 3, 4
COMPRESS = {
    GZIP: gzip.compress,
    SNAPPY: cramjam.snappy.compress_raw,
    LZ4: cramjam.lz4.compress,
    ZSTD: cramjam.zstd.compress,
}


def batch(*records, base=0, codec=0, content=None, count=None):
    """Return a batch of (key, value, headers) as a broker stores it."""
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, 0, 10**9)
    for offset, (key, value, headers) in enumerate(records):
        builder.append(offset, 7, key, value, list(headers))
    plain = bytes(builder.build())
    fields = list(HEADER.unpack_from(plain))
    body = plain[HEADER.size :] if content is None else content
    body = bytes(COMPRESS[codec](body)) if codec and content is None else body
    fields[0], fields[5] = base, codec
    if count is not None:
        fields[6], fields[12] = count - 1, count
    fields[1] = HEADER.size - 12 + len(body)
    return sealed(HEADER.pack(*fields) + body)


def sealed(content):
    """Return a batch with its right checksum."""
    crc = struct.pack(">I", calc_crc32c(content[CHECKED_FROM:]))
    return content[:17] + crc + content[21:]


def read(*batches, start=0):
    """Return what a consumer gets of these batches."""
    content = b"".join(batches)
    records = PartitionRecords(TP, FetchedBatches(content), [], start, None, None, True, 1)
    return list(records), records.next_fetch_offset


def skipped(record):
    return dict(record.headers).get(Header.SKIPPED)


def labels(first, count):
    return [(b"k", b"v%d" % number, ()) for number in range(first, first + count)]


@pytest.mark.parametrize("codec", [0, *COMPRESS])
def test_batches_of_every_compression_are_read(codec):
    found, end = read(batch(*labels(0, 3), codec=codec), batch(*labels(3, 2), base=3, codec=codec))

    assert [(one.offset, one.value) for one in found] == [(n, b"v%d" % n) for n in range(5)]
    assert end == 5


def test_blocks_of_javas_snappy_are_read():
    plain = batch(*labels(0, 3))[HEADER.size :]
    blocks = [bytes(cramjam.snappy.compress_raw(part)) for part in (plain[:9], plain[9:])]
    content = b"\x82SNAPPY\0\0\0\0\1\0\0\0\1" + b"".join(
        struct.pack(">i", len(one)) + one for one in blocks
    )

    found, _ = read(batch(*labels(0, 3), codec=SNAPPY, content=content))

    assert [one.value for one in found] == [b"v0", b"v1", b"v2"]


def test_header_names_that_are_not_utf8_cost_their_record_its_headers():
    content = batch(
        (b"k", b"before", [("a", b"1")]),
        (b"k", b"odd", [("a", b"1"), ("caf?", b"1")]),
        (b"k", b"after", [("b", None)]),
    )

    found, _ = read(sealed(content.replace(b"caf?", b"caf\xe9")))

    assert [(one.value, tuple(one.headers)) for one in found] == [
        (b"before", (("a", b"1"),)),
        (b"odd", ILLEGIBLE_HEADERS),
        (b"after", (("b", None),)),
    ]


@pytest.mark.parametrize("codec", COMPRESS)
def test_batch_that_its_decompressor_refuses_is_stepped_over(codec):
    found, end = read(
        batch(*labels(0, 1)),
        batch(*labels(0, 4), base=1, codec=codec, content=b"\xff\xfe not compressed"),
        batch(*labels(5, 1), base=5),
    )

    assert [one.value for one in found] == [b"v0", None, b"v5"]
    assert (skipped(found[1]), found[1].offset, end) == (b"1-4", 4, 6)


@pytest.mark.parametrize("codec", COMPRESS)
def test_bomb_is_stepped_over_within_bounded_memory(codec, monkeypatch):
    monkeypatch.setattr(decompression, "MAX_BATCH_SIZE", 1024 * 1024)
    bomb = batch((b"k", bytes(64 * 1024 * 1024), ()), codec=codec)

    tracemalloc.start()
    try:
        found, end = read(bomb, batch(*labels(1, 1), base=1))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert [one.value for one in found] == [None, b"v1"]
    assert end == 2
    assert peak < 16 * 1024 * 1024


def test_millions_of_empty_records_are_read_one_after_the_other():
    count = 200_000
    record = b"\x0c\x00\x00\x00\x01\x01\x00"
    bomb = batch(*labels(0, 1), codec=GZIP, content=gzip.compress(record * count), count=count)

    tracemalloc.start()
    try:
        reader = iter(SafeRecordBatch(bomb))
        for _ in range(1000):
            next(reader)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 20 * 1024 * 1024


def test_wrong_checksum_is_stepped_over():
    damaged = bytearray(batch(*labels(0, 2)))
    damaged[-3] ^= 0xFF

    found, end = read(bytes(damaged), batch(*labels(2, 1), base=2))

    assert [(one.value, skipped(one)) for one in found] == [(None, b"0-1"), (b"v2", None)]
    assert end == 3


def test_record_longer_than_its_batch_is_stepped_over():
    good = batch(*labels(0, 1))[HEADER.size :]

    found, end = read(batch(*labels(0, 3), content=good + b"\x80\x08\x00\x00\x02"))

    assert [(one.value, skipped(one)) for one in found] == [(b"v0", None), (None, b"1-2")]
    assert end == 3


def test_fetch_that_continues_within_an_unreadable_batch_reports_the_rest():
    found, end = read(batch(*labels(0, 4), codec=GZIP, content=b"?"), start=2)

    assert [one.offset for one in found] == [3]
    assert end == 4


def test_incomplete_batch_at_the_end_is_left_for_the_next_fetch():
    whole = batch(*labels(0, 2))
    records = FetchedBatches(whole + batch(*labels(2, 2), base=2)[:40])

    assert records.next_batch().next_offset == 2
    assert not records.has_next()
    assert records.next_batch() is None
    assert records.size_in_bytes() == len(whole) + 40


def test_markers_of_transactions_are_recognised():
    fields = list(HEADER.unpack_from(batch((struct.pack(">hh", 0, 0), b"", ()))))
    content = batch((struct.pack(">hh", 0, 0), b"", ()))[HEADER.size :]
    fields[5], fields[9] = 0x30, 12
    marker = sealed(HEADER.pack(*fields) + content)
    damaged = marker[:-1] + b"?"

    assert [batch_.value for batch_ in read(marker, batch(*labels(1, 1), base=1))[0]] == [b"v1"]
    assert [batch_.value for batch_ in read(damaged, batch(*labels(1, 1), base=1))[0]] == [b"v1"]


@given(st.data(), st.sampled_from([0, *COMPRESS]))
def test_any_damage_is_survived_and_the_next_batch_is_read(data, codec):
    content = bytearray(batch(*labels(0, 4), codec=codec))
    for _ in range(data.draw(st.integers(1, 8))):
        position = data.draw(st.integers(HEADER.size, len(content) - 1))
        content[position] = data.draw(st.integers(0, 255))

    found, end = read(sealed(bytes(content)), batch(*labels(4, 1), base=4))

    assert found[-1].value == b"v4"
    assert end == 5
