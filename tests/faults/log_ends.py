"""The last problems in the log of a process: of ours, which are JSON lines, or of Kafka."""

import re
from pathlib import Path

UNIMPORTANT = re.compile(r'"level": "(info|debug)"|^[^{]*\b(INFO|DEBUG)\b|^\s*(at |$)')
"""Matches lines of a low level, frames of Java's stack, and empty lines."""
MAX_CHARACTERS = 500


def last_problems(log: Path, count: int = 6) -> list[str]:
    """Return the last `count` lines of a level above INFO or without a level, and the last of all.

    The last of all shows when the process has still said something. Each line is cut.
    """
    lines = log.read_text(errors="replace").splitlines()
    kept = [at for at, line in enumerate(lines) if not UNIMPORTANT.search(line)][-count:]
    last = len(lines) - 1
    return [lines[at][:MAX_CHARACTERS] for at in dict.fromkeys([*kept, last]) if at >= 0]
