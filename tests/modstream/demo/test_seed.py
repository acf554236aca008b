"""The demo's family: what is published under which alias."""

import pandas as pd
import pytest

from modstream.demo.seed import BATCH, FAMILY, batch_of, seed_family
from modstream.models.examples.flights import FLIGHT_FEATURES, frozen_pipeline, online_pipeline
from modstream.models.importers.onnx_export import to_onnx
from modstream.models.runtimes.river.artifact import pack
from modstream.models.schema.version_spec import Draft
from modstream.processors.learn.learner import Learner
from modstream.registry.access import open_registry
from modstream.services.members import resume
from modstream.settings import load_settings


@pytest.fixture
def flights():
    """A few winter flights, made up."""
    size = 120
    columns = {
        feature.name: ["A", "B"] * (size // 2) if feature.kind == "string"
        else [float(number % 11) for number in range(size)]
        for feature in FLIGHT_FEATURES.features
    }  # fmt: skip
    late = pd.array([number % 3 == 0 for number in range(size)], dtype="boolean")
    return pd.DataFrame({**columns, "date": pd.Timestamp(2013, 2, 1), "late": late})


@pytest.mark.real
def test_members_are_published_under_their_aliases_and_can_be_resumed(
    bootstrap, redis_url, prefix, tmp_path, flights
):
    settings = load_settings(
        bootstrap=bootstrap, redis=redis_url, prefix=prefix, home=tmp_path, route=("online",),
        members=(*FAMILY, BATCH),
    )  # fmt: skip
    frozen = frozen_pipeline().fit(
        flights[list(FLIGHT_FEATURES.names)], flights["late"].astype(int)
    )
    facts = {"task": "binary", "input_schema": FLIGHT_FEATURES}
    with open_registry(settings) as registry:
        onnx = to_onnx(frozen, FLIGHT_FEATURES, batch_of(flights))
        registry.publish(Draft(name="frozen", runtime="onnx", classes=(0, 1), **facts), onnx)
        river = Draft(name="online", runtime="river", classes=(False, True), **facts)
        registry.publish(river, pack(online_pipeline()))

        seed_family(settings, registry, lambda: flights, lambda *_: None)
        seed_family(settings, registry, lambda: flights, lambda *_: None)

        assert registry.aliases("online") == {
            "champion": 1, "steady": 1, "quick": 2, "plain": 3, "batch": 4
        }  # fmt: skip
        family = resume(settings, registry, "online")
    assert family.gate.champion == "steady"
    assert all(isinstance(one, Learner) for one in family.learners.values())
    assert list(family.stills) == ["batch"]
