"""A published model predicts in the caller's own process, without Kafka."""

import math
import os
import subprocess
import sys
import time

import numpy as np
import pytest

from modstream.errors import InvalidValue
from modstream.local_model import load_model
from modstream.models.errors import UntrustedModel
from modstream.models.registry.errors import BackupMissing, ModelNotFound, RegistryUnavailable
from modstream.processors.errors import Refusal
from modstream.registry.access import open_registry
from modstream.settings import load_settings
from modstream.stack.signing_keys import ensure_home_key
from tests.models.constant_model import publish_constant

pytestmark = pytest.mark.real

NOWHERE = "redis://127.0.0.1:1/0"
TIMEOUT_SECONDS = 20.0
THREE_LINES = """
from modstream import load_model
with load_model("flights") as model:
    print(model.predict({"distance": 1.0}))
"""


@pytest.fixture
def settings(redis_url, prefix, tmp_path):
    key, public = ensure_home_key(tmp_path)
    return load_settings(
        bootstrap="127.0.0.1:1",
        redis=redis_url,
        prefix=prefix,
        home=tmp_path,
        signing_key=key,
        trusted_keys=(public,),
    )


@pytest.fixture
def registry(settings):
    """A registry whose version 1 of `flights`, the champion, always has the logit 1."""
    with open_registry(settings) as registry:
        publish_constant(registry, 1)
        yield registry


def logit(probability):
    return round(math.log(probability / (1 - probability)))


def test_three_lines_predict_in_a_fresh_process_without_kafka(settings, registry):
    variables = {
        "MODSTREAM_BOOTSTRAP": settings.bootstrap,
        "MODSTREAM_REDIS": settings.redis,
        "MODSTREAM_PREFIX": settings.prefix,
        "MODSTREAM_HOME": str(settings.home),
        "MODSTREAM_TRUSTED_KEYS": f'["{settings.trusted_keys[0]}"]',
    }

    done = subprocess.run(
        [sys.executable, "-c", THREE_LINES],
        env=os.environ | variables,
        cwd=settings.home,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS * 3,
        check=False,
    )

    assert done.stderr == ""
    assert "probability" in done.stdout
    assert "model='flights', version=1" in done.stdout


def test_one_row_and_several_have_the_outputs_of_a_worker(settings, registry):
    with load_model("flights", settings=settings) as model:
        one = model.predict({"distance": np.float32(3.5)})
        several = model.predict([{"distance": 1}, {"distance": np.int64(2)}])

    assert (one.model, one.version, logit(one.outputs["probability"])) == ("flights", 1, 1)
    assert [logit(row["probability"]) for row in several.outputs] == [1, 1]
    assert model.card.version == 1


@pytest.mark.parametrize(
    ("row", "code"),
    [({}, "missing_feature"), ({"distance": "far"}, "wrong_type")],
)
def test_a_row_that_the_model_cannot_take_is_refused_as_by_a_worker(settings, registry, row, code):
    with load_model("flights", settings=settings) as model, pytest.raises(Refusal) as refused:
        model.predict(row)

    assert refused.value.code == code


@pytest.mark.parametrize("rows", [[1.0], {"distance": [1.0]}, [], [{"distance": {}}]])
def test_what_is_no_row_is_refused_in_a_sentence(settings, registry, rows):
    with load_model("flights", settings=settings) as model, pytest.raises(InvalidValue):
        model.predict(rows)


def test_a_version_or_model_that_does_not_exist_is_named(settings, registry):
    with pytest.raises(ModelNotFound, match="9"):
        load_model("flights", 9, settings=settings)
    with pytest.raises(ModelNotFound, match="trains"):
        load_model("trains", settings=settings, follow=True)


def test_a_followed_model_serves_the_new_champion_and_a_fixed_one_does_not(settings, registry):
    with (
        load_model("flights", settings=settings, follow=True) as followed,
        load_model("flights", settings=settings) as fixed,
    ):
        publish_constant(registry, 2)
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while followed.card.version == 1 and time.monotonic() < deadline:
            time.sleep(0.02)
        new, old = (model.predict({"distance": 1.0}) for model in (followed, fixed))

    assert (new.version, logit(new.outputs["probability"])) == (2, 2)
    assert (old.version, logit(old.outputs["probability"])) == (1, 1)


def test_without_redis_a_version_is_loaded_from_the_backup(settings, registry):
    settings = settings.model_copy(update={"redis": NOWHERE})

    with load_model("flights", 1, settings=settings, offline=True) as model:
        prediction = model.predict({"distance": 1.0})

    assert (prediction.version, logit(prediction.outputs["probability"])) == (1, 1)
    with pytest.raises(RegistryUnavailable):
        load_model("flights", 1, settings=settings)
    with pytest.raises(BackupMissing, match=r"of its versions it has 1\. Aliases are not part"):
        load_model("flights", settings=settings, offline=True)
    with pytest.raises(InvalidValue, match="cannot follow"):
        load_model("flights", 1, settings=settings, offline=True, follow=True)


@pytest.mark.parametrize("options", [{}, {"follow": True}, {"offline": True}])
def test_a_version_that_no_trusted_key_has_signed_is_not_loaded(
    settings, registry, tmp_path, options
):
    _, stranger = ensure_home_key(tmp_path / "stranger")
    settings = settings.model_copy(update={"trusted_keys": (stranger,)})

    with pytest.raises(UntrustedModel):
        load_model("flights", 1, settings=settings, **options)
