"""Build the cache of Kafka's classes, which makes its starts faster; see `class_cache`.

A node is started and stopped once in a temporary folder, and Java writes what it has loaded. The
command is `python -m modstream.stack.embedded.build_class_cache`; it takes about 10 s.
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from modstream.errors import StackError
from modstream.stack.embedded.class_cache import class_cache_path
from modstream.stack.embedded.jars import find_jars
from modstream.stack.embedded.kafka import JVM_OPTIONS, EmbeddedKafka
from modstream.stack.embedded.server import EmbeddedServer

WRITE_TIMEOUT_S = 120.0


def build_class_cache() -> Path:
    """Build the cache if it is missing, and return its path.

    Raises:
        StackError: Kafka's jars are not available, or the node does not start.
        OSError: the cache cannot be written.
    """
    path = class_cache_path(find_jars(), JVM_OPTIONS)
    if not path.exists():
        # In the folder of the cache, so that the complete file is moved there in one step.
        with TemporaryDirectory(prefix="modstream-", dir=path.parent) as folder:
            written = Path(folder, path.name)
            options = (f"-XX:AOTCacheOutput={written}",)
            node = EmbeddedKafka(Path(folder, "kafka"), broker_options=options)
            with EmbeddedServer(node) as server:
                server.stop(WRITE_TIMEOUT_S)
            written.replace(path)
    return path


def main() -> None:
    """Build the cache; without one, Kafka only starts more slowly, so a failure is no error."""
    try:
        build_class_cache()
    except (StackError, OSError) as error:
        sys.stderr.write(f"the cache of Kafka's classes was not built: {error}\n")


if __name__ == "__main__":
    main()
