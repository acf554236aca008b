"""The sender keeps to its window, sends each row once, and sends loading rows again."""

import json

import pytest

from modstream.broker.errors import ProducerLost
from modstream.operations.precompute import sender as sender_module
from modstream.operations.precompute.request_encoder import row_encoder
from modstream.operations.precompute.sender import RunLimits, RunSource, Sender
from modstream.operations.precompute.source_rows import SourceRow
from modstream.processors.precompute.request_ids import RequestIds, RowAttempt
from modstream.processors.precompute.run_progress import LOADING, RunProgress
from tests.modstream.operations.precompute.test_sources import FEATURES

IDS = RequestIds("run", "0a0a0a0a")


class Published:
    """Keeps what is published, and fails if it is told to."""

    def __init__(self):
        self.chunks, self.fails = [], False

    def publish(self, records):
        if self.fails:
            raise ProducerLost("the outcome is unknown")
        self.chunks.append([json.loads(record.value)["id"] for record in records])

    @property
    def ids(self):
        return [one for chunk in self.chunks for one in chunk]


def make_sender(rows, progress=None, **limits):
    limits = RunLimits(**{"window": 10, "chunk": 4, **limits})
    make_request = row_encoder("m", "champion", FEATURES)
    source = RunSource("s.requests", IDS, lambda: iter(rows), make_request, limits)
    published = Published()
    progress = RunProgress() if progress is None else progress
    return Sender(source, published, progress), published, progress


def rows(count):
    return [SourceRow(f"k{n}", {"x": float(n), "n": n}) for n in range(count)]


def settle(sender, progress, row, attempt=1, code=None):
    if progress.settle(RowAttempt(row, attempt), None if code else 1, code):
        sender.forget(row)


def test_a_first_row_is_answered_before_others_are_sent():
    sender, published, progress = make_sender(rows(9))

    assert [sender.send(), sender.send()] == [1, 0]
    settle(sender, progress, 0)
    sender.send()

    assert [len(chunk) for chunk in published.chunks] == [1, 4]


def test_no_more_rows_than_the_window_has_are_without_an_answer():
    sender, published, progress = make_sender(rows(100))
    sender.send()
    settle(sender, progress, 0)
    for _ in range(9):
        sender.send()

    assert progress.in_flight == 10
    assert published.ids == [IDS.make(n) for n in range(11)]
    settle(sender, progress, 1)
    assert sender.send() == 0  # A transaction for a single row would be too expensive.


def test_every_row_is_sent_once_and_the_source_is_exhausted():
    sender, published, progress = make_sender(rows(23))
    while not sender.is_exhausted:
        sender.send()
        for row in list(progress.unanswered):
            settle(sender, progress, row)

    assert published.ids == [IDS.make(n) for n in range(23)]
    assert progress.predicted == {1: 23}


def test_a_row_whose_model_was_loaded_is_sent_again_under_the_next_id(monkeypatch):
    monkeypatch.setattr(sender_module, "RETRY_SECONDS", 0.0)
    sender, published, progress = make_sender(rows(2))
    sender.send()
    settle(sender, progress, 0, code=LOADING)
    sender.send()
    settle(sender, progress, 0, attempt=2)

    assert published.ids == [IDS.make(0), IDS.make(0, 2)]
    assert progress.settled == 1


def test_a_continued_run_sends_the_rows_after_those_that_were_sent():
    progress = RunProgress(sent=3, unanswered={1: 1}, waiting={2: 2}, predicted={1: 1})
    sender, published, _ = make_sender(rows(5), progress)

    sender.send()

    assert published.ids == [IDS.make(2, 2), IDS.make(3), IDS.make(4)]
    assert progress.unanswered == {1: 1, 2: 2, 3: 1, 4: 1}


def test_rows_that_no_request_can_have_are_counted_and_passed_over():
    good = SourceRow("k", {"x": 1.0, "n": 1})
    bad = [SourceRow(None, {}), SourceRow("é" * 513, {}), SourceRow("k", {"x": object()})]
    sender, published, progress = make_sender([*bad, good, bad[0]], RunProgress(predicted={1: 0}))
    progress.predicted[1] = 1
    while not sender.is_exhausted:
        sender.send()

    assert published.ids == [IDS.make(3)]
    assert (progress.sent, progress.refused) == (5, {"not_sent": 4})


def test_a_request_that_no_worker_takes_is_not_sent():
    row = SourceRow("k", {"x": "y" * 200})
    sender, published, progress = make_sender([row], max_request_bytes=200)
    while not sender.is_exhausted:
        sender.send()

    assert (published.chunks, progress.refused) == ([], {"not_sent": 1})


def test_a_transaction_takes_no_more_than_its_bytes(monkeypatch):
    monkeypatch.setattr(sender_module, "MAX_CHUNK_BYTES", 200)
    sender, published, _ = make_sender(rows(8), RunProgress(predicted={1: 1}))

    sender.send()

    assert [len(chunk) for chunk in published.chunks] == [3]


def test_after_an_unknown_outcome_no_row_counts_as_sent():
    sender, published, progress = make_sender(rows(8))
    published.fails = True

    with pytest.raises(ProducerLost):
        sender.send()

    assert progress == RunProgress()
