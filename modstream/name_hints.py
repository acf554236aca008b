"""The end of a sentence about an unknown name: the nearest known names."""

from collections.abc import Iterable
from difflib import SequenceMatcher

MAX_NEAREST = 3
MAX_LISTED = 8
MIN_SIMILARITY = 0.6
"""Share of matching characters, 0 to 1, from which a known name is near."""
MAX_DISTANCE = 0.1
"""A name is near only if its similarity is at most this far below that of the nearest one."""


def nearest_names(name: str, known: Iterable[str]) -> list[str]:
    """Return the known names that resemble a name, the nearest first; case does not matter."""
    matcher = SequenceMatcher(None, b=name.casefold(), autojunk=False)
    scored = []
    for each in sorted(set(known)):
        matcher.set_seq1(each.casefold())
        if matcher.real_quick_ratio() >= MIN_SIMILARITY:
            scored.append((matcher.ratio(), each))
    scored.sort(key=lambda pair: -pair[0])
    limit = max(MIN_SIMILARITY, scored[0][0] - MAX_DISTANCE) if scored else 1.0
    return [each for score, each in scored[:MAX_NEAREST] if score >= limit]


def suggest_names(name: str, known: Iterable[str]) -> str:
    """Return which names are near an unknown one, or else which there are; "" if there are none."""
    names = sorted(set(known))
    if near := nearest_names(name, names):
        return f"did you mean {_join(near, 'or')}?"
    if not names:
        return ""
    verb = "is" if len(names) == 1 else "are"
    if len(names) <= MAX_LISTED:
        return f"known {verb} {_join(names, 'and')}"
    return f"known {verb} {', '.join(names[:MAX_LISTED])} and {len(names) - MAX_LISTED:,} more"


def _join(names: list[str], conjunction: str) -> str:
    *others, last = names
    return f"{', '.join(others)} {conjunction} {last}" if others else last
