"""Requests, their outcomes, and the audit of both."""

from modstream.broker.client.publisher import DeliveryReport
from modstream.broker.wire.records import Record
from modstream.operations.verify.audit import audit_run
from modstream.operations.verify.outcomes import (
    PREDICTION,
    Outcome,
    PartitionOffset,
)
from modstream.operations.verify.sent_log import SentLog

PREDICTIONS, DEAD_LETTERS = "echoes.predictions", "echoes.dlq"


def sent_on(keys):
    sent_log = SentLog("run")
    for offset, key in enumerate(keys):
        acknowledged(sent_log, sent_log.create_request(key), offset)
    return sent_log


def acknowledged(sent_log, sent, offset):
    partition = ord(sent.key) % 4
    record = Record("echoes.requests", partition, offset, sent.key.encode(), b"")
    sent_log.note_delivery(
        sent, DeliveryReport(sent.to_record("echoes.requests", "echo"), record, None)
    )


def respond(sent, offset, **changes):
    facts = {
        "topic": PREDICTIONS,
        "partition": ord(sent.key) % 4,
        "offset": offset,
        "id": sent.id,
        "kind": PREDICTION,
        "model": "echo",
        "value": float(sent.value),
        "source": PartitionOffset(sent.partition, sent.offset),
    }
    return Outcome(**(facts | changes))


def respond_to_all(sent_log):
    return [respond(sent, offset) for offset, sent in enumerate(sent_log.sent.values())]


def audited(sent_log, final, **changes):
    return audit_run(
        **(
            {
                "sent": sent_log.sent,
                "observed": final,
                "observed_uncommitted": final,
                "final": final,
            }
            | changes
        )
    )
