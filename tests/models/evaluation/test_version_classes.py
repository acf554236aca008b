"""The classes of versions are looked up once each, within bounds."""

import pytest

from modstream.models.evaluation.version_classes import (
    LOOKUPS_PER_SECOND,
    MAX_VERSIONS,
    RETRY_SECONDS,
    VersionClasses,
    VersionLabels,
)
from tests.processors.small_fixtures import make_card


class ManualClock:
    """A clock that stands until a test moves it."""

    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return ManualClock()


class Cards:
    """Cards by model and version, and the lookups so far."""

    def __init__(self, *cards):
        self.cards = {(card.name, card.version): card for card in cards}
        self.lookups = []

    def __call__(self, model, version):
        self.lookups.append((model, version))
        return self.cards.get((model, version))


def test_a_known_version_is_looked_up_once(clock):
    cards = Cards(make_card(classes=(1, 2)))
    versions = VersionClasses(cards, clock)

    assert {versions.get("m", 1).classes.classes for _ in range(10)} == {(1, 2)}
    assert len(cards.lookups) == 1


def test_an_unknown_version_is_looked_up_again_after_a_while(clock):
    cards = Cards()
    versions = VersionClasses(cards, clock)
    for _ in range(10):
        assert versions.get("m", 1) is None
    assert len(cards.lookups) == 1

    cards.cards["m", 1] = make_card()
    clock.now += RETRY_SECONDS + 1

    assert versions.get("m", 1).task == "binary"


def test_unknown_names_cause_few_lookups_and_little_memory(clock):
    cards = Cards()
    versions = VersionClasses(cards, clock)

    for number in range(100_000):
        versions.get(f"m{number}", number)

    assert len(cards.lookups) <= LOOKUPS_PER_SECOND
    clock.now += 10
    for number in range(3 * MAX_VERSIONS):
        clock.now += 0.1
        versions.get("m", number)
    assert len(versions._unknown) == MAX_VERSIONS


def test_known_versions_are_found_beside_unknown_ones(clock):
    cards = Cards(*(make_card(version=number) for number in range(1, 200)))
    versions = VersionClasses(cards, clock)

    found = [versions.get("m", number) for number in range(1, 200)]

    assert None not in found
    assert len({id(one) for one in found}) == 1


def test_the_number_of_known_versions_is_bounded():
    versions = VersionClasses()
    for number in range(1, MAX_VERSIONS + 100):
        versions.add(make_card(version=number))

    assert len(versions._known) == MAX_VERSIONS
    assert versions.get("m", 1) is None


def test_versions_are_alike_if_the_same_labels_mean_the_same_classes():
    def labels(task="binary", classes=()):
        return VersionLabels.of(make_card(task=task, classes=classes))

    assert labels().is_like(labels(classes=(0, 1)))
    assert labels(classes=(1, 2)).is_like(labels(classes=(1.0, 2.0)))
    assert not labels(classes=(1, 2)).is_like(labels(classes=(2, 1)))
    assert not labels(classes=(1, 2)).is_like(labels(classes=(1, 2, 3)))
    assert not labels(classes=("0", "1")).is_like(labels())
    assert not labels().is_like(labels("anomaly"))
