import numpy as np
import pytest
from river import linear_model

from modstream.models.errors import WarmUpFailed
from modstream.models.runtimes.river.runtime import RiverRuntime
from modstream.models.schema.artifact import Artifact
from modstream.models.schema.columns import FeatureKind
from modstream.models.schema.input_schema import Feature, InputSchema
from modstream.models.schema.version_spec import VersionSpec
from modstream.models.serving.loader import warm_up


def card_of(kind: FeatureKind):
    spec = VersionSpec(
        name="flights",
        runtime="river",
        task="binary",
        classes=(False, True),
        input_schema=InputSchema(features=(Feature(name="x", kind=kind),)),
    )
    return spec.make_card(3, Artifact(b""))


def test_warm_up_does_not_change_a_model():
    card = card_of("float")
    runtime = RiverRuntime(linear_model.LogisticRegression(intercept_init=1.0), card)
    before = runtime.snapshot()

    warm_up(runtime, card, rows=8)

    assert runtime.snapshot() == before


@pytest.mark.parametrize(
    ("kind", "intercept", "reason"),
    [
        ("float", np.nan, "flights version 3 fails its warm-up: its output is NaN"),
        ("string", 0.0, "could not predict: TypeError"),
    ],
)
def test_a_model_that_fails_on_its_own_schema_is_rejected(kind, intercept, reason):
    card = card_of(kind)
    model = linear_model.LogisticRegression(intercept_init=intercept)

    with pytest.raises(WarmUpFailed, match=reason):
        warm_up(RiverRuntime(model, card), card, rows=8)
