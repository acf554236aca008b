"""A family in the registry: who serves, who is resumed, what a decision moves. On real servers."""

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from time import monotonic, sleep

import pytest
from river import linear_model, optim

from bench.gate import synthetic
from modstream.broker.client.admin import Admin
from modstream.broker.client.publisher import Publisher
from modstream.broker.client.reader import read_to_end
from modstream.broker.wire.codec import decode, encode
from modstream.broker.wire.contracts import Feedback, ModelEvent
from modstream.broker.wire.records import Outgoing
from modstream.errors import NotALearner
from modstream.models.errors import ModelNotFound, RegistryUnavailable
from modstream.models.runtimes.river.artifact import pack
from modstream.models.schema.input_schema import InputSchema
from modstream.models.schema.version_spec import Draft
from modstream.processors.promote.decision import Decision
from modstream.processors.promote.gate import GOOD
from modstream.processors.promote.settings import GateSettings
from modstream.processors.promote.state_rollback import Still
from modstream.registry.access import open_registry
from modstream.services import learner as role
from modstream.services.members import batch_models, newest_of, note, reigning, resume
from modstream.services.release_manager import Releases
from modstream.services.version_publisher import Press
from modstream.settings import load_settings
from tests.models.constant_model import onnx_artifact

pytestmark = pytest.mark.real
SCHEMA = InputSchema.floats(["x", "y"])
SECONDS = 60.0


@pytest.fixture
def settings(bootstrap, redis_url, prefix, tmp_path):
    return load_settings(
        bootstrap=bootstrap,
        redis=redis_url,
        prefix=prefix,
        stream="s",
        home=tmp_path,
        route=("m",),
        members=("slow", "quick"),
        cadence={"seconds": 0.05},
    )


@pytest.fixture
def registry(settings):
    with open_registry(settings) as registry:
        for member, rate in (("slow", 0.0001), ("quick", 0.05)):
            publish(registry, member, rate)
        registry.promote("m", 1)
        yield registry


def publish(registry, alias, rate, **facts):
    draft = Draft(
        name="m",
        runtime="river",
        task="binary",
        classes=(False, True),
        input_schema=SCHEMA,
        **facts,
    )
    model = linear_model.LogisticRegression(optimizer=optim.SGD(rate))
    return registry.publish(draft, pack(model), alias=alias)


class Sent(list):
    """A publisher that only remembers."""

    def send(self, outgoing):
        self.append(outgoing)

    def flush(self, timeout):
        """Everything is where it belongs."""


def releases(settings, registry, sent):
    family = resume(settings, registry, "m")
    presses = {
        name: Press(registry, sent, learner, settings.topics(), name)
        for name, learner in family.learners.items()
    }
    return Releases(registry, family, presses)


def decided(action, member, former):
    return Decision(action, member, former, 500, 400, 0.2, 0.1, 0.05, 0.01)


def test_the_member_that_the_champion_is_serves(settings, registry):
    family = resume(settings, registry, "m")

    assert list(family.learners) == ["slow", "quick"]
    assert family.gate.champion == "slow"


def test_a_promotion_moves_the_champion_and_lets_both_learn_on(settings, registry):
    found = releases(settings, registry, sent := Sent())
    found.family.gate.champion = "quick"
    found.family.decisions.append(decided("promote", "quick", "slow"))

    found.publish()
    found.family.learners["quick"].offsets["s.feedback:0"] = 7
    found.publish()

    aliases = registry.aliases("m")
    champion = registry.card("m")
    assert champion.note == note("quick")
    assert champion.offsets == {"s.feedback:0": 7}
    assert registry.card("m", aliases["slow"]).note == note("slow")
    told = [decode(ModelEvent, one.value) for one in sent if one.topic.endswith("model-events")]
    (event,) = [one for one in told if one.weighed is not None]
    assert (event.action, event.weighed.former, event.weighed.count) == ("promote", "slow", 400)
    assert reigning(registry, "m", members(settings, registry)) == "quick"
    assert newest_of(registry, "m", "quick").version == champion.version


def members(settings, registry):
    return resume(settings, registry, "m").learners


def test_a_rollback_holds_the_good_version_also_after_a_restart(settings, registry):
    found = releases(settings, registry, Sent())
    family = found.family
    family.seat(GOOD, Still(family.pacer.card, family.pacer.runtime))
    registry.promote("m", family.pacer.card.version, GOOD)
    found.pacer.publish()
    family.gate.champion = GOOD
    family.decisions.append(decided("rollback", GOOD, "slow"))

    found.publish()

    assert registry.resolve("m") == registry.resolve("m", GOOD) == 1
    assert registry.card("m", "slow").note == note("slow")
    again = resume(settings, registry, "m")
    assert again.gate.champion == GOOD
    assert again.is_held
    assert again.gate.round == 2


def test_a_decision_waits_for_a_registry_that_is_away(settings, registry, monkeypatch):
    found = releases(settings, registry, Sent())
    family = found.family
    family.seat(GOOD, Still(family.pacer.card, family.pacer.runtime))

    def away(*_, **__):
        raise RegistryUnavailable("a drill")

    with monkeypatch.context() as broken:
        broken.setattr(registry, "promote", away)
        broken.setattr(registry, "publish", away)
        family.decisions.append(decided("rollback", GOOD, "slow"))
        assert not found.publish()
        assert found.is_behind()

    assert found.publish()
    assert not found._waiting


def test_a_batch_member_that_was_published_anew_is_noticed(settings, registry):
    settings = settings.model_copy(update={"members": ("slow", "batch")})
    facts = {"runtime": "onnx", "task": "binary", "classes": (False, True)}
    draft = Draft(name="m", input_schema=InputSchema.floats(["x"]), **facts)
    registry.publish(draft, onnx_artifact(1), alias="batch")
    family = resume(settings, registry, "m")

    assert batch_models(settings, registry, "m", family.stills) == {}
    registry.publish(draft, onnx_artifact(2), alias="batch")

    found = batch_models(settings, registry, "m", family.stills)
    assert found["batch"].card.version == family.stills["batch"].card.version + 1


def unreadable(registry, like, alias):
    """A version after another, as an older River would have pickled it."""
    artifact = re.sub(rb'"river":"[^"]*"', b'"river":"0.1.0"', registry.artifact(like), count=1)
    kept = like.model_dump(include={"name", "runtime", "task", "classes"})
    draft = Draft(**kept, input_schema=like.input_schema, parent=like.version)
    return registry.publish(draft, artifact, alias=alias)


def test_members_go_on_from_what_can_be_read(settings, registry):
    Admin(settings.connection).create(settings.specs())
    slow, quick = registry.card("m", "slow"), registry.card("m", "quick")
    unreadable(registry, quick, "quick")
    unreadable(registry, slow, GOOD)

    family = resume(settings, registry, "m")

    assert {name: one.card.version for name, one in family.learners.items()} == {
        "slow": slow.version,
        "quick": quick.version,
    }
    assert GOOD not in family.stills


def test_a_model_alone_passes_over_what_was_trained_in_one_go(settings, registry):
    facts = {"runtime": "onnx", "task": "binary", "classes": (False, True)}
    draft = Draft(name="m", input_schema=InputSchema.floats(["x"]), **facts)
    registry.publish(draft, onnx_artifact(1), alias="challenger")

    family = resume(settings.model_copy(update={"members": ()}), registry, "m")

    assert family.pacer.card.version == registry.resolve("m", "quick")
    assert not family.is_judged


def test_a_family_without_a_learner_is_refused(settings, registry):
    facts = {"runtime": "onnx", "task": "binary", "classes": (False, True)}
    draft = Draft(name="m", input_schema=InputSchema.floats(["x"]), **facts)
    registry.publish(draft, onnx_artifact(1), alias="batch")
    with pytest.raises(NotALearner):
        resume(settings.model_copy(update={"members": ("batch",)}), registry, "m")
    with pytest.raises(ModelNotFound):
        resume(settings.model_copy(update={"members": ("nobody",)}), registry, "m")


def await_champion(registry, member, learned):
    deadline = monotonic() + SECONDS
    while (card := registry.card("m")).note != note(member) or card.metrics["learned"] < learned:
        assert monotonic() < deadline, f"{card.note!r} has learned {card.metrics['learned']}"
        sleep(0.05)


def test_the_learner_promotes_the_better_member_on_a_real_stream(settings, registry):
    Admin(settings.connection).create(settings.specs())
    gate = GateSettings(loss="score", least=100)
    settings = settings.model_copy(update={"gate": gate})
    topics, stop = settings.topics(), threading.Event()
    with Publisher(settings.connection) as publisher:
        labels = (row for row in synthetic(1, 600) if row.is_label)
        for number, row in enumerate(labels):
            message = Feedback(
                id=str(number), label=row.truth, features=row.features, predictions=(),
                event_time=row.at, label_time=row.at,
            )  # fmt: skip
            publisher.send(Outgoing(topics.feedback, str(number).encode(), encode(message)))
        publisher.flush()
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(role.run_learner, settings, "m", stop)
        try:
            await_champion(registry, "quick", learned=600)
        finally:
            stop.set()
        running.result(SECONDS)

    records = read_to_end(settings.connection, [topics.model_events])
    events = [decode(ModelEvent, record.value) for record in records]
    (decision,) = [event for event in events if event.weighed is not None]
    assert (decision.action, decision.weighed.member) == ("promote", "quick")
    assert {card.metrics["learned"] for card in registry.versions("m")[-2:]} == {600}
    assert reigning(registry, "m", members(settings, registry)) == "quick"
