"""The search for texts in the bytes of files, such as those of Kafka and Redis.

Texts are found as UTF-8 and as JSON writes them, in any case of ASCII letters; what is compressed
or encrypted is not found.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

CHUNK_BYTES = 1 << 20


def count_in_bytes(root: Path, texts: Iterable[str]) -> dict[Path, int]:
    """Return how often texts occur in each file below a folder in which they do."""
    forms = {form for text in texts for form in (text.encode(), json.dumps(text)[1:-1].encode())}
    wanted = sorted({form.lower() for form in forms})
    found = {path: _count(path, wanted) for path in sorted(root.rglob("*"))} if wanted else {}
    return {path: count for path, count in found.items() if count}


def _count(path: Path, wanted: Sequence[bytes]) -> int:
    """Count texts in a file; there are none in a folder, a socket, or a file that is gone."""
    try:
        if not path.is_file():
            return 0
        with path.open("rb") as file:
            return sum(_count_in(chunk, wanted) for chunk in _chunks(file, max(map(len, wanted))))
    except FileNotFoundError:
        return 0


def _chunks(file: BinaryIO, longest: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield the parts of a file, each with the end of the part before it."""
    end = b""
    while part := file.read(CHUNK_BYTES):
        # Most bytes of Kafka's indexes are zeros that were allocated ahead.
        if part.count(0) < len(part):
            yield end, part.lower()
        end = part[-longest:].lower()


def _count_in(chunk: tuple[bytes, bytes], wanted: Sequence[bytes]) -> int:
    """Count texts that end in a part; of those that begin before it, too."""
    end, part = chunk
    return sum(((end[1 - len(one) :] if len(one) > 1 else b"") + part).count(one) for one in wanted)
