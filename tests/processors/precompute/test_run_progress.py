"""The progress of a run: every row is settled once, whatever is read again after a crash."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from modstream.processors.precompute.request_ids import RowAttempt
from modstream.processors.precompute.run_progress import LOADING, RunProgress


def sent(rows):
    progress = RunProgress()
    for row in range(rows):
        progress.note_sent(row)
    return progress


def test_an_answer_settles_its_row_once():
    progress = sent(2)

    assert progress.settle(RowAttempt(0), 3, None)
    assert not progress.settle(RowAttempt(0), 3, None)
    assert progress.settle(RowAttempt(1), None, "wrong_type")
    assert (progress.predicted, progress.refused) == ({3: 1}, {"wrong_type": 1})
    assert (progress.settled, progress.in_flight) == (2, 0)


def test_a_row_whose_model_is_being_loaded_is_sent_again():
    progress = sent(1)

    assert not progress.settle(RowAttempt(0), None, LOADING)
    assert (progress.waiting, progress.in_flight) == ({0: 2}, 1)
    progress.note_sent(0, 2)
    assert not progress.settle(RowAttempt(0), None, LOADING)  # The first answer, read again.
    assert progress.settle(RowAttempt(0, 2), 1, None)
    assert (progress.in_flight, progress.settled) == (0, 1)


def test_rows_that_were_passed_over_count_as_not_sent():
    progress = RunProgress()
    progress.note_sent(0)
    progress.note_sent(3)
    progress.note_unsendable(2)

    assert (progress.sent, progress.refused) == (6, {"not_sent": 4})
    assert sorted(progress.unanswered) == [0, 3]


def test_an_answer_to_a_row_that_was_not_sent_changes_nothing():
    progress = sent(1)

    assert not progress.settle(RowAttempt(7), 1, None)
    assert progress == sent(1)


def test_a_row_that_was_answered_is_not_open_again_when_its_request_is_read_again():
    progress = sent(2)
    progress.settle(RowAttempt(0), 1, None)

    progress.recover([RowAttempt(0), RowAttempt(1), RowAttempt(2)])

    assert progress.unanswered == {1: 1, 2: 1}


def test_a_retry_is_recovered_after_the_answer_that_it_follows_was_forgotten():
    before = sent(1)  # The checkpoint is older than the first answer.
    before.recover([RowAttempt(0), RowAttempt(0, 2)])

    assert not before.settle(RowAttempt(0), None, LOADING)
    assert before.settle(RowAttempt(0, 2), 1, None)


@st.composite
def histories(draw):
    """Return a log of requests and answers, and the positions of checkpoints and crashes."""
    rows = draw(st.integers(1, 12))
    log, waiting = [], []
    attempts = dict.fromkeys(range(rows), 1)
    order = list(range(rows))
    while order or waiting:
        if order and (not waiting or draw(st.booleans())):
            row = order.pop(0)
            log.append(("request", RowAttempt(row), None))
            waiting.append(row)
            continue
        row = waiting.pop(draw(st.integers(0, len(waiting) - 1)))
        is_loading = attempts[row] < 3 and draw(st.booleans())
        log.append(("answer", RowAttempt(row, attempts[row]), is_loading))
        if is_loading:
            attempts[row] += 1
            log.append(("request", RowAttempt(row, attempts[row]), None))
            waiting.append(row)
    crashes = draw(st.lists(st.integers(0, len(log)), max_size=3).map(sorted))
    return rows, log, crashes


def apply(progress, entries):
    for kind, attempt, is_loading in entries:
        if kind == "request":
            progress.note_sent(*attempt)
        else:
            progress.settle(attempt, None if is_loading else 1, LOADING if is_loading else None)


@given(history=histories(), data=st.data())
def test_a_run_that_crashes_anywhere_counts_every_row_once(history, data):
    rows, log, crashes = history
    progress, done = RunProgress(), 0
    for crash in crashes:
        saved_at = data.draw(st.integers(done, max(done, crash)))
        apply(progress, log[done:saved_at])
        saved = msgspec.json.encode(progress)
        ended_at = max(crash, saved_at)
        # The process ended there; it restores the checkpoint and reads the requests since.
        progress = msgspec.json.decode(saved, type=RunProgress)
        progress.recover(a for kind, a, _ in log[saved_at:ended_at] if kind == "request")
        apply(progress, [entry for entry in log[saved_at:ended_at] if entry[0] == "answer"])
        done = ended_at
    apply(progress, log[done:])

    assert (progress.sent, progress.predicted, progress.in_flight) == (rows, {1: rows}, 0)
