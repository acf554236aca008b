"""The calls that every client makes, with the outputs that the model's own library computes."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tests.gateway_clients.models import ONNX_TYPES, AskedModel, Columns, Output, flowers

RAW = ("binary", "grpc")
"""The forms with raw bytes, the only ones that BF16 can be sent in."""


@dataclass(frozen=True)
class InputTensor:
    """A tensor as a client sends it."""

    name: str
    datatype: str
    values: np.ndarray

    def to_json(self) -> dict[str, Any]:
        """Return the tensor for a driver, its values flat."""
        flat = self.values.ravel().tolist()
        return {
            "name": self.name,
            "datatype": self.datatype,
            "shape": list(self.values.shape),
            "data": flat,
        }


@dataclass(frozen=True)
class AskedOutput:
    """An output that a call names, with the number of classes if it asks for these."""

    name: str
    classes: int = 0
    binary: bool | None = None


@dataclass(frozen=True)
class ClientCase:
    """A call of a client.

    `columns` are the library's own inputs. `answered_by` is the version that must answer.
    `compression` is the encoding of the request, `accepts` that of the answer. `only` has the forms
    in which the call can be made, empty for all of them.
    """

    name: str
    model: str
    inputs: Sequence[InputTensor]
    columns: Columns
    version: str = ""
    answered_by: str = "1"
    id: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    outputs: Sequence[AskedOutput] = ()
    compression: str = ""
    accepts: str = ""
    only: Sequence[str] = ()

    def call(self, expected: Mapping[str, Output]) -> dict[str, Any]:
        """Return the call for a driver."""
        return {
            "model": self.model,
            "version": self.version,
            "inputs": [one.to_json() for one in self.inputs],
            "id": self.id,
            "parameters": dict(self.parameters),
            "outputs": [vars(one) for one in self.outputs],
            "all_outputs": list(expected),
            "compression": self.compression,
            "accepts": self.accepts,
        }


def expected_outputs(case: ClientCase, model: AskedModel) -> dict[str, Output]:
    """Return the outputs of a call as the model's library computes them, in their order."""
    found = model.answer(case.columns)
    if not case.outputs:
        return dict(found)
    return {
        one.name: _best(found[one.name], one.classes, case) if one.classes else found[one.name]
        for one in case.outputs
    }


def _best(output: Output, count: int, case: ClientCase) -> Output:
    """Return the greatest values of each row as `value:index:name`."""
    names = {"flowers": ("setosa", "versicolor", "virginica"), "flowers-by-number": (3, 4, 5)}
    columns = names.get(case.model)
    rows = output.values.reshape(len(output.values), -1)
    texts = [
        [
            f"{row[at]}:{at}" + (f":{columns[at]}" if columns else "")
            for at in np.argsort(-row, kind="stable")[:count]
        ]
        for row in rows
    ]
    return Output("BYTES", np.array(texts, object))


def all_cases() -> list[ClientCase]:
    """Return all calls."""
    return [
        *matrices(), *number_types(), *named_features(), *tensor_types(), *tensors(), *versions(),
        *parameters(), *named_outputs(), *compressed(),
    ]  # fmt: skip


def cases_of(names: Collection[str]) -> list[ClientCase]:
    """Return the calls of some models; `renewed` is always there."""
    return [one for one in all_cases() if one.model in {*names, "renewed"}]


def measures(*rows: int, width: int = 4) -> np.ndarray:
    """Return the measures of some irises."""
    return flowers()[0][list(rows), :width]


def matrix(values: np.ndarray, datatype: str = "FP64", name: str = "x") -> tuple[InputTensor]:
    """Return the only input of a model that takes a matrix."""
    return (InputTensor(name, datatype, values),)


def by_name(values: np.ndarray) -> dict[str, np.ndarray]:
    """Return the columns of a matrix under the names of features without names."""
    return {f"x{at}": column for at, column in enumerate(values.T)}


def matrices() -> Iterator[ClientCase]:
    """Yield calls of models of a float matrix: one row and several, 32 and 64 bits."""
    models = (
        "two-kinds", "flowers", "flowers-by-number", "two-values", "clusters", "margins", "margin",
        "holes",
    )  # fmt: skip
    for model in models:
        one, several = measures(7), measures(0, 20, 60, 99)
        single = one.astype(np.float32)
        yield ClientCase(
            f"{model}: one row", model, matrix(single, "FP32"), by_name(single.astype(np.float64))
        )
        yield ClientCase(f"{model}: four rows", model, matrix(several), by_name(several))
    many = measures(*range(150))
    yield ClientCase("flowers: 150 rows", "flowers", matrix(many), by_name(many))
    holes = measures(3, 80)
    holes[1, 0] = np.nan
    yield ClientCase("holes: NaN", "holes", matrix(holes), by_name(holes), only=(*RAW, "contents"))


def number_types() -> Iterator[ClientCase]:
    """Yield calls of a model of floats with numbers of each type."""
    for datatype, (_, kind) in ONNX_TYPES.items():
        if datatype != "BYTES":
            values = np.array([[5, 3, 1], [6, 2, 4]]).astype(kind)
            if datatype.startswith("FP"):
                values += np.array(0.25, kind)
            exact = by_name(values.astype(np.float64))
            yield ClientCase(f"width: {datatype}", "width", matrix(values, datatype), exact)
    # These have 8 bits of mantissa at most.
    values = np.array([[5.125, 3.5, 1.375]], np.float32)
    yield ClientCase("width: BF16", "width", matrix(values, "BF16"), by_name(values), only=RAW)


def named_features() -> Iterator[ClientCase]:
    """Yield calls with one tensor for each feature."""
    rows = {
        "size": np.array([0.5, -1.25, 2.0]),
        "visits": np.array([3, 0, 8]),
        "member": np.array([True, False, True]),
        "colour": np.array(["red", "blue", "grün"], object),
    }
    types = {"size": "FP64", "visits": "INT64", "member": "BOOL", "colour": "BYTES"}
    first = {name: column[:1] for name, column in rows.items()}

    def tensors_of(columns: Columns, *order: str) -> tuple[InputTensor, ...]:
        names = order or tuple(columns)
        return tuple(InputTensor(name, types[name], columns[name]) for name in names)

    tall = tuple(
        InputTensor(one.name, one.datatype, one.values.reshape(-1, 1)) for one in tensors_of(rows)
    )
    small = (
        InputTensor("size", "FP32", rows["size"].astype(np.float32)),
        InputTensor("visits", "UINT8", rows["visits"].astype(np.uint8)),
        *tensors_of(rows, "member", "colour"),
    )
    yield ClientCase("people: one row", "people", tensors_of(first), first)
    yield ClientCase("people: three rows", "people", tensors_of(rows), rows)
    yield ClientCase("people: columns of width one", "people", tall, rows)
    reordered = tensors_of(rows, "colour", "member", "size", "visits")
    yield ClientCase("people: another order", "people", reordered, rows)
    yield ClientCase("people: smaller types", "people", small, rows)
    values = measures(5, 70, 140)
    columns = by_name(values)
    apart = tuple(InputTensor(name, "FP64", column) for name, column in columns.items())
    yield ClientCase("flowers: one tensor per feature", "flowers", apart, columns)
    grown = {"length": np.array([1.5, 6.5]), "width": np.array([0.25, 2.25])}
    apart = tuple(InputTensor(name, "FP64", column) for name, column in grown.items())
    yield ClientCase("learned: by name", "learned", apart, grown)
    stacked = matrix(np.column_stack(list(grown.values())))
    yield ClientCase("learned: a matrix", "learned", stacked, grown)
    for periods in ([26], [25, 30]):
        months = {"period": np.array(periods), "horizon": np.full(len(periods), 3)}
        given = tuple(InputTensor(name, "INT64", column) for name, column in months.items())
        yield ClientCase(f"passengers: {len(periods)} rows", "passengers", given, months)


def tensor_types() -> Iterator[ClientCase]:
    """Yield calls with tensors of each datatype, with usual and with extreme values."""
    for datatype, (_, kind) in ONNX_TYPES.items():
        model = f"same-{datatype.lower()}"
        for name, values in (("usual", usual(kind)), ("extreme", extreme(kind))):
            shaped = values.reshape(2, -1, 2)
            tensor = InputTensor("X", datatype, shaped)
            yield ClientCase(f"{model}: {name} values", model, [tensor], {"X": shaped})


def usual(kind: Any) -> np.ndarray:
    """Return twelve values of a type."""
    if kind is np.object_:
        return np.array([f"word {at}" for at in range(12)], object)
    return np.arange(12).astype(kind)


def extreme(kind: Any) -> np.ndarray:
    """Return four values at the ends of a type."""
    if kind is np.object_:
        return np.array(["", "ünïcödé \U0001f600", "x" * 1000, '"\\\n\t\x01'], object)
    if kind is np.bool_:
        return np.array([True, True, False, True])
    if np.issubdtype(kind, np.floating):
        limits = np.finfo(kind)
        return np.array([limits.max, limits.min, limits.smallest_subnormal, -0.0], kind)
    limits = np.iinfo(kind)
    return np.array([limits.max, limits.min, limits.max - 1, limits.min + 1], kind)


def tensors() -> Iterator[ClientCase]:
    """Yield calls of models of tensors: images, several inputs, no dimension, no element."""
    rng = np.random.default_rng(8)
    images = rng.normal(size=(2, 3, 8, 8)).astype(np.float32)
    tokens = np.array([[4, 7, 1], [2, 0, 0]])
    given: Sequence[tuple[str, str, Mapping[str, np.ndarray]]] = [
        ("two images", "images", {"X": images}),
        ("one image", "images", {"X": images[:1]}),
        ("two matrices", "two-matrices", {
            "A": rng.normal(size=(4, 2)).astype(np.float32),
            "B": rng.normal(size=(2, 3)).astype(np.float32),
        }),
        ("tokens and mask", "tokens-and-mask", {"ids": tokens, "mask": (tokens > 0) * 1}),
        ("numbers without a dimension", "scalars", {
            "a": np.array(1.5, np.float32), "b": np.array(-2, np.float32)}),
        ("no element in the answer", "output-without-elements", {
            "X": np.zeros((1, 2, 2), np.float32)}),
    ]  # fmt: skip
    for name, model, arrays in given:
        sent = [
            InputTensor(one, "INT64" if array.dtype == np.int64 else "FP32", array)
            for one, array in arrays.items()
        ]
        yield ClientCase(name, model, sent, arrays)


def versions() -> Iterator[ClientCase]:
    """Yield calls of versions by number and by alias; version 1 of `flowers` has an alias only."""
    values = measures(1, 77)
    for model, version, answered_by in (
        ("renewed", "1", "1"), ("renewed", "2", "2"), ("renewed", "champion", "2"),
        ("renewed", "previous", "1"), ("renewed", "", "2"),
    ):  # fmt: skip
        yield ClientCase(
            f"{model}: version {version or 'by default'}", model, matrix(values), by_name(values),
            version=version, answered_by=answered_by,
        )  # fmt: skip


def parameters() -> Iterator[ClientCase]:
    """Yield calls with ids and parameters."""
    values = measures(2)
    given: Mapping[str, Mapping[str, Any]] = {
        "a short id": {"id": "1"},
        "the same id again": {"id": "1"},
        "a long id": {"id": "é" * 256},
        "a key": {"parameters": {"key": "customer 7"}},
        "an event time": {"parameters": {"event_time": 1_700_000_000_000}},
        "a time-out of a minute": {"parameters": {"timeout": 60_000_000}},
        "parameters without a meaning": {"parameters": {"priority": 3, "mine": "x", "f": 1.5}},
        "binary_data_output": {"parameters": {"binary_data_output": True}},
    }
    for name, fields in given.items():
        yield ClientCase(name, "width", matrix(values[:, :3]), by_name(values[:, :3]), **fields)


def named_outputs() -> Iterator[ClientCase]:
    """Yield calls that name outputs, and ask for classes."""
    values = measures(30, 90)
    given: Mapping[str, tuple[str, Sequence[AskedOutput]]] = {
        "one output": ("flowers", [AskedOutput("label")]),
        "outputs in another order": (
            "flowers", [AskedOutput("label"), AskedOutput("probabilities")]),
        "two classes": ("flowers", [AskedOutput("probabilities", 2)]),
        "more classes than there are": ("flowers-by-number", [AskedOutput("probabilities", 9)]),
        "classes of one value": ("two-kinds", [AskedOutput("probability", 1)]),
        "one output raw, one in JSON": ("flowers", [
            AskedOutput("probabilities", binary=True), AskedOutput("label", binary=False)]),
    }  # fmt: skip
    for name, (model, outputs) in given.items():
        yield ClientCase(name, model, matrix(values), by_name(values), outputs=outputs)


def compressed() -> Iterator[ClientCase]:
    """Yield calls with a compressed body, and calls that would take a compressed answer."""
    values = measures(*range(20))
    for encoding in ("gzip", "deflate"):
        for name, fields in (
            (f"{encoding} request", {"compression": encoding}),
            (f"{encoding} answer", {"accepts": encoding}),
        ):
            yield ClientCase(name, "flowers", matrix(values), by_name(values), **fields)
