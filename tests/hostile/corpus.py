"""A corpus of hostile records: structure-aware mutations of valid ones, from a seed.

Most records are a valid request, label or feedback record with one thing wrong: a value, a key, a
header, its bytes. Among them are valid requests whose answers must not change. The same seed gives
the same corpus, so that its sender and its audit need not share it.
"""

import random
import struct
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from tests.hostile.values import Raw, dump, hostile_bytes, hostile_headers, hostile_value, mutate

Headers = tuple[tuple[str | bytes, bytes | None], ...]

FEATURES = ("x0", "x1", "x2")
STATIC_MODEL = "static"
"""A model that never changes: its answers to valid requests are compared with the library's."""
LEARNING_MODEL = "learning"
"""The primary model, which learns from the stream's own hostile labels."""


class HostileRecord(NamedTuple):
    """A record of the corpus; `kind` names what is wrong with it, "valid" if nothing is.

    A header name of type `bytes` is sent as it is, although it may not be UTF-8. `row` is what a
    valid request to the static model asks.
    """

    topic: str
    kind: str
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    id: str | None = None
    row: tuple[float, ...] | None = None


class Rng(random.Random):
    """Random numbers of a seed, and the event time `now`."""

    def __init__(self, seed: int, now: int) -> None:
        super().__init__(seed)
        self.now = now


def corpus(seed: int, count: int, now: int) -> Iterator[HostileRecord]:
    """Yield `count` records of all kinds; the first ones are of every kind, one after the other.

    `now` is the event time of valid labels and feedback, in ms since the epoch.
    """
    rng = Rng(seed, now)
    kinds = list(KINDS)
    labelled: list[str] = []
    for number in range(count):
        name = kinds[number] if number < len(kinds) else rng.choices(kinds, WEIGHTS)[0]
        record = KINDS[name](rng, f"{seed}-{number}", labelled)
        if record.topic == "requests" and record.kind == "valid, learning":
            labelled.append(record.id or "")
        yield record


def request(rng: Rng, request_id: str, **more: Any) -> dict[str, Any]:
    """Return a valid request with one row by name."""
    row = {name: round(rng.uniform(-3, 3), 3) for name in FEATURES}
    return {"id": request_id, "features": row, **more}


def tensors(rng: Rng, request_id: str, **more: Any) -> dict[str, Any]:
    """Return a valid request with one row as a tensor."""
    data = [round(rng.uniform(-3, 3), 3) for _ in FEATURES]
    tensor = {"name": "X", "shape": [1, len(FEATURES)], "datatype": "FP32", "data": data}
    return {"id": request_id, "inputs": [tensor], **more}


def label(rng: Rng, request_id: str) -> dict[str, Any]:
    """Return a valid label."""
    return {"id": request_id, "label": rng.random() < 0.5, "event_time": rng.now}


def feedback(rng: Rng, request_id: str) -> dict[str, Any]:
    """Return a valid feedback record."""
    scored = {"model": LEARNING_MODEL, "version": 1, "outputs": {"probability": rng.random()}}
    features = request(rng, request_id)["features"]
    return {
        "id": request_id, "label": rng.random() < 0.5, "features": features,
        "predictions": [scored], "event_time": rng.now, "label_time": rng.now + 1000,
    }  # fmt: skip


Labelled = list[str]
Maker = Callable[[Rng, str, Labelled], HostileRecord]


def _valid_static(rng: Rng, name: str, _: Labelled) -> HostileRecord:
    document = request(rng, name, model=STATIC_MODEL)
    row = tuple(document["features"].values())
    return HostileRecord("requests", "valid", name.encode(), dump(document), id=name, row=row)


def _valid_tensors(rng: Rng, name: str, _: Labelled) -> HostileRecord:
    document = tensors(rng, name, model=STATIC_MODEL)
    row = tuple(document["inputs"][0]["data"])
    return HostileRecord("requests", "valid", name.encode(), dump(document), id=name, row=row)


def _valid_learning(rng: Rng, name: str, _: Labelled) -> HostileRecord:
    return HostileRecord(
        "requests", "valid, learning", name.encode(), dump(request(rng, name)), id=name
    )


def _valid_label(rng: Rng, name: str, labelled: Labelled) -> HostileRecord:
    target = labelled.pop(0) if labelled else name
    return HostileRecord("labels", "valid", target.encode(), dump(label(rng, target)), id=target)


def _json(topic: str, make: Callable[[Rng, str], dict[str, Any]]) -> Maker:
    """Return the maker of documents with one or two mutations anywhere."""

    def record(rng: Rng, name: str, _: Labelled) -> HostileRecord:
        document: Any = make(rng, name)
        if topic == "requests" and rng.random() < 0.3:
            document["model"] = STATIC_MODEL
        for _ in range(rng.choice((1, 1, 2))):
            document = mutate(rng, document)
        return HostileRecord(topic, "json", name.encode(), dump(document))

    return record


def _fields(topic: str, make: Callable[[Rng, str], dict[str, Any]]) -> Maker:
    """Return the maker of documents with a hostile value in one top-level field."""

    def record(rng: Rng, name: str, _: Labelled) -> HostileRecord:
        document = make(rng, name)
        fields = [*document, "model", "version", "event_time", "revision", "row", "revises"]
        document[rng.choice(fields)] = hostile_value(rng)
        return HostileRecord(topic, "field", name.encode(), dump(document))

    return record


def _repeated_keys(rng: Rng, name: str, _: Labelled) -> HostileRecord:
    value = dump(request(rng, name))
    repeated = b'{"id":%b,%b' % (dump(rng.choice((name, "other", 7))), value[1:])
    return HostileRecord("requests", "repeated key", name.encode(), repeated)


def _bytes(topic: str, make: Callable[[Rng, str], dict[str, Any]]) -> Maker:
    def record(rng: Rng, name: str, _: Labelled) -> HostileRecord:
        return HostileRecord(
            topic, "bytes", name.encode(), hostile_bytes(rng, dump(make(rng, name)))
        )

    return record


def _headers(topic: str, make: Callable[[Rng, str], dict[str, Any]]) -> Maker:
    def record(rng: Rng, name: str, _: Labelled) -> HostileRecord:
        value = dump(make(rng, name))
        return HostileRecord(topic, "headers", name.encode(), value, hostile_headers(rng))

    return record


def _keys(topic: str, make: Callable[[Rng, str], dict[str, Any]]) -> Maker:
    def record(rng: Rng, name: str, _: Labelled) -> HostileRecord:
        key = rng.choice((None, b"", b"\xff\xfe\x00", rng.randbytes(64), b"k" * 20_000))
        return HostileRecord(topic, "key", key, dump(make(rng, name)))

    return record


def _binary(rng: Rng, name: str, _: Labelled) -> HostileRecord:
    document = tensors(rng, name)
    tensor = document["inputs"][0]
    raw = struct.pack(f"<{len(FEATURES)}f", *tensor.pop("data"))
    tensor["parameters"] = {"binary_data_size": len(raw)}
    if rng.random() < 0.4:
        document = mutate(rng, document)
    head = dump(document)
    length: Any = len(head)
    if rng.random() < 0.4:
        length = rng.choice((0, -1, length + 1, length - 1, 10**400, "1e2", "", " 7", "\u0667"))
    if rng.random() < 0.4:
        raw = rng.choice(
            (b"", raw[:-1], raw + b"\0", b"\xff" * len(raw), b"\x7f\xc0\0\0" * 3, raw * 999)
        )
    headers: Headers = (("inference-header-content-length", str(length).encode()),)
    return HostileRecord("requests", "binary", name.encode(), head + raw, headers)


def _many_rows(rng: Rng, name: str, _: Labelled) -> HostileRecord:
    rows = [request(rng, name)["features"] for _ in range(rng.choice((1, 2, 50, 2000)))]
    if rng.random() < 0.5:
        rows[rng.randrange(len(rows))] = mutate(rng, rows[0])
    document = {"id": name, "features": rows, "model": rng.choice((STATIC_MODEL, LEARNING_MODEL))}
    return HostileRecord("requests", "many rows", name.encode(), dump(document))


def _unknown_target(rng: Rng, name: str, _: Labelled) -> HostileRecord:
    document = request(rng, name)
    document["model"] = rng.choice(("nobody", STATIC_MODEL, "a" * 100, "../x", "x\n", "é", ""))
    versions = (1, 2, 10**9, 2**63, 10**400, -1, 0, "v" * 20_000, "challenger", "é", "\n", True)
    document["version"] = rng.choice(versions)
    return HostileRecord("requests", "model or version", name.encode(), dump(document))


def _large(rng: Rng, name: str, _: Labelled) -> HostileRecord:
    document = request(rng, name)
    document[rng.choice(("padding", "event_time", "model", "id"))] = "x" * 1_500_000
    return HostileRecord("requests", "large", name.encode(), dump(document))


def _zeros(rng: Rng, name: str, _: Labelled) -> HostileRecord:
    """Return zeros that compress to a thousandth of their size, as a value or as a header."""
    zeros = b"\0" * rng.choice((3_000_000, 12_000_000))
    if rng.random() < 0.5:
        return HostileRecord("requests", "zeros", name.encode(), zeros)
    value = dump(request(rng, name))
    return HostileRecord("requests", "zeros", name.encode(), value, (("ce_x", zeros),))


def _label_number(rng: Rng, name: str, _: Labelled) -> HostileRecord:
    document = label(rng, name)
    huge = Raw(rng.choice(("1" + "0" * 400, "-1e400", "NaN", "Infinity", "1" * 5000, "1e-400")))
    document[rng.choice(("label", "event_time", "revision"))] = huge
    return HostileRecord("labels", "number", name.encode(), dump(document))


def _strange_outputs(rng: Rng, name: str, _: Labelled) -> HostileRecord:
    document = feedback(rng, name)
    scored = document["predictions"][0]
    scored["outputs"] = rng.choice(
        ({}, {"probability": "x"}, {"label": [1]}, {"probabilities": {"a": None}}, {"value": {}},
         {"probability": Raw("1e400")}, {"forecast": [], "period": Raw("1" * 400)},
         {"probabilities": {}, "label": "a"}, {"score": Raw("NaN")}, {"label": None, "margins": 3})
    )  # fmt: skip
    scored["model"] = rng.choice((LEARNING_MODEL, "other", STATIC_MODEL, f"m{rng.random()}"))
    document["predictions"] *= rng.choice((0, 1, 2, 500))
    return HostileRecord("feedback", "outputs", name.encode(), dump(document))


KINDS: Mapping[str, Maker] = {
    "valid static": _valid_static,
    "valid tensors": _valid_tensors,
    "valid learning": _valid_learning,
    "valid label": _valid_label,
    "request json": _json("requests", request),
    "request field": _fields("requests", request),
    "request repeated key": _repeated_keys,
    "request bytes": _bytes("requests", request),
    "request headers": _headers("requests", request),
    "request keys": _keys("requests", request),
    "tensors json": _json("requests", tensors),
    "tensors headers": _headers("requests", tensors),
    "binary": _binary,
    "many rows": _many_rows,
    "unknown target": _unknown_target,
    "large": _large,
    "zeros": _zeros,
    "label json": _json("labels", label),
    "label field": _fields("labels", label),
    "label bytes": _bytes("labels", label),
    "label headers": _headers("labels", label),
    "label keys": _keys("labels", label),
    "label number": _label_number,
    "feedback json": _json("feedback", feedback),
    "feedback field": _fields("feedback", feedback),
    "feedback bytes": _bytes("feedback", feedback),
    "feedback headers": _headers("feedback", feedback),
    "feedback outputs": _strange_outputs,
}
"""The maker of each kind of record."""
RARE = {"large": 0.02, "zeros": 0.01, "many rows": 0.3, "valid static": 6.0, "valid tensors": 3.0}
"""How often a kind occurs, compared with the others, where that is not 1."""
WEIGHTS = [RARE.get(name, 1.0) for name in KINDS]
