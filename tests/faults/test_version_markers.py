"""Workers are killed inside transactions between swaps: each fence stands where its answers do."""

import pytest

from modstream.broker.client.reader import read_to_end
from modstream.broker.wire.codec import decode, decode_answer
from modstream.broker.wire.contracts import Fence
from modstream.models.examples.echo import make_echo
from modstream.operations.trace.story import served
from modstream.operations.verify.echo import ECHO
from modstream.registry.access import open_registry
from tests.faults.harness import marks

pytestmark = [pytest.mark.fault, pytest.mark.real]


def publish_again(settings):
    """The echo as one more version; its parent tells it from a repeated publish."""
    draft, artifact = make_echo(ECHO)
    with open_registry(settings) as registry:
        newest = registry.newest(ECHO).version
        registry.publish(draft.model_copy(update={"parent": newest}), artifact)


def read(scene, topic):
    return list(read_to_end(scene.settings.connection, [topic]))


def firsts(found):
    """The least offset of each version in each partition, of (version, source) pairs."""
    least = {}
    for version, source in found:
        place = version, source.partition
        least[place] = min(source.offset, least.get(place, source.offset))
    return least


def test_fences_tell_the_version_of_every_answer_though_workers_are_killed_between_swaps(scene):
    scene.start_workers(2)

    with scene.trial(8_000) as trial:
        for _ in marks(trial, 4 * scene.times):
            publish_again(scene.settings)
            scene.gun.kill(scene.targets, inside=True)
        verdict = scene.judge("kills between swaps", trial, scene.gun.kills, scene.gun.inside)

    topics = scene.settings.topics()
    fences = [decode(Fence, record.value) for record in read(scene, topics.fences)]
    answers = [decode_answer(record) for record in read(scene, topics.predictions)]
    assert verdict.found == {}
    assert firsts((f.version, f.source) for f in fences) == firsts(
        (answer.version, answer.source) for answer in answers
    )
    assert {answer.version for answer in answers} >= {1, 1 + 4 * scene.times}
    for answer in answers:
        (here,) = served(fences, answer.source)
        assert here.version == answer.version
