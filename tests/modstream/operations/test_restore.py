"""What model-events tells of, held against a registry that has lost it."""

import pytest
import redis

from modstream.broker.wire.contracts import ModelEvent
from modstream.models.registry.backup import Cellar
from modstream.models.registry.connection import RegistrySettings
from modstream.models.registry.registry import Registry
from modstream.operations.restore import Fate, Finding, Restorer, Told, runs
from tests.models.constant_model import publish


class House:
    """A registry with a cellar, and the events of what was published in it."""

    def __init__(self, url, prefix, folder):
        self.url, self.prefix = url, prefix
        self.cellar = Cellar(folder)
        self.registry = Registry(url, RegistrySettings(prefix=prefix, keep=3, cellar=folder))
        self.events = []

    def publish(self, number, name="flights", alias="champion"):
        self.tell(publish(self.registry, number, name, alias), "publish", alias)

    def promote(self, version, alias):
        self.tell(self.registry.promote("flights", version, alias), "promote", alias)

    def tell(self, card, action, alias):
        self.events.append(
            ModelEvent(
                model=card.name,
                version=card.version,
                action=action,
                alias=alias,
                sha256=card.sha256,
                at=0,
            )
        )

    def lose_all(self):
        with redis.Redis.from_url(self.url) as client:
            client.delete(*client.keys(f"{self.prefix}:*"))

    def restore(self, *, dry_run=False):
        restorer = Restorer(self.registry, self.cellar, dry_run)
        return list(restorer.run(Told.of(self.events)))


@pytest.fixture
def house(redis_url, prefix, tmp_path):
    made = House(redis_url, prefix, tmp_path / "cellar")
    yield made
    made.registry.close()


def fates(found):
    return [(f.alias or f.version, f.fate.value) for f in found]


@pytest.mark.real
def test_a_whole_registry_is_there_but_for_what_retention_deleted(house):
    for number in range(1, 6):
        house.publish(number)

    assert fates(house.restore()) == [
        (1, "card only"),
        (2, "card only"),
        (3, "there"),
        (4, "there"),
        (5, "there"),
        ("champion", "there"),
    ]


@pytest.mark.real
def test_a_lost_registry_is_put_back_and_what_is_gone_is_told(house):
    house.publish(1, alias="frozen")
    for number in range(2, 6):
        house.publish(number)
    house.promote(4, "champion")
    house.publish(1, name="old", alias="champion")
    cards = {version: house.registry.card("flights", version) for version in (1, 3, 4, 5)}
    house.cellar.keep_only("old", set())
    house.lose_all()

    looked = house.restore(dry_run=True)
    assert house.registry.names() == []
    found = house.restore()

    put_back = [
        (1, "restored"),
        (2, "gone"),
        (3, "restored"),
        (4, "restored"),
        (5, "restored"),
        ("champion", "restored"),
        ("frozen", "restored"),
        (1, "gone"),
        ("champion", "gone"),
    ]
    assert fates(found) == put_back
    assert fates(looked) == [(of, fate.replace("restored", "restorable")) for of, fate in put_back]
    assert {v: house.registry.card("flights", v) for v in cards} == cards
    assert house.registry.aliases("flights") == {"champion": 4, "frozen": 1}
    assert house.registry.history("flights")[0].evidence == "restored from model-events"
    house.publish(6)
    house.publish(2, name="old")
    assert house.registry.newest("flights").version == 6
    assert house.registry.newest("old").version == 2, "the lost number is not given out again"
    again = fates(house.restore())
    assert again[:2] == [(1, "there"), (2, "gone")]
    assert {fate for _, fate in again}.isdisjoint({"restored", "another"})


@pytest.mark.real
def test_what_was_published_after_the_loss_stands_and_is_told(house):
    house.publish(1)
    house.lose_all()
    standing = publish(house.registry, 2)

    assert fates(house.restore()) == [(1, "another"), ("champion", "another")]
    assert house.registry.card("flights") == standing


@pytest.mark.real
def test_a_copy_of_another_version_is_not_put_back(house):
    house.publish(1)
    told, house.events = house.events, []
    house.lose_all()
    house.publish(2)
    house.lose_all()
    house.events = told

    assert fates(house.restore()) == [(1, "gone"), ("champion", "gone")]
    assert house.registry.names() == []


def test_neighbours_of_one_fate_are_told_together():
    found = [
        *(Finding("a", n, None, Fate.GONE) for n in range(1, 4)),
        Finding("a", 4, None, Fate.THERE),
        Finding("a", 4, "champion", Fate.THERE),
        Finding("b", 1, None, Fate.THERE),
        Finding("b", 1, "champion", Fate.THERE),
    ]

    told = runs(found)

    assert [(run.model, run.alias, run.first, run.last) for run in told] == [
        ("a", None, 1, 3),
        ("a", None, 4, 4),
        ("a", "champion", 4, 4),
        ("b", None, 1, 1),
        ("b", "champion", 1, 1),
    ]
