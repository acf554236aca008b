"""What is shown of the registry: bounded, remembered, and readable while it is away."""

import pytest

from modstream.dashboard.registry_facts import MAX_FEATURES, MAX_MODELS, CardFacts, RegistryFacts
from modstream.models.registry.errors import ModelNotFound, RegistryUnavailable
from modstream.models.schema.input_schema import InputSchema
from tests.processors.small_fixtures import make_card


class StubRegistry:
    """A registry with models of three versions, which can be unavailable."""

    def __init__(self, names):
        self.known = names
        self.is_available = True
        self.reads = 0

    def names(self):
        self._check()
        return self.known

    def aliases(self, name):
        self._check()
        return {"champion": 2, "challenger": 3, "checkpoint": 1, "last-good": 4}

    def newest(self, name):
        return self.card(name, 3)

    def card(self, name, version):
        self._check()
        self.reads += 1
        if version > 3:
            raise ModelNotFound(name, version)
        return make_card(name, version, note="x" * 900)

    def _check(self):
        if not self.is_available:
            raise RegistryUnavailable("no answer")


def test_models_of_the_route_come_first_and_their_number_is_bounded():
    registry = StubRegistry([f"m{number:03d}" for number in range(300)])

    names = RegistryFacts(registry, ("m250", "missing")).names()

    assert names[:2] == ("m250", "m000")
    assert len(names) == MAX_MODELS


def test_a_model_has_its_aliases_and_its_highest_version():
    (facts,) = RegistryFacts(StubRegistry(["m"]), ()).sample().values()

    assert (facts.champion, facts.challengers, facts.highest) == (2, (3,), 4)
    assert facts.task == "binary"


def test_cards_are_read_once_and_known_ones_are_there_without_the_registry():
    registry = StubRegistry(["m"])
    facts = RegistryFacts(registry, ())
    first = facts.cards("m", [1, 2, 7])
    reads = registry.reads
    registry.is_available = False

    second = facts.cards("m", [1, 2, 3, 7])

    assert first == second
    assert set(first) == {1, 2}
    assert registry.reads == reads
    with pytest.raises(RegistryUnavailable):
        facts.sample()


def test_the_facts_of_a_card_are_bounded():
    card = make_card(
        schema=InputSchema.of_floats([f"f{number}" for number in range(300)]),
        note="a\x1bb" + "x" * 900,
        metrics={"learned": 7.0, "auc": 0.9},
    )

    facts = CardFacts.of(card)

    assert (len(facts.features), facts.feature_count) == (MAX_FEATURES, 300)
    assert facts.source.startswith("a?b")
    assert len(facts.source) == 501
    assert (facts.rows_learned, facts.metrics["auc"], facts.is_signed) == (7, 0.9, False)
