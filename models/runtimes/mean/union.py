"""The features of several versions as one input schema."""

from collections.abc import Sequence

from modstream.models.errors import NotConvertible
from modstream.models.schema.feature import Feature
from modstream.models.schema.input_schema import InputSchema
from modstream.models.schema.ranges import RANGES, FeatureDtype


def union_of(schemas: Sequence[InputSchema]) -> InputSchema:
    """Return the schema that has each feature of one or more schemas, in their order.

    A feature of several schemas has the narrowest range of them and may be missing if it may be in
    all of them. It is sensitive or personal if it is in one.

    Raises:
        NotConvertible: a feature has two kinds, or is protected in two ways.
    """
    found: dict[str, Feature] = {}
    for feature in (one for schema in schemas for one in schema.features):
        known = found.get(feature.name)
        found[feature.name] = feature if known is None else _narrowest(known, feature)
    return InputSchema(features=tuple(found.values()))


def _narrowest(one: Feature, other: Feature) -> Feature:
    if one.kind != other.kind:
        reason = f"the feature {one.name} is {one.kind} in one part and {other.kind} in another"
        raise NotConvertible("a mean", reason)
    if None not in {one.personal, other.personal} and one.personal != other.personal:
        raise NotConvertible("a mean", f"the parts protect {one.name} in different ways")
    lows = [each.low for each in (one, other) if each.low is not None]
    highs = [each.high for each in (one, other) if each.high is not None]
    dtypes = [each.dtype for each in (one, other) if each.dtype is not None]
    return Feature(
        name=one.name,
        kind=one.kind,
        low=max(lows, default=None),
        high=min(highs, default=None),
        missing=one.missing and other.missing,
        dtype=min(dtypes, key=_width, default=None),
        sensitive=one.sensitive or other.sensitive,
        personal=one.personal or other.personal,
    )


def _width(dtype: FeatureDtype) -> float:
    low, high = RANGES[dtype]
    return high - low
