"""A family of candidates on one stream, with features of the stream.

An online model, a boosted one that is refitted, and the mean of both, which the gate promotes.
"""

from collections.abc import Sequence
from time import monotonic, sleep

import numpy as np
import pandas as pd
import pytest
from river import compose, linear_model
from sklearn.ensemble import HistGradientBoostingClassifier

from modstream.broker.wire.contracts import Prediction
from modstream.models.importers.onnx_export import to_onnx
from modstream.models.registry.refs import CHAMPION
from modstream.models.runtimes.mean.artifact import unpack
from modstream.models.runtimes.river.artifact import pack
from modstream.models.runtimes.runtime import load
from modstream.models.schema.artifact import Artifact
from modstream.models.schema.card import ModelCard
from modstream.models.schema.input_schema import Feature, InputSchema
from modstream.models.schema.version_spec import VersionSpec
from modstream.models.training.settings import TrainSettings
from modstream.processors.learn.settings import MeanSettings
from modstream.processors.promote.settings import GateSettings
from modstream.services.candidates import candidate_note
from tests.journeys.conftest import TIMEOUT_SECONDS, System, open_system, with_route
from tests.modstream.features.waiting import wait_until_counted

pytestmark = [pytest.mark.real, pytest.mark.journey]

MODEL = "delay"
ONLINE, BOOSTED, MEAN = "online", "boosted", "mean"
START, MINUTE = 1_700_000_000_000, 60_000
DEFINITIONS = """
[[features]]
name = "late_rate"
source = "labels"
group = ["airport"]
window = "24h"
aggregate = "rate"
value = "label"
smoothing = 1
prior = 0.5

[[features]]
name = "landed"
source = "labels"
group = ["airport"]
window = "24h"
aggregate = "mean"
value = "label"
"""
SCHEMA = InputSchema(
    features=(
        Feature(name="airport", kind="float"),
        Feature(name="x", kind="float"),
        Feature(name="late_rate", kind="float", missing=True),
        Feature(name="landed", kind="float", missing=True),
    )
)
CHUNK = 50


def draw(size: int, seed: int) -> pd.DataFrame:
    """Return rows whose label follows x and the airport, which only past labels tell apart."""
    rng = np.random.default_rng(seed)
    airport, x = rng.integers(3, size=size), rng.normal(size=size)
    log_odds = 2.5 * x + 2.4 * (airport - 1)
    late = rng.random(size) < 1 / (1 + np.exp(-log_odds))
    return pd.DataFrame({"airport": airport.astype(float), "x": x, "late": late})


def online_model() -> bytes:
    """Return a River model that has learned x, the only feature that it selects."""
    model = compose.Select("x") | linear_model.LogisticRegression()
    for row in draw(3000, seed=1).itertuples():
        model.learn_one({"airport": row.airport, "x": row.x}, bool(row.late))
    return pack(model)


def boosted_model() -> bytes:
    """Return boosting that has learned late rates, some of them missing, and nothing about x."""
    rows, rng = draw(3000, seed=2), np.random.default_rng(3)
    rate = rows.groupby("airport")["late"].transform("mean")
    matrix = np.column_stack(
        [np.zeros(3000), np.zeros(3000), rate, np.where(rng.random(3000) < 0.3, np.nan, rate)]
    )
    model = HistGradientBoostingClassifier(max_iter=20, random_state=0).fit(matrix, rows["late"])
    golden = SCHEMA.parse_rows([dict(zip(SCHEMA.names, row, strict=True)) for row in matrix[:50]])
    return to_onnx(model, SCHEMA, golden.batch)


def publish(system: System) -> None:
    with system.registry() as registry:
        for alias, runtime, content in (
            (ONLINE, "river", online_model()),
            (BOOSTED, "onnx", boosted_model()),
        ):
            spec = VersionSpec(
                name=MODEL, runtime=runtime, task="binary", classes=(False, True),
                input_schema=SCHEMA,
            )  # fmt: skip
            registry.publish(spec, content, alias=alias)
        registry.promote(MODEL, 1, CHAMPION)


@pytest.fixture
def system(bootstrap, redis_url, prefix, tmp_path):
    with open_system(bootstrap, redis_url, prefix, tmp_path) as opened:
        found = with_route(opened, MODEL)
        changes = {
            "candidates": (ONLINE, BOOSTED, MEAN),
            "means": {MEAN: MeanSettings((ONLINE, BOOSTED), min_interval_seconds=0.5)},
            "gate": GateSettings(loss="score", min_comparisons=100, stable_after=10_000),
            "train": TrainSettings(
                trials=1, folds=2, bootstrap_samples=20, fit_all=True, compare_champion=False
            ),
        }
        found.settings = found.settings.model_copy(update=changes)
        found.create_topics()
        publish(found)
        (tmp_path / "features.toml").write_text(DEFINITIONS)
        done = found.run("features", "publish", "features.toml")
        assert done.returncode == 0, done.stderr
        for name in ("worker", "joiner", "aggregator"):
            found.start(name, name)
        found.start("learner", "learner", "--model", MODEL)
        found.wait_for_worker()
        yield found


class Traffic:
    """Requests a minute of event time apart, and their labels."""

    def __init__(self, system: System) -> None:
        self.client = system.client()
        self.rows = draw(50_000, seed=4)
        self.sent = 0

    def send(self, count: int) -> Sequence[Prediction]:
        """Ask for rows, send the label of each, and return the answers."""
        part = self.rows.iloc[self.sent : self.sent + count]
        asked = [
            self.client.send({"airport": row.airport, "x": row.x}, event_time=self._time(row.Index))
            for row in part.itertuples()
        ]
        answers = [self.client.wait(one, TIMEOUT_SECONDS) for one in asked]
        for one, row in zip(asked, part.itertuples(), strict=True):
            self.client.label(one, bool(row.late), event_time=self._time(row.Index) + MINUTE)
        self.sent += count
        return answers

    def _time(self, number: int) -> int:
        return START + number * MINUTE


def wait_for_champion(system, traffic, is_wanted) -> ModelCard:
    """Send rows until the champion is as wanted; return its card."""
    deadline = monotonic() + TIMEOUT_SECONDS
    with system.registry() as registry:
        while not is_wanted(card := registry.card(MODEL)):
            assert monotonic() < deadline, f"{card.note}\n{system.log('learner')[-3000:]}"
            traffic.send(CHUNK)
            sleep(0.2)
        return card


def answers_of(system, traffic, wanted) -> Sequence[Prediction]:
    """Send rows until all answers are of wanted versions; return the last ones."""
    deadline = monotonic() + TIMEOUT_SECONDS
    while True:
        answers = traffic.send(CHUNK)
        with system.registry() as registry:
            cards = {one.version: registry.card(MODEL, one.version) for one in answers}
        if all(map(wanted, cards.values())):
            return answers
        assert monotonic() < deadline, [card.note for card in cards.values()]


def check_answers(system, answers) -> None:
    """Compare answers of means with what the artifacts of their parts say, recomputed by numpy."""
    for version in {one.version for one in answers}:
        own = [one for one in answers if one.version == version]
        batch = SCHEMA.parse_rows([one.features for one in own]).batch
        with system.registry() as registry:
            card = registry.card(MODEL, version)
            parts = unpack(registry.artifact(card).content)
            cards = [registry.card(MODEL, part.card.version) for part in parts]
        assert [part.card.sha256 for part in parts] == [one.sha256 for one in cards]
        outputs = [
            load(Artifact(part.content), part_card).predict(batch)
            for part, part_card in zip(parts, cards, strict=True)
        ]
        log_odds = np.mean([np.log(one / (1 - one)) for one in outputs], axis=0)
        found = [one.outputs["probability"] for one in own]
        np.testing.assert_allclose(found, 1 / (1 + np.exp(-log_odds)), rtol=1e-6)


def is_mean(card: ModelCard) -> bool:
    return card.note == candidate_note(MEAN)


def version_of(card: ModelCard, candidate: str) -> int:
    return next(part.version for part in card.parts if part.candidate == candidate)


def test_the_mean_of_an_online_and_a_boosted_model_is_promoted_and_follows_both(system):
    traffic = Traffic(system)
    first = traffic.send(1)[0]
    assert first.version == 1
    assert set(first.features) == set(SCHEMA.names)  # recorded, though the River model uses x only
    traffic.send(3 * CHUNK)
    wait_until_counted(system)

    champion = wait_for_champion(system, traffic, is_mean)
    answers = answers_of(system, traffic, is_mean)

    assert all(one.version >= champion.version for one in answers)
    rates = {one.features["late_rate"] for one in answers}
    assert len(rates) > 2
    assert 0.1 < min(rates) < 0.4
    assert 0.6 < max(rates) < 0.9
    check_answers(system, answers)

    system.supervisor.kill("learner")
    done = system.run("train", MODEL, "--alias", BOOSTED, "--json")
    assert done.returncode == 0, done.stderr
    with system.registry() as registry:
        refitted = registry.card(MODEL, BOOSTED)
    assert refitted.version > champion.version
    assert refitted.input_schema.names == SCHEMA.names

    def follows(card: ModelCard) -> bool:
        return is_mean(card) and version_of(card, BOOSTED) == refitted.version

    wait_for_champion(system, traffic, follows)
    check_answers(system, answers_of(system, traffic, follows))
    with system.registry() as registry:
        versions = registry.versions(MODEL)
        means = [tuple(part.version for part in card.parts) for card in versions if card.parts]
        assert len(means) == len(set(means))  # no two versions have the same parts
        online = [card for card in versions if card.note == candidate_note(ONLINE)]
        assert online[-1].metrics["learned"] > 400
