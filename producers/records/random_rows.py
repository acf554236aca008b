"""Random requests for any model's schema: rows by name, or tensors of the V2 protocol."""

import random
from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from modstream.broker.wire.contracts import Request, Tensor
from modstream.broker.wire.features import Row, Scalar

Form = Literal["row", "tensor"]

WORDS = ("amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "heron")
DATATYPES: Mapping[type, Literal["BOOL", "INT64", "FP64", "BYTES"]] = {
    bool: "BOOL",
    int: "INT64",
    float: "FP64",
    str: "BYTES",
}


class FeatureSpec(BaseModel):
    """One feature of a model's input: what kind it is of, and where its numbers lie."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    kind: Literal["float", "int", "bool", "string"]
    low: float | None = None
    high: float | None = None
    values: tuple[str, ...] = Field(default=WORDS, min_length=1)
    """What a string is chosen from."""

    def draw(self, rng: random.Random) -> Scalar:
        """A random value of this feature; without bounds numbers lie between 0 and 1 or 100."""
        low = 0.0 if self.low is None else self.low
        if self.kind == "float":
            return rng.uniform(low, low + 1.0 if self.high is None else self.high)
        if self.kind == "int":
            return rng.randint(int(low), int(low + 100 if self.high is None else self.high))
        return rng.choice(self.values) if self.kind == "string" else rng.random() < 0.5


_SPECS = TypeAdapter(tuple[FeatureSpec, ...])


def specs(features: Sequence[Mapping[str, object]]) -> tuple[FeatureSpec, ...]:
    """Read a schema given as plain JSON-able features: `name`, `kind`, `low`, `high`."""
    return _SPECS.validate_python(features)


def random_row(features: Sequence[FeatureSpec], rng: random.Random) -> Row:
    """One row that the schema accepts."""
    return {feature.name: feature.draw(rng) for feature in features}


def request_of(request_id: str, rows: Sequence[Row], form: Form, model: str | None) -> Request:
    """A request for some rows, at least one, in the form that is asked for."""
    if form == "tensor":
        return Request(id=request_id, inputs=tensors(rows), model=model)
    features = rows[0] if len(rows) == 1 else tuple(rows)
    return Request(id=request_id, features=features, model=model)


def tensors(rows: Sequence[Row]) -> tuple[Tensor, ...]:
    """The rows as one tensor of shape [n] per feature; none of their values may be None."""
    return tuple(
        Tensor(
            name=name,
            shape=(len(rows),),
            datatype=DATATYPES[type(value)],
            data=[row[name] for row in rows],
        )
        for name, value in rows[0].items()
    )


def padded(value: bytes, size: int) -> bytes:
    """The same JSON object with a field of `size` bytes in front that no contract knows."""
    return b'{"padding":"' + b"x" * size + b'",' + value[1:] if size else value
