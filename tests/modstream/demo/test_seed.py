"""The first versions of the demo's models, and their aliases."""

import pandas as pd
import pytest

from modstream.demo.seed import (
    BATCH_CANDIDATE,
    CANDIDATE_PIPELINES,
    flights_to_batch,
    seed_candidates,
)
from modstream.models.examples.flights import FLIGHT_SCHEMA, frozen_pipeline, online_pipeline
from modstream.models.importers.onnx_export import to_onnx
from modstream.models.runtimes.river.artifact import pack
from modstream.models.schema.version_spec import VersionSpec
from modstream.processors.learn.learner import Learner
from modstream.registry.access import open_registry
from modstream.services.candidates import resume
from modstream.settings import load_settings


@pytest.fixture
def flights():
    """A few winter flights, made up."""
    size = 120
    columns = {
        feature.name: ["A", "B"] * (size // 2) if feature.kind == "string"
        else [float(number % 11) for number in range(size)]
        for feature in FLIGHT_SCHEMA.features
    }  # fmt: skip
    late = pd.array([number % 3 == 0 for number in range(size)], dtype="boolean")
    return pd.DataFrame({**columns, "date": pd.Timestamp(2013, 2, 1), "late": late})


@pytest.mark.real
def test_candidates_are_published_under_their_aliases_and_can_be_resumed(
    bootstrap, redis_url, prefix, tmp_path, flights
):
    settings = load_settings(
        bootstrap=bootstrap, redis=redis_url, prefix=prefix, home=tmp_path, route=("online",),
        candidates=(*CANDIDATE_PIPELINES, BATCH_CANDIDATE),
    )  # fmt: skip
    frozen = frozen_pipeline().fit(flights[list(FLIGHT_SCHEMA.names)], flights["late"].astype(int))
    facts = {"task": "binary", "input_schema": FLIGHT_SCHEMA}
    with open_registry(settings) as registry:
        onnx = to_onnx(frozen, FLIGHT_SCHEMA, flights_to_batch(flights))
        registry.publish(VersionSpec(name="frozen", runtime="onnx", classes=(0, 1), **facts), onnx)
        river = VersionSpec(name="online", runtime="river", classes=(False, True), **facts)
        registry.publish(river, pack(online_pipeline()))

        seed_candidates(settings, registry, lambda: flights, lambda *_: None)
        seed_candidates(settings, registry, lambda: flights, lambda *_: None)

        assert registry.aliases("online") == {
            "champion": 1, "steady": 1, "quick": 2, "plain": 3, "batch": 4
        }  # fmt: skip
        family = resume(settings, registry, "online")
    assert family.gate.champion == "steady"
    assert all(isinstance(one, Learner) for one in family.learners.values())
    assert list(family.frozen) == ["batch"]
