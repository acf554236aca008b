"""Workers are killed inside transactions between swaps: version markers match the answers."""

import pytest

from modstream.broker.client.reader import read_to_end
from modstream.broker.wire.codec import decode, decode_response
from modstream.broker.wire.model_contracts import VersionMarker
from modstream.models.examples.echo import make_echo
from modstream.operations.trace.story import markers_in_effect
from modstream.operations.verify.echo import ECHO_MODEL
from modstream.registry.access import open_registry
from tests.faults.harness import FaultHarness, at_progress

pytestmark = [pytest.mark.fault, pytest.mark.real]


def publish_again(settings):
    """Publish another version of the echo model; its parent distinguishes it from a retry."""
    spec, artifact = make_echo(ECHO_MODEL)
    with open_registry(settings) as registry:
        newest = registry.newest(ECHO_MODEL).version
        registry.publish(spec.model_copy(update={"parent": newest}), artifact)


def read(harness: FaultHarness, topic):
    return list(read_to_end(harness.settings.connection, [topic]))


def first_offsets(pairs):
    """Return the lowest offset by version and partition, given (version, source) pairs."""
    lowest = {}
    for version, source in pairs:
        key = version, source.partition
        lowest[key] = min(source.offset, lowest.get(key, source.offset))
    return lowest


def test_version_markers_give_the_version_of_every_answer_despite_kills_between_swaps(
    harness: FaultHarness,
):
    harness.start_workers(2)

    with harness.start_run(8_000) as run:
        for _ in at_progress(run, 4 * harness.times):
            publish_again(harness.settings)
            harness.killer.kill(harness.targets, inside=True)
        result = harness.finish(
            "kills between swaps", run, harness.killer.kills, harness.killer.inside
        )

    topics = harness.settings.topics()
    markers = [
        decode(VersionMarker, record.value) for record in read(harness, topics.version_markers)
    ]
    answers = [decode_response(record) for record in read(harness, topics.predictions)]
    assert result.fault_counts == {}
    assert first_offsets((f.version, f.source) for f in markers) == first_offsets(
        (answer.version, answer.source) for answer in answers
    )
    assert {answer.version for answer in answers} >= {1, 1 + 4 * harness.times}
    for answer in answers:
        (marker,) = markers_in_effect(markers, answer.source)
        assert marker.version == answer.version
