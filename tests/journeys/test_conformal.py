"""Sets in the answers of a frozen ONNX model, from the command line to the joiner's feedback."""

import json
from time import monotonic

import pytest

from modstream.processors.conformal.settings import ServedSetSettings
from tests.journeys.conftest import TIMEOUT_SECONDS, System
from tests.models.constant_model import constant_onnx_artifact, constant_spec

pytestmark = [pytest.mark.real, pytest.mark.journey, pytest.mark.thorough]

NAME = "frozen"
LABELS = 40
ROW = {"distance": 1.0}


@pytest.fixture
def frozen(system):
    """A system whose only model is a frozen one; nothing learns."""
    conformal = ServedSetSettings({NAME: 0.9}, min_labels=LABELS, refresh_seconds=0.1)
    settings = system.settings.model_copy(update={"route": (NAME,), "conformal": conformal})
    found = System(settings, system.supervisor, system.folder, system.clients)
    found.create_topics()
    with found.registry() as registry:
        registry.publish(constant_spec(NAME, 2, "onnx"), constant_onnx_artifact(2))
    for name in ("worker", "joiner", "calibrator"):
        found.start(name, name)
    return found


def answer_until_labels(client, count):
    """Ask until an answer has a set of so many labels; return that answer."""
    deadline = monotonic() + TIMEOUT_SECONDS
    while True:
        found = client.wait(client.send(ROW, event_time=2), TIMEOUT_SECONDS)
        if found.outputs.get("conformal", {}).get("labels") == count:
            return found
        assert monotonic() < deadline, found


def test_a_frozen_model_answers_with_sets_whose_labels_are_joined(frozen):
    client = frozen.client()
    requests = [client.send(ROW, event_time=1) for _ in range(LABELS - 2)]
    requests.append(client.send([ROW, ROW], event_time=1))
    for number, request in enumerate(requests):
        assert "conformal" not in client.wait(request, TIMEOUT_SECONDS).outputs
        for row in range(2 if number == LABELS - 2 else 1):
            client.label(request, number % 20 != 0, event_time=2, row=row)

    answer = answer_until_labels(client, LABELS)

    assert answer.outputs["conformal"] == {"set": [True], "coverage": 0.9, "labels": LABELS}
    bulk = client.wait(client.send([ROW, ROW], event_time=2), TIMEOUT_SECONDS)
    assert [row["conformal"]["labels"] for row in bulk.outputs] == [LABELS] * 2
    for row, label in enumerate((True, False)):
        client.label(answer.id if row == 0 else bulk.id, label, event_time=3, row=0)
    answer_until_labels(client, LABELS + 2)
    frozen.supervisor.kill("worker")
    later = client.wait(client.send(ROW, event_time=2), TIMEOUT_SECONDS)
    assert later.outputs["conformal"]["labels"] == LABELS + 2

    traced = frozen.run("trace", answer.id)
    assert traced.returncode == 0, traced
    assert "conformal" in traced.stdout
    assert f"labels: {LABELS}" in traced.stdout
    document = json.loads(frozen.run("trace", answer.id, "--json").stdout)
    assert f'"labels": {LABELS}' in json.dumps(document)
