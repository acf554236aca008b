"""Random requests for a model's schema: rows by name, or tensors of the V2 protocol."""

import random
from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from modstream.broker.wire.contracts import Request, Tensor
from modstream.broker.wire.features import FeatureRow, JsonScalar

RequestFormatName = Literal["row", "tensor"]

DEFAULT_STRINGS = ("amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "heron")
DATATYPES: Mapping[type, Literal["BOOL", "INT64", "FP64", "BYTES"]] = {
    bool: "BOOL",
    int: "INT64",
    float: "FP64",
    str: "BYTES",
}


class FeatureSpec(BaseModel):
    """The kind and range of one input feature."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    kind: Literal["float", "int", "bool", "string"]
    low: float | None = None
    high: float | None = None
    values: tuple[str, ...] = Field(default=DEFAULT_STRINGS, min_length=1)
    """The possible values of a string feature."""

    def random_value(self, rng: random.Random) -> JsonScalar:
        """Draw a value; the default range is 0 to 1 for floats and 0 to 100 for integers."""
        low = 0.0 if self.low is None else self.low
        if self.kind == "float":
            return rng.uniform(low, low + 1.0 if self.high is None else self.high)
        if self.kind == "int":
            return rng.randint(int(low), int(low + 100 if self.high is None else self.high))
        return rng.choice(self.values) if self.kind == "string" else rng.random() < 0.5


_FEATURE_SPECS = TypeAdapter(tuple[FeatureSpec, ...])


def parse_feature_specs(features: Sequence[Mapping[str, object]]) -> tuple[FeatureSpec, ...]:
    """Parse features given as mappings with `name`, `kind`, `low` and `high`."""
    return _FEATURE_SPECS.validate_python(features)


def random_row(features: Sequence[FeatureSpec], rng: random.Random) -> FeatureRow:
    """Draw one valid row."""
    return {feature.name: feature.random_value(rng) for feature in features}


def make_request(
    request_id: str,
    rows: Sequence[FeatureRow],
    request_format: RequestFormatName,
    model: str | None,
) -> Request:
    """Build a request with one row or several rows, in the given format."""
    if request_format == "tensor":
        return Request(id=request_id, inputs=rows_to_tensors(rows), model=model)
    features = rows[0] if len(rows) == 1 else tuple(rows)
    return Request(id=request_id, features=features, model=model)


def rows_to_tensors(rows: Sequence[FeatureRow]) -> tuple[Tensor, ...]:
    """Convert rows to one tensor of shape [n] per feature; no value may be None."""
    return tuple(
        Tensor(
            name=name,
            shape=(len(rows),),
            datatype=DATATYPES[type(value)],
            data=[row[name] for row in rows],
        )
        for name, value in rows[0].items()
    )


def with_padding(value: bytes, size: int) -> bytes:
    """Add an unknown field with `size` bytes to the front of a JSON object."""
    return b'{"padding":"' + b"x" * size + b'",' + value[1:] if size else value
