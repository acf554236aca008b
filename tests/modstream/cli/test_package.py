"""What `modstream package` reads, and what it says about the package."""

from pathlib import Path

import pytest

from modstream.cli.package import _print, _read_version
from modstream.errors import RedisUnreachable
from modstream.models.errors import UntrustedModel
from modstream.models.registry.backup import ArtifactBackup
from modstream.models.schema.artifact import Artifact
from modstream.packaging.build import Package
from modstream.packaging.cold_start import ColdStart
from modstream.packaging.target import Target
from modstream.registry.backups import backup_folder
from modstream.settings import load_settings
from tests.models.constant_model import constant_artifact, constant_spec

ARTIFACT = Artifact(constant_artifact(1))
CARD = constant_spec("flights", 1).make_card(1, ARTIFACT)


@pytest.fixture
def settings(tmp_path):
    settings = load_settings(home=tmp_path, redis="redis://127.0.0.1:1/0", connect_timeout=0.2)
    ArtifactBackup(backup_folder(settings)).put(CARD, ARTIFACT)
    return settings


def test_a_version_that_has_a_backup_is_read_without_redis(settings):
    assert _read_version(settings, "flights", "1") == (CARD, ARTIFACT)


@pytest.mark.parametrize("version", ["2", "champion"])
def test_other_versions_and_aliases_need_redis(settings, version):
    with pytest.raises(RedisUnreachable):
        _read_version(settings, "flights", version)


def test_a_version_that_no_trusted_key_has_signed_is_not_packaged(settings):
    stranger = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="

    with pytest.raises(UntrustedModel):
        _read_version(settings.model_copy(update={"trusted_keys": (stranger,)}), "flights", "1")


def test_sizes_limit_and_cold_start_are_printed(capsys):
    built = Package(Path("f.zip"), {"onnxruntime": 72_000_000, "numpy": 8}, 60_000_000, "some")
    start = ColdStart(1.0, 0.5, 0.002, 0.001, 0.7, 161_000_000, (), {})

    _print(CARD, built, start, Target("arm64", (3, 13)))

    text = capsys.readouterr().out
    assert "f.zip: flights version 1, Python 3.13" in text
    assert "60.0 MB zipped, 72.0 MB unzipped of 262 MB that Lambda takes" in text
    assert "upload it by way of S3" in text
    assert "as many are as the limit allows" in text
    assert "cold start 1.50 s here (0.70 s of processor time)" in text
    assert "handler: lambda_function.lambda_handler" in text
