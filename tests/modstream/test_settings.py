"""The settings' sources and their order."""

import os
from pathlib import Path

import pytest

from modstream.errors import InvalidSettings, UnknownName
from modstream.running_stack import lock_home, read_running_stack
from modstream.settings import advertise_stack, load_settings, uses_external_kafka


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    """An empty working directory, with a home directory of its own and no other settings."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("MODSTREAM_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MODSTREAM_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_an_option_precedes_the_environment_which_precedes_the_file(monkeypatch):
    Path("modstream.toml").write_text('stream = "file"\npartitions = 7\n[batch]\nmax_records = 5\n')
    monkeypatch.setenv("MODSTREAM_STREAM", "environment")
    monkeypatch.setenv("MODSTREAM_GATE__COOLDOWN", "11")

    settings = load_settings(stream="option", prefix=None)

    assert settings.stream == "option"
    assert load_settings().stream == "environment"
    assert (settings.partitions, settings.batch.max_records, settings.prefix) == (7, 5, "")
    assert settings.gate.cooldown == 11


def test_other_commands_find_every_setting_of_the_running_stack():
    stack = load_settings(
        bootstrap="localhost:1",
        redis="redis://localhost:2/0",
        stream="iris",
        route=("a", "b"),
        backup_dir=Path("backup").absolute(),
        signing_key=Path("key").absolute(),
        trusted_keys=("k",),
    )
    with lock_home(stack.home) as lock, advertise_stack(stack, lock):
        found = load_settings()
        assert not uses_external_kafka(found)
        for name in read_running_stack(stack.home):
            assert getattr(found, name) == getattr(stack, name)

    assert read_running_stack(stack.home) == {}
    assert load_settings().bootstrap == "localhost:9092"


def test_the_files_of_a_stack_are_found_from_any_directory(home, monkeypatch):
    stack = load_settings(signing_key=Path("keys/signing.key"))
    with lock_home(stack.home) as lock, advertise_stack(stack, lock):
        before = Path.cwd()
        monkeypatch.chdir("/")

        assert load_settings().signing_key == before / "keys" / "signing.key"


def test_an_invalid_setting_is_named_with_the_reason():
    with pytest.raises(InvalidSettings, match=r"partitions: .*; stall_timeout: .*correct the opt"):
        load_settings(partitions="many", stall_timeout=0)


@pytest.mark.parametrize(
    ("variable", "sentence"),
    [
        ("MODSTREAM_STREM", "setting MODSTREAM_STREM: did you mean MODSTREAM_STREAM?"),
        ("modstream_strem", "setting modstream_strem: did you mean MODSTREAM_STREAM?"),
        (
            "MODSTREAM_BATCH__MAX_RECORD",
            "setting MODSTREAM_BATCH__MAX_RECORD: did you mean MODSTREAM_BATCH__MAX_RECORDS?",
        ),
        (
            "MODSTREAM_LEARN__GARD__MAX_LOSS",
            "did you mean MODSTREAM_LEARN__GUARD__MAX_LOSS?",
        ),
        ("MODSTREAM_XYZZY", "unknown setting MODSTREAM_XYZZY; `modstream config --reference`"),
    ],
)
def test_an_unknown_variable_is_refused_with_the_nearest_setting(monkeypatch, variable, sentence):
    monkeypatch.setenv(variable, "1")

    with pytest.raises(UnknownName) as caught:
        load_settings()

    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('strem = "a"\n', "unknown setting strem: did you mean stream?"),
        ("[batch]\nmax_record = 1\n", "batch.max_record: did you mean batch.max_records?"),
        ("[learn.guard]\nmax_lss = 1\n", "learn.guard.max_lss: did you mean learn.guard.max_loss?"),
    ],
)
def test_an_unknown_name_in_the_file_is_refused_with_the_nearest_setting(text, sentence):
    Path("modstream.toml").write_text(text)

    with pytest.raises(UnknownName) as caught:
        load_settings()

    assert sentence in str(caught.value)


def test_variables_of_kubernetes_services_and_options_of_librdkafka_are_no_unknown_settings(
    monkeypatch,
):
    for name in ("PORT", "PORT_9092_TCP", "PORT_9092_TCP_ADDR", "WORKER_SERVICE_HOST"):
        monkeypatch.setenv(f"MODSTREAM_{name}", "tcp://10.0.0.1:9092")
    monkeypatch.setenv("MODSTREAM_KAFKA__SECURITY.PROTOCOL", "SSL")

    assert load_settings().kafka == {"security.protocol": "SSL"}


def test_a_list_in_a_group_is_json_in_the_environment(monkeypatch):
    monkeypatch.setenv("MODSTREAM_INFERENCE_LOG__REDACT", '["name", "iban"]')
    monkeypatch.setenv("MODSTREAM_INFERENCE_LOG__SAMPLE", "0.5")

    found = load_settings().inference_log

    assert found.redact == ("name", "iban")
    assert found.sample == 0.5


def test_a_list_in_a_group_that_is_not_json_is_refused(monkeypatch):
    monkeypatch.setenv("MODSTREAM_INFERENCE_LOG__REDACT", "name")

    with pytest.raises(InvalidSettings, match=r"inference_log\.redact"):
        load_settings()


@pytest.mark.parametrize(
    "settings",
    [
        {"inference_log": {"features": True}, "record_features": False},
        {"inference_log": {"sample": 1.5}},
        {"inference_log": {"retention_days": -1}},
    ],
)
def test_a_log_that_cannot_be_written_is_refused(settings):
    with pytest.raises(InvalidSettings):
        load_settings(**settings)


def test_the_topic_of_the_log_is_created_only_if_it_is_enabled():
    names = {spec.name for spec in load_settings().topic_specs()}
    enabled = load_settings(inference_log={"enabled": True, "retention_days": 3})

    (added,) = [spec for spec in enabled.topic_specs() if spec.name not in names]

    assert added.name == enabled.topics().inferences
    assert added.config["retention.ms"] == str(3 * 24 * 3600 * 1000)
