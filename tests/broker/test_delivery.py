"""Which failure of a transactional call asks for what."""

import pytest
from confluent_kafka import KafkaError

from broker.transactions import Verdict, verdict


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (KafkaError(KafkaError._TIMED_OUT, retriable=True), Verdict.LOST),
        (KafkaError(KafkaError._TIMED_OUT), Verdict.LOST),
        (KafkaError(KafkaError._TRANSPORT, retriable=True), Verdict.REPEAT),
        (KafkaError(KafkaError.COORDINATOR_LOAD_IN_PROGRESS, retriable=True), Verdict.REPEAT),
        (KafkaError(KafkaError.ILLEGAL_GENERATION, txn_requires_abort=True), Verdict.ABORT),
        (KafkaError(KafkaError.UNKNOWN_MEMBER_ID, txn_requires_abort=True), Verdict.ABORT),
        (KafkaError(KafkaError.MSG_SIZE_TOO_LARGE, txn_requires_abort=True), Verdict.ABORT),
        (KafkaError(KafkaError._FENCED, fatal=True), Verdict.LOST),
        (KafkaError(KafkaError._FATAL, fatal=True, txn_requires_abort=True), Verdict.LOST),
        (KafkaError(KafkaError._STATE), Verdict.LOST),
        (KafkaError(KafkaError.UNKNOWN), Verdict.LOST),
    ],
    ids=str,
)
def test_a_failure_asks_for(error, expected):
    assert verdict(error) is expected
