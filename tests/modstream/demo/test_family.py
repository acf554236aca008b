"""The first versions of the demo's candidates, and their aliases."""

import numpy as np
import pandas as pd
import pytest

from modstream.demo.family import BOOSTED, MEAN, ONCE, TrainingTable, build_boosted, seed_family
from modstream.demo.seed import CANDIDATE_PIPELINES
from modstream.models.examples.flights import FLIGHT_SCHEMA, flight_schema, online_pipeline
from modstream.models.runtimes.runtime import load
from modstream.models.schema.artifact import Artifact
from modstream.processors.learn.learner import Learner
from modstream.registry.access import open_registry
from modstream.services.candidates import resume
from modstream.settings import load_settings

NAMES = ("late_rate_all_1h", "departed_mean_all_1h")


@pytest.fixture(scope="module")
def table():
    """A few winter flights, made up; late ones follow late ones."""
    size = 240
    rng = np.random.default_rng(3)
    columns = {
        feature.name: ["A", "B"] * (size // 2) if feature.kind == "string"
        else [float(number % 11) for number in range(size)]
        for feature in FLIGHT_SCHEMA.features
    }  # fmt: skip
    rate = rng.random(size).astype(np.float32).astype(np.float64)
    late = pd.array(rate > 0.6, dtype="boolean")
    added = {
        NAMES[0]: np.where(np.arange(size) % 7, rate, np.nan),
        NAMES[1]: np.where(np.arange(size) % 3, 3.0, np.nan),
    }
    flights = pd.DataFrame({**columns, **added, "date": pd.Timestamp(2013, 2, 1), "late": late})
    return TrainingTable(flights, NAMES, NAMES[:1])


def test_boosting_uses_features_of_the_stream_and_answers_without_them(table):
    spec, content = build_boosted(table, lambda *_: None, BOOSTED, NAMES)
    artifact = Artifact(content)
    runtime = load(artifact, spec.make_card(1, artifact))
    own = {one.name: "A" if one.kind == "string" else 1.0 for one in FLIGHT_SCHEMA.features}

    rows = [{**own, NAMES[0]: 0.9}, {**own, NAMES[0]: 0.1}, own]
    parsed = spec.input_schema.parse_rows(rows)

    assert not parsed.errors
    late, punctual, unknown = runtime.predict(parsed.batch).tolist()
    assert late > 0.8
    assert punctual < 0.2
    assert 0 < unknown < 1


def test_models_that_learn_online_ignore_features_of_the_stream():
    rows = [{one.name: "A" if one.kind == "string" else 1.0 for one in FLIGHT_SCHEMA.features}]
    alone, beside = online_pipeline(), online_pipeline()

    for label in (True, False, True):
        alone.learn_one(rows[0], label)
        beside.learn_one({**rows[0], NAMES[0]: 0.7, NAMES[1]: None}, label)

    assert beside.predict_proba_one({**rows[0], NAMES[0]: 9.0}) == alone.predict_proba_one(rows[0])


@pytest.mark.real
def test_candidates_are_published_under_their_aliases_and_can_be_resumed(
    bootstrap, redis_url, prefix, tmp_path, table
):
    settings = load_settings(
        bootstrap=bootstrap, redis=redis_url, prefix=prefix, home=tmp_path, route=("online",),
        candidates=(*CANDIDATE_PIPELINES, BOOSTED, ONCE, MEAN),
        means={MEAN: {"parts": ("steady", BOOSTED)}},
    )  # fmt: skip
    with open_registry(settings) as registry:
        seed_family(settings, registry, table, lambda *_: None)

        assert registry.aliases("online") == {
            "champion": 4, "steady": 1, "quick": 2, "plain": 3, BOOSTED: 4, ONCE: 5
        }  # fmt: skip
        assert registry.card("online", BOOSTED).input_schema.names == flight_schema(NAMES).names
        assert registry.card("online", ONCE).input_schema.names == flight_schema(NAMES[:1]).names
        family = resume(settings, registry, "online")
    assert family.gate.champion == BOOSTED
    assert all(isinstance(one, Learner) for one in family.learners.values())
    assert set(family.frozen) == {BOOSTED, ONCE}
    assert set(family.means) == {MEAN}
