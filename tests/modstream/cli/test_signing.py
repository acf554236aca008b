"""`modstream models generate-key` and `sign`, with a real Redis."""

import json
from functools import partial

import pytest

from modstream.errors import InvalidSettings
from modstream.models.security.signing import SigningKey
from modstream.registry.access import open_registry
from modstream.registry.trust import load_trust, trusted_keys
from modstream.settings import load_settings
from tests.models.constant_model import publish_constant


@pytest.fixture
def run(run_command):
    """Run a command of `modstream models`."""
    return partial(run_command, "models")


def test_a_generated_key_is_readable_by_its_owner_and_only_its_public_key_is_printed(run, tmp_path):
    path = tmp_path / "keys" / "publisher.key"

    code, printed, _ = run("generate-key", str(path))

    assert code == 0
    assert path.stat().st_mode & 0o777 == 0o600
    assert printed.strip() == SigningKey.load(path).public_key
    assert path.read_text().strip() not in printed
    assert run("generate-key", str(path))[0] == 2


@pytest.mark.parametrize(
    ("content", "part"), [(None, "No such file"), ("\n", "has no key"), (b"\xff", "not a text")]
)
def test_an_unusable_file_of_trusted_keys_does_not_switch_the_check_off(tmp_path, content, part):
    path = tmp_path / "trusted"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())

    with pytest.raises(InvalidSettings, match=part):
        load_trust(load_settings(trusted_keys_file=path))


def test_keys_of_the_file_and_of_the_setting_are_trusted(tmp_path):
    one, two = SigningKey.generate().public_key, SigningKey.generate().public_key
    path = tmp_path / "trusted"
    path.write_text(f"{two}\n")

    assert trusted_keys(load_settings(trusted_keys=[one], trusted_keys_file=path)) == (one, two)


@pytest.mark.parametrize(
    ("setting", "value"), [("trusted_keys", ["AAAA"]), ("signing_key", "/nowhere/x.key")]
)
def test_a_wrong_key_is_a_wrong_setting(setting, value):
    with pytest.raises(InvalidSettings, match=setting):
        open_registry(load_settings(**{setting: value}))


@pytest.mark.real
def test_a_key_is_replaced_without_an_unsigned_moment(
    run, monkeypatch, redis_url, prefix, tmp_path
):
    old, new = SigningKey.generate(), SigningKey.generate()
    old.save(tmp_path / "old.key")
    new.save(tmp_path / "new.key")
    monkeypatch.setenv("MODSTREAM_REDIS", redis_url)
    monkeypatch.setenv("MODSTREAM_PREFIX", prefix)
    monkeypatch.setenv("MODSTREAM_HOME", str(tmp_path / "home"))

    def use(key, *trusted):
        monkeypatch.setenv("MODSTREAM_SIGNING_KEY", str(tmp_path / f"{key}.key"))
        keys = json.dumps([one.public_key for one in trusted])
        monkeypatch.setenv("MODSTREAM_TRUSTED_KEYS", keys)

    use("old", old)
    with open_registry(load_settings()) as registry:
        publish_constant(registry, 1)
    use("new", new)
    code, printed, error = run("sign", "--json")
    assert (code, json.loads(printed)[0]["not trusted"]) == (0, "1")
    assert "--adopt" in error

    use("new", old, new)
    assert json.loads(run("sign", "--json")[1])[0]["signed aliases"] == "champion: 1"

    use("new", new)
    settings = load_settings()
    with open_registry(settings) as registry:
        load_trust(settings).verify(registry.card("flights"))
    assert run("sign", "flihgts")[0] == 1
