"""Metrics and model events that an older version wrote are still decoded."""

import json

from modstream.broker.wire.codec import decode, encode
from modstream.broker.wire.model_contracts import DecisionEvidence, Metrics, ModelEvent

EVENT = ModelEvent(
    model="m",
    version=3,
    action="promote",
    alias="champion",
    at=1,
    event_time=2,
    rows_learned=40,
    first_offsets={"s.feedback:0": 5},
    offsets={"s.feedback:0": 9},
    reason="quick is better",
    decision=DecisionEvidence(
        candidate="quick",
        champion="steady",
        window=500,
        count=400,
        champion_loss=0.2,
        candidate_loss=0.1,
        bound=0.05,
        alpha=0.01,
        error_before=0.1,
        error_after=0.3,
        flip_ratio=1000.0,
        quiet_labels=100,
    ),
)
OLD_EVENT = {
    "model": "m",
    "version": 3,
    "action": "promote",
    "alias": "champion",
    "at": 1,
    "event_time": 2,
    "learned": 40,
    "learned_from": {"s.feedback:0": 5},
    "offsets": {"s.feedback:0": 9},
    "evidence": "quick is better",
    "weighed": {
        "member": "quick",
        "former": "steady",
        "window": 500,
        "count": 400,
        "former_loss": 0.2,
        "member_loss": 0.1,
        "bound": 0.05,
        "alpha": 0.01,
        "error_before": 0.1,
        "error_after": 0.3,
        "doubt": 1000.0,
        "calm": 100,
    },
    "schema_version": 1,
}


def test_an_event_with_the_old_field_names_is_decoded():
    assert decode(ModelEvent, json.dumps(OLD_EVENT).encode()) == EVENT


def test_an_event_is_written_with_the_new_field_names():
    written = json.loads(encode(EVENT))

    assert decode(ModelEvent, encode(EVENT)) == EVENT
    assert not {"learned", "learned_from", "evidence", "weighed"} & written.keys()
    old_names = {"member", "former", "former_loss", "member_loss", "doubt", "calm"}
    assert not old_names & written["decision"].keys()


def test_metrics_of_the_old_kind_inputs_are_decoded_as_input_drift():
    value = b'{"kind":"inputs","values":{"x":1.5}}'

    assert decode(Metrics, value) == Metrics(kind="input_drift", values={"x": 1.5})
