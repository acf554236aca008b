"""Hostile values, bytes and headers, and the mutation of documents."""

import gzip
import json
import random
from typing import Any

DEPTHS = (2, 60, 70, 500, 5_000)
HEADER_NAMES = (
    "deadline", "Deadline", "inference-header-content-length", "traceparent", "reply-to",
    "correlation-id", "ce_type", "ce_", "modstream-kind", "modstream-model",
    "modstream-redrive-of", "modstream-attempts", "modstream-original", "content-encoding",
    "__connect.errors.topic", "__connect.errors.exception.message", "x", "",
)  # fmt: skip
HEADER_VALUES = (
    None, b"", b"\xff", b"1", b"-1", b"4102444800000", b"1e3", b"9" * 401, b"0x10", b" 1",
    "\u0663".encode(), b"error", b"learning/1", b"learning", b"s.requests:0:0", b"x" * 20_000,
    b"\0",
)  # fmt: skip


class Raw(str):
    """A piece of JSON that is written as it is."""

    __slots__ = ()


def dump(document: Any) -> bytes:
    """Encode a document as JSON; unpaired surrogates and `Raw` parts are written as they are."""
    raw: list[str] = []

    def plain(value: Any) -> Any:
        if isinstance(value, Raw):
            raw.append(value)
            return f"<raw {len(raw) - 1}>"
        if isinstance(value, dict):
            return {name: plain(one) for name, one in value.items()}
        return [plain(one) for one in value] if isinstance(value, list) else value

    text = json.dumps(plain(document))
    for number, piece in enumerate(raw):
        text = text.replace(f'"<raw {number}>"', piece)
    return text.encode("utf-8", "surrogatepass")


def hostile_value(rng: random.Random) -> Any:
    """Return a value that some reader is not prepared for."""
    return rng.choice(_SCALARS + _CONTAINERS)(rng)


_SCALARS: list[Any] = [
    lambda _: None,
    lambda _: True,
    lambda _: "",
    lambda _: 0,
    lambda _: -1,
    lambda _: 3.0,
    lambda _: 2.7,
    lambda _: 2**63 - 1,
    lambda _: 2**63,
    lambda _: -(2**63) - 1,
    lambda _: 2**53 + 1,
    lambda _: 4294967297,
    lambda _: 1e308,
    lambda _: 5e-324,
    lambda _: 1e39,
    lambda _: Raw("1" + "0" * 400),
    lambda _: Raw("-" + "9" * 5000),
    lambda _: Raw("1e400"),
    lambda _: Raw("NaN"),
    lambda _: Raw("-Infinity"),
    lambda _: Raw("01"),
    lambda _: Raw('"\\ud800"'),
    lambda _: Raw('"\\u0000"'),
    lambda _: "\x07\x1b[2J",
    lambda _: "1.5",
    lambda _: "true",
    lambda _: "é\u202e",
    lambda _: 'a"b\\c',
    lambda _: "x" * 257,
    lambda _: "x" * 20_000,
    lambda rng: rng.uniform(-1e9, 1e9),
]
_CONTAINERS: list[Any] = [
    lambda _: [],
    lambda _: {},
    lambda _: [None],
    lambda _: [[]],
    lambda _: [1, [2, [3]]],
    lambda _: {"x0": {"x0": {}}},
    lambda _: {"names": ["a"], "data": [1, 2]},
    lambda _: {"names": ["x0"], "fp32": "AAAA"},
    lambda _: {"": 1},
    lambda _: {str(number): number for number in range(500)},
    lambda _: [""] * 5_000,
    lambda _: list(range(5_000)),
    lambda rng: Raw("[" * (depth := rng.choice(DEPTHS)) + "]" * depth),
    lambda rng: Raw('{"a":' * (depth := rng.choice(DEPTHS)) + "1" + "}" * depth),
]


def mutate(rng: random.Random, document: Any) -> Any:
    """Return a document with a hostile value, a missing or a renamed key at a random place."""
    if not isinstance(document, dict | list) or not document or rng.random() < 0.05:
        return hostile_value(rng)
    if isinstance(document, list):
        at = rng.randrange(len(document))
        changed = mutate(rng, document[at])
        choices = ([changed], [], [document[at]] * 3, [document[at], changed])
        return [*document[:at], *rng.choices(choices, (4, 1, 1, 1))[0], *document[at + 1 :]]
    name = rng.choice(list(document))
    action = rng.random()
    rest = {key: value for key, value in document.items() if key != name}
    if action < 0.15:
        return rest
    if action < 0.25:
        return {**rest, rng.choice(('q"', "\x01", "", "é", "x" * 300)): document[name]}
    if action < 0.35:
        return {**document, rng.choice(("extra", "model", "version", "inputs")): hostile_value(rng)}
    return {**document, name: mutate(rng, document[name])}


def hostile_bytes(rng: random.Random, value: bytes) -> bytes | None:
    """Return damaged bytes of a valid value, or none at all."""
    at = rng.randrange(len(value))
    flipped = bytes([value[at] ^ (1 << rng.randrange(8))])
    return rng.choice(
        (
            None,
            b"",
            value[:at],
            value[:at] + flipped + value[at + 1 :],
            value[:at] + rng.randbytes(4) + value[at:],
            value + b"}",
            value + value,
            b"\xef\xbb\xbf" + value,
            b" \n\t" * 100 + value,
            value.decode().encode("utf-16"),
            gzip.compress(value, mtime=0),
            rng.randbytes(rng.choice((1, 100, 5_000))),
            b"\0" * 1_000,
            b"[" * 100_000,
            b'{"id":"' + b"\xff" * 10 + b'"}',
        )
    )


def hostile_headers(rng: random.Random) -> tuple[tuple[str | bytes, bytes | None], ...]:
    """Return headers: names that are not UTF-8, values of other types, too many, too large."""
    count = rng.choices((1, 2, 5, 1_000), (6, 3, 2, 0.2))[0]
    found: list[tuple[str | bytes, bytes | None]] = [
        (rng.choice(HEADER_NAMES), rng.choice(HEADER_VALUES)) for _ in range(count)
    ]
    if rng.random() < 0.2:
        found.append((rng.choice((b"\xff\xfe", b"caf\xe9", b"\xed\xa0\x80")), b"1"))
    return tuple(found)
