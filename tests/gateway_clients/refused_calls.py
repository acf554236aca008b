"""Calls that are refused, as Triton's own tests and fuzzers try them, and the texts of the errors.

Their ideas come from the tests of Triton Inference Server: qa/L0_http, L0_http_fuzz, L0_grpc and
L0_input_validation (https://github.com/triton-inference-server/server).
"""

import gzip
import json
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

LENGTH = "Inference-Header-Content-Length"
MATRIX = "/v2/models/width/infer"
TEXTS = "/v2/models/same-bytes/infer"
PIXELS = "/v2/models/same-fp32/infer"
GOOD: Mapping[str, Any] = {
    "name": "x", "shape": [1, 3], "datatype": "FP32", "data": [5.1, 3.5, 1.4],
}  # fmt: skip
MEBIBYTE = 1024 * 1024


@dataclass(frozen=True)
class RefusedCall:
    """A call, and the status and a part of the text of its error."""

    name: str
    status: int
    text: str
    body: bytes = b""
    path: str = MATRIX
    method: str = "POST"
    headers: Mapping[str, str] = field(default_factory=dict)


def refused_calls() -> list[RefusedCall]:
    """Return all calls."""
    return [
        *not_json(), *wrong_fields(), *wrong_inputs(), *wrong_values(), *wrong_raw(),
        *wrong_parameters(), *wrong_outputs(), *wrong_names(), *wrong_encodings(),
        *wrong_rows_and_labels(),
    ]  # fmt: skip


def of(document: Any) -> bytes:
    """Return a document as JSON."""
    return json.dumps(document).encode()


def one(**changes: Any) -> bytes:
    """Return a call with one input that differs from a good one; None leaves a field out."""
    tensor = {name: value for name, value in {**GOOD, **changes}.items() if value is not None}
    return of({"inputs": [tensor]})


def not_json() -> Iterator[RefusedCall]:
    """Yield calls whose bodies are not JSON, or not an object."""
    for name, status, text, body in (
        ("an empty body", 400, "is not JSON", b""),
        ("an open brace", 400, "is not JSON", b"{"),
        ("text", 400, "is not JSON", b"hello"),
        ("two documents", 400, "is not JSON", b"{}{}"),
        ("not UTF-8", 400, "is not UTF-8", b'{"inputs":[],"id":"\xff\xfe"}'),
        ("half a surrogate", 400, "is not JSON", b'{"inputs":[],"id":"\\ud800"}'),
        ("NaN", 400, "is not JSON", one().replace(b"5.1", b"NaN")),
        ("a trailing comma", 400, "is not JSON", one()[:-1] + b",}"),
        ("a list", 400, "expected an object", b"[]"),
        ("a null", 400, "expected an object", b"null"),
        (
            "100 levels",
            400,
            "inputs[0]: expected an object",
            b'{"inputs":' + b"[" * 100 + b"]" * 100 + b"}",
        ),
        ("120 levels of data", 400, "levels", nested(120)),
        ("100,000 levels", 400, "expected an object", b"[" * 100_000),
        ("an integer of 5,000 digits", 400, "digits", one().replace(b"5.1", b"1" * 5000)),
    ):
        yield RefusedCall(name, status, text, body)


def nested(levels: int) -> bytes:
    """Return a call whose data are nested."""
    return one().replace(b"[5.1, 3.5, 1.4]", b"[" * levels + b"1" + b"]" * levels)


def wrong_fields() -> Iterator[RefusedCall]:
    """Yield calls whose fields are missing or of the wrong type."""
    for name, text, document in (
        ("no inputs", "inputs: is missing", {}),
        ("inputs of null", "inputs", {"inputs": None}),
        ("inputs of an object", "inputs: expected a list", {"inputs": {}}),
        ("no input", "inputs: is empty", {"inputs": []}),
        ("an input of a number", "inputs[0]: expected an object", {"inputs": [1]}),
        ("an id of a number", "id: expected a text", {"inputs": [GOOD], "id": 1}),
        ("an id of 257 characters", "id: must be a text", {"inputs": [GOOD], "id": "x" * 257}),
        ("parameters of a list", "parameters", {"inputs": [GOOD], "parameters": []}),
        ("outputs of an object", "outputs: expected a list", {"inputs": [GOOD], "outputs": {}}),
        ("an output without a name", "outputs[0]: has no field name",
         {"inputs": [GOOD], "outputs": [{}]}),
    ):  # fmt: skip
        yield RefusedCall(name, 400, text, of(document))


def wrong_inputs() -> Iterator[RefusedCall]:
    """Yield calls with one input whose description is wrong."""
    for name, text, body in (
        ("no name", "inputs[0]: has no field name", one(name=None)),
        ("no shape", "inputs[0]: has no field shape", one(shape=None)),
        ("no datatype", "inputs[0]: has no field datatype", one(datatype=None)),
        ("no data", "inputs[0]: has neither data", one(data=None)),
        ("a name of a number", "inputs[0].name: expected a text", one(name=1)),
        ("a name of 1,025 characters", "inputs[0].name", one(name="x" * 1025)),
        ("an unknown datatype", "inputs[0].datatype: 'FP8' is unknown", one(datatype="FP8")),
        ("a datatype in lower case", "inputs[0].datatype: 'fp32'", one(datatype="fp32")),
        ("a datatype of null", "expected a text", one().replace(b'"FP32"', b"null")),
        ("a shape of a text", "inputs[0].shape: expected a list", one(shape="1,3")),
        ("a shape with a fraction", "inputs[0].shape[1]", one(shape=[1, 3.5])),
        ("a negative dimension", "-3 is not a dimension", one(shape=[1, -3])),
        ("a variable dimension", "-1 is not a dimension", one(shape=[-1, 3])),
        ("a dimension of 2^31", "is not a dimension", one(shape=[1, 2**31])),
        ("a dimension beyond 64 bits", "is not a dimension", one(shape=[1, 2**70])),
        ("a size that overflows 64 bits", "is not a dimension", one(shape=[2**4, 2**60 + 2])),
        ("2^62 values", "means more than", one(shape=[2**31 - 1, 2**31 - 1])),
        ("17 dimensions", "more than 16 dimensions", one(shape=[1] * 17)),
        ("data of a number", "inputs[0].data: must be a list", one(data=5)),
        ("data of an object", "inputs[0].data: must be a list", one(data={"a": 1})),
        ("data in base64", "inputs[0].data: must be a list", one(data="AAAA")),
        ("an input twice", "is there twice", of({"inputs": [GOOD, GOOD]})),
        ("1,001 inputs", "more than 1000 tensors",
         of({"inputs": [{**GOOD, "name": f"x{at}"} for at in range(1001)]})),
        ("shared memory", "shared memory is not supported",
         one(data=None, parameters={"shared_memory_region": "r", "shared_memory_byte_size": 12})),
    ):  # fmt: skip
        yield RefusedCall(name, 400, text, body)


def wrong_values() -> Iterator[RefusedCall]:
    """Yield calls whose values do not fit their description, or the model."""
    texts = {"name": "X", "shape": [1, 1, 2], "datatype": "BYTES"}
    for name, text, path, body in (
        ("too few values", "value", MATRIX, one(data=[1, 2])),
        ("too many values", "value", MATRIX, one(data=[1, 2, 3, 4])),
        ("uneven lists", "value", MATRIX, one(data=[[1, 2], 3])),
        ("texts as numbers", "must be float, not string", MATRIX, one(data=["1", "2", "3"])),
        ("null", "must be float, not null", MATRIX, one(data=[1, None, 3])),
        ("objects as numbers", "must be float, not object", MATRIX, one(data=[{}, {}, {}])),
        ("a fraction as INT32", "a number with a fraction", *same("INT32", [1.5, 2])),
        ("300 as UINT8", "does not fit uint8", *same("UINT8", [300, 2])),
        ("-1 as UINT64", "does not fit uint64", *same("UINT64", [-1, 2])),
        ("1e6 as FP16", "does not fit float16", *same("FP16", [1e6, 2])),
        ("1e39 as FP32", "does not fit float32", MATRIX, one(data=[1e39, 2, 3])),
        ("2 as BOOL", "must be bool", *same("BOOL", [2, 0])),
        ("numbers as texts", "must be string, not int", TEXTS,
         of({"inputs": [{**texts, "data": [1, 2]}]})),
        ("texts for floats", "must be float, not BYTES", MATRIX,
         one(datatype="BYTES", data=["a", "b", "c"])),
        ("a matrix that is too wide", "shape [n, 3]", MATRIX,
         one(shape=[1, 4], data=[1, 2, 3, 4])),
        ("no rows", "at least one row", MATRIX, one(shape=[0, 3], data=[])),
        ("a rank that the model lacks", "must have the shape [any, any, 2]", PIXELS, one(name="X")),
        ("texts for numbers", "must be number", PIXELS,
         one(name="X", shape=[1, 1, 2], datatype="BYTES", data=["1", "2"])),
        ("an input that is missing", "'mask'", "/v2/models/tokens-and-mask/infer",
         one(name="ids", shape=[1, 1], datatype="INT64", data=[1])),
        ("inputs that do not fit together", "must have the shape [2, 3]",
         "/v2/models/two-matrices/infer",
         of({"inputs": [{**GOOD, "name": "A", "shape": [1, 2], "data": [1, 2]},
                        {**GOOD, "name": "B", "shape": [2, 2], "data": [1, 2, 3, 4]}]})),
        ("a feature that is missing", "'colour'", "/v2/models/people/infer",
         of({"inputs": [
             {"name": "size", "shape": [1], "datatype": "FP32", "data": [1]},
             {"name": "visits", "shape": [1], "datatype": "INT32", "data": [1]},
             {"name": "member", "shape": [1], "datatype": "BOOL", "data": [True]}]})),
    ):  # fmt: skip
        yield RefusedCall(name, 400, text, body, path)


def same(datatype: str, data: Any) -> tuple[str, bytes]:
    """Return the path of the model that takes a datatype, and a call of it."""
    path = f"/v2/models/same-{datatype.lower()}/infer"
    return path, one(name="X", shape=[1, 1, 2], datatype=datatype, data=data)


def wrong_raw() -> Iterator[RefusedCall]:
    """Yield calls whose raw tensors do not fit their description."""
    raw = struct.pack("<3f", 5.1, 3.5, 1.4)

    def sized(size: Any, **changes: Any) -> bytes:
        return one(data=None, parameters={"binary_data_size": size}, **changes)

    def call(name: str, text: str, head: bytes, tail: bytes, length: Any = None) -> RefusedCall:
        headers = {LENGTH: str(len(head) if length is None else length)}
        return RefusedCall(name, 400, text, head + tail, headers=headers)

    yield call("4 bytes too few", "12", sized(8), raw[:8])
    yield call("4 bytes too many", "12", sized(16), raw + raw[:4])
    yield call("bytes of no input", "belong to no input", sized(12), raw + b"xyz")
    yield call("a body that is cut", "only 6 bytes are left", sized(12), raw[:6])
    yield call("a negative size", "must be a number of bytes", sized(-1), raw)
    yield call("a size of a text", "must be a number of bytes", sized("12"), raw)
    yield call("a size of a fraction", "must be a number of bytes", sized(12.5), raw)
    yield call("a size beyond 64 bits", "must be a number of bytes", sized(2**64), raw)
    yield call("data and raw bytes", "has both data and binary_data_size",
               one(parameters={"binary_data_size": 12}), raw)  # fmt: skip
    yield call(
        "a shape that overflows", "is not a dimension", sized(12, shape=[2**4, 2**60 + 2]), raw
    )
    yield call("a length beyond the body", "but the body has only", sized(12), raw, 10_000)
    yield call("a length of 0", "is 0", sized(12), raw, 0)
    yield call("a negative length", "is not a length", sized(12), raw, -5)
    yield call("a length of a text", "is not a length", sized(12), raw, "ten")
    yield call("a length of 30 digits", "is not a length", sized(12), raw, "9" * 30)
    yield call("a length within the JSON", "is not JSON", sized(12), raw, 20)
    yield call("NaN that the model does not take", "must be finite", sized(12),
               struct.pack("<3f", float("nan"), 1, 2))  # fmt: skip
    yield RefusedCall("no length", 400, f"the header {LENGTH} is missing", sized(12))
    for name, text, tail in (
        (
            "a string that is cut",
            "a string is truncated",
            struct.pack("<I", 90) + b"ab" + b"\0" * 4,
        ),
        ("strings that are not UTF-8", "utf-8", struct.pack("<I2sI2s", 2, b"\xff\xfe", 2, b"ab")),
        ("too few strings", "must have 2 values", struct.pack("<I4s", 4, b"abcd")),
    ):
        head = of({"inputs": [{
            "name": "X", "shape": [1, 1, 2], "datatype": "BYTES",
            "parameters": {"binary_data_size": len(tail)},
        }]})  # fmt: skip
        headers = {LENGTH: str(len(head))}
        yield RefusedCall(name, 400, text, head + tail, TEXTS, headers=headers)


def wrong_parameters() -> Iterator[RefusedCall]:
    """Yield calls with parameters that cannot be."""
    for name, text, parameters in (
        ("a time limit of a text", "parameters.timeout", {"timeout": "1"}),
        ("a negative time limit", "parameters.timeout", {"timeout": -1}),
        ("a key of a number", "parameters.key", {"key": 7}),
        ("an empty key", "parameters.key", {"key": ""}),
        ("a key of 1,025 characters", "parameters.key", {"key": "x" * 1025}),
        ("an event time of a text", "parameters.event_time", {"event_time": "now"}),
        ("an event time beyond year 9999", "parameters.event_time", {"event_time": 10**18}),
        ("a sequence", "sequences are not supported", {"sequence_id": 4}),
        ("binary_data_output of a number", "binary_data_output", {"binary_data_output": 1}),
        ("an output's shared memory", "shared memory", {"shared_memory_region": "r"}),
    ):
        document = {"inputs": [GOOD], "parameters": parameters}
        yield RefusedCall(name, 400, text, of(document))


def wrong_outputs() -> Iterator[RefusedCall]:
    """Yield calls that name outputs that cannot be."""
    for name, text, outputs in (
        ("an unknown output", "there is no output 'nothing'", [{"name": "nothing"}]),
        ("an output twice", "is there twice", [{"name": "value"}, {"name": "value"}]),
        ("a classification of a text", "classification",
         [{"name": "value", "parameters": {"classification": "2"}}]),
        ("a negative classification", "classification",
         [{"name": "value", "parameters": {"classification": -2}}]),
        ("binary_data of a text", "binary_data",
         [{"name": "value", "parameters": {"binary_data": "yes"}}]),
    ):  # fmt: skip
        yield RefusedCall(name, 400, text, of({"inputs": [GOOD], "outputs": outputs}))
    call = {"inputs": [{"name": "X", "shape": [1, 1, 2], "datatype": "BYTES", "data": ["a", "b"]}],
            "outputs": [{"name": "Y", "parameters": {"classification": 1}}]}  # fmt: skip
    yield RefusedCall("classes of texts", 400, "only numbers can be classified", of(call), TEXTS)


def wrong_names() -> Iterator[RefusedCall]:
    """Yield calls of models, versions, paths and methods that do not exist."""
    nobody, width = "model nobody has no version", "/v2/models/width"
    no_name, no_path = "no model with such a name", "there is nothing at this path"
    no_method = "does not have this method"
    for name, status, text, method, path in (
        ("an unknown model", 404, nobody, "POST", "/v2/models/nobody/infer"),
        ("an unknown model's metadata", 404, nobody, "GET", "/v2/models/nobody"),
        ("an unknown model's readiness", 404, nobody, "GET", "/v2/models/nobody/ready"),
        ("an unknown model's configuration", 404, nobody, "GET", "/v2/models/nobody/config"),
        ("an unknown model's statistics", 404, nobody, "GET", "/v2/models/nobody/stats"),
        ("an unknown version", 404, "alias 99", "POST", f"{width}/versions/99/infer"),
        ("version 0", 404, "there is no version 0", "POST", f"{width}/versions/0/infer"),
        ("a negative version", 404, "alias -1", "POST", f"{width}/versions/-1/infer"),
        ("a version of 40 digits", 404, "no version 999", "GET", f"{width}/versions/{'9' * 40}"),
        ("an unknown alias", 404, "alias nobody", "GET", f"{width}/versions/nobody"),
        ("a long name", 404, no_name, "POST", f"/v2/models/{'m' * 3000}/infer"),
        ("a name with a line break", 404, no_name, "GET", "/v2/models/a%0Ab"),
        ("a name with a null byte", 404, no_name, "GET", "/v2/models/a%00b/ready"),
        ("a name that climbs", 404, no_path, "GET", "/v2/models/..%2F..%2Fetc"),
        ("an unknown path", 404, no_path, "GET", "/v3"),
        ("shared memory's path", 404, no_path, "GET", "/v2/systemsharedmemory/status"),
        ("GET of an inference", 405, no_method, "GET", MATRIX),
        ("PUT of an inference", 405, no_method, "PUT", MATRIX),
        ("POST of metadata", 405, no_method, "POST", width),
        ("DELETE of a model", 405, no_method, "DELETE", width),
        ("GET of the index", 405, no_method, "GET", "/v2/repository/index"),
        ("an unknown ticket", 404, "not a ticket", "GET", "/v2/requests/abc"),
    ):
        yield RefusedCall(name, status, text, one() if method == "POST" else b"", path, method)
    yield RefusedCall(
        "an index of a text", 400, "must be an object", b'"x"', "/v2/repository/index"
    )
    yield RefusedCall("a ready of 1", 400, "ready", b'{"ready": 1}', "/v2/repository/index")


def wrong_encodings() -> Iterator[RefusedCall]:
    """Yield calls whose bodies are compressed wrongly, or are too large."""
    good = one()
    for name, status, text, body, encoding in (
        ("an unknown encoding", 415, "'br' is not gzip", good, "br"),
        ("two encodings", 415, "is not gzip", good, "gzip, gzip"),
        ("gzip that is none", 400, "not valid gzip", good, "gzip"),
        ("deflate that is none", 400, "not valid deflate", good, "deflate"),
        ("gzip that is cut", 400, "not one whole gzip stream", gzip.compress(good)[:-9], "gzip"),
        ("gzip with a tail", 400, "not one whole gzip", gzip.compress(good) + b"tail", "gzip"),
        ("a gzip bomb", 413, "uncompressed body is larger", gzip_bomb(), "gzip"),
    ):
        headers = {"Content-Encoding": encoding}
        yield RefusedCall(name, status, text, body, headers=headers)
    yield RefusedCall("a preference of a text", 400, "Prefer", good, headers={"Prefer": "wait=x"})


def gzip_bomb() -> bytes:
    """Return a gigabyte of zeros compressed: a block of a mebibyte, 1,024 times."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = compressor.compress(bytes(MEBIBYTE)) + compressor.flush(zlib.Z_FULL_FLUSH)
    header = b"\x1f\x8b\x08" + bytes(6) + b"\xff"
    return header + block * 1024 + compressor.flush()


def wrong_rows_and_labels() -> Iterator[RefusedCall]:
    """Yield calls of rows by name and of labels."""
    for name, status, text, path, document in (
        ("a row without features", 400, "required field `features`", "predict", {}),
        ("features of a number", 400, "a list or an object", "predict", {"features": 5}),
        ("features of no row", 400, "at least one row", "predict", {"features": []}),
        ("an unknown field", 400, "unknown field `modl`", "predict", {"features": {}, "modl": ""}),
        ("a row that lacks a feature", 400, "'x1' is missing", "predict",
         {"features": {"x0": 1}, "model": "width"}),
        ("rows of an unknown model", 404, "model nobody", "predict",
         {"features": {"x0": 1}, "model": "nobody"}),
        ("a label without an id", 400, "id: is missing", "labels", {"label": 1}),
        ("a label of a list", 400, "label: must be", "labels", {"id": "1", "label": [1]}),
        ("no labels", 400, "1 to 10,000 labels", "labels", []),
    ):  # fmt: skip
        yield RefusedCall(name, status, text, of(document), f"/v1/streams/clients/{path}")
    yield RefusedCall(
        "an unknown stream", 404, "serves no stream 'x'", of({"features": {}}),
        "/v1/streams/x/predict",
    )  # fmt: skip
