"""Bodies made of good ones by small changes: of bytes, and of the structure of their JSON."""

import json
import random
import struct
from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any, NamedTuple

from modstream.producers.gateway.protocol.stubs import inference_pb2 as pb
from tests.gateway_clients.refused_calls import LENGTH

MODELS: Mapping[str, Mapping[str, Any]] = {
    "width": {"name": "x", "shape": [2, 3], "datatype": "FP32", "data": [1, 2, 3, 4, 5, 6]},
    "same-bytes": {"name": "X", "shape": [1, 1, 2], "datatype": "BYTES", "data": ["a", "ü"]},
    "same-fp32": {"name": "X", "shape": [1, 2, 2], "datatype": "FP32", "data": [1, 2, 3, 4]},
    "two-kinds": {"name": "x", "shape": [1, 4], "datatype": "FP64", "data": [5, 3, 1, 0.5]},
}
VALUES = (
    None, True, False, 0, -1, 1, 2**31, 2**63, 2**64, -(2**63), 1.5, 1e308, 1e-320, "", "x", "FP16",
    "\0", "é" * 300, [], {}, [[]], [{}], {"a": 1}, [1] * 50, "BYTES", "INT8", [2**40], [-1],
)  # fmt: skip
"""Values that take the place of others."""


class HttpBody(NamedTuple):
    """A body with its model and headers."""

    model: str
    body: bytes
    headers: Mapping[str, str]


def document(model: str) -> dict[str, Any]:
    """Return a good call as JSON."""
    return {
        "id": "1",
        "parameters": {"key": "k", "event_time": 1, "binary_data_output": False},
        "inputs": [deepcopy(dict(MODELS[model]))],
        "outputs": [{"name": "value", "parameters": {"classification": 1}}],
    }


def http_bodies(count: int, seed: int) -> Iterator[HttpBody]:
    """Yield mutated bodies: in turn of JSON's structure, of JSON's bytes, and of raw tensors."""
    rng = random.Random(seed)
    for at in range(count):
        model = rng.choice(list(MODELS))
        found = document(model)
        if rng.random() < 0.7:
            del found["outputs"]
        if at % 3 == 0:
            for _ in range(rng.randint(1, 3)):
                found = mutate_json(found, rng)
            yield HttpBody(model, dump(found), {})
        elif at % 3 == 1:
            yield HttpBody(model, mutate_bytes(dump(found), rng), {})
        else:
            yield raw_body(model, found, rng)


def dump(found: Any) -> bytes:
    return json.dumps(found, ensure_ascii=False).encode(errors="surrogatepass")


def raw_body(model: str, found: Any, rng: random.Random) -> HttpBody:
    """Return a mutated body with a raw tensor."""
    tensor = found["inputs"][0]
    raw = raw_of(tensor)
    del tensor["data"]
    tensor["parameters"] = {"binary_data_size": len(raw)}
    if rng.random() < 0.4:
        found = mutate_json(found, rng)
    head = dump(found)
    length = str(len(head))
    if rng.random() < 0.3:
        length = str(rng.choice((0, -1, len(head) - 1, len(head) + 1, 2**40, "", "1e3", "٣")))
        length = length.encode().decode("latin-1")
    if rng.random() < 0.5:
        raw = mutate_bytes(raw, rng)
    elif rng.random() < 0.5:
        head = mutate_bytes(head, rng)
    return HttpBody(model, head + raw, {LENGTH: length})


def raw_of(tensor: Mapping[str, Any]) -> bytes:
    """Return the values of a good tensor as raw bytes."""
    if tensor["datatype"] == "BYTES":
        texts = [one.encode() for one in tensor["data"]]
        return b"".join(struct.pack("<I", len(one)) + one for one in texts)
    code = "f" if tensor["datatype"] == "FP32" else "d"
    return struct.pack(f"<{len(tensor['data'])}{code}", *tensor["data"])


def grpc_messages(count: int, seed: int) -> Iterator[bytes]:
    """Yield mutated messages: of their fields, and of their bytes."""
    rng = random.Random(seed)
    for _ in range(count):
        model = rng.choice(list(MODELS))
        tensor = MODELS[model]
        message = pb.ModelInferRequest(model_name=model, id="1")
        one = message.inputs.add(
            name=tensor["name"], datatype=tensor["datatype"], shape=tensor["shape"]
        )
        if rng.random() < 0.5:
            message.raw_input_contents.append(raw_of(tensor))
        else:
            fields = {"BYTES": "bytes_contents", "FP32": "fp32_contents", "FP64": "fp64_contents"}
            values = [v.encode() if isinstance(v, str) else v for v in tensor["data"]]
            getattr(one.contents, fields[tensor["datatype"]]).extend(values)
        message.parameters["key"].string_param = "k"
        if rng.random() < 0.5:
            mutate_message(message, rng)
            yield message.SerializeToString()
        else:
            yield mutate_bytes(message.SerializeToString(), rng)


def mutate_message(message: pb.ModelInferRequest, rng: random.Random) -> None:
    """Change some fields of a message."""
    one = message.inputs[0]
    changes = (
        lambda: setattr(one, "datatype", rng.choice(("", "FP16", "BF16", "INT8", "FP8", "BOOL"))),
        lambda: setattr(one, "name", rng.choice(("", "y", "x" * 2000))),
        lambda: one.shape.append(rng.choice((0, 1, -1, 2**31, 2**62))),
        lambda: one.shape.__setitem__(0, rng.choice((0, -5, 2**40))),
        lambda: message.raw_input_contents.append(rng.randbytes(rng.randint(0, 40))),
        lambda: one.contents.int64_contents.extend([1, 2**63 - 1]),
        lambda: one.contents.fp32_contents.extend([float("nan"), float("inf")]),
        lambda: one.contents.bytes_contents.append(b"\xff\xfe"),
        lambda: message.inputs.add().CopyFrom(one),
        lambda: message.ClearField("inputs"),
        lambda: message.outputs.add(name=rng.choice(("value", "nothing", ""))),
        lambda: setattr(message, "model_version", rng.choice(("9", "-1", "x" * 99, "champion"))),
        lambda: setattr(message, "model_name", rng.choice(("", "nobody", "a/b", "\n"))),
        lambda: setattr(message.parameters["event_time"], "int64_param", 2**62),
        lambda: setattr(message.parameters["key"], "double_param", float("nan")),
        lambda: setattr(message.parameters["sequence_id"], "int64_param", 5),
        lambda: setattr(one.parameters["shared_memory_region"], "string_param", "r"),
    )
    for change in rng.sample(changes, rng.randint(1, 3)):
        if message.inputs:
            change()


def mutate_bytes(data: bytes, rng: random.Random) -> bytes:
    """Return bytes with one to four changes: flipped, inserted, removed, repeated or cut."""
    found = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(found) + 1)
        kind = rng.randrange(5)
        if kind == 0 and at < len(found):
            found[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            found[at:at] = rng.randbytes(rng.randint(1, 8))
        elif kind == 2:
            del found[at : at + rng.randint(1, 8)]
        elif kind == 3:
            found[at:at] = found[at : at + rng.randint(1, 64)]
        elif rng.random() < 0.3:
            del found[at:]
    return bytes(found)


def mutate_json(found: Any, rng: random.Random) -> Any:
    """Return a document with one value replaced, removed, doubled, wrapped or renamed."""
    places = list(places_of(found))
    if not places:
        return rng.choice(VALUES)
    holder, key = rng.choice(places)
    kind = rng.randrange(5)
    if kind == 0:
        del holder[key]
    elif kind == 1:
        holder[key] = [holder[key], holder[key]]
    elif kind == 2:
        for _ in range(rng.choice((1, 3, 70, 150))):
            holder[key] = [holder[key]]
    elif kind == 3 and isinstance(holder, dict):
        holder[rng.choice(("name", "data", "shape", "parameters", "x", ""))] = holder.pop(key)
    else:
        holder[key] = rng.choice(VALUES)
    return json.loads(json.dumps(found))


def places_of(found: Any) -> Iterator[tuple[Any, Any]]:
    """Yield each value of a document as its holder and its key."""
    keys = found.items() if isinstance(found, dict) else enumerate(found)
    for key, value in list(keys):
        yield found, key
        if isinstance(value, dict | list):
            yield from places_of(value)
