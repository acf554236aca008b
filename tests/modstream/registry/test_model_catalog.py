"""What a client is told to send: all features but those that the stream adds."""

import pytest

from modstream.models.schema.artifact import Artifact
from modstream.models.schema.input_schema import InputSchema
from modstream.producers.gateway.protocol import grpc_metadata, metadata
from modstream.registry.model_catalog import OPTIONAL, RegistryCatalog
from tests.models.version_specs import version_spec


class OneCard:
    """Stand-in for a registry with one version."""

    def card(self, _name, _version):
        spec = version_spec().model_copy(
            update={"input_schema": InputSchema.of_floats(["x", "rate", "y", "count"])}
        )
        return spec.make_card(1, Artifact(b""))


@pytest.mark.parametrize(
    ("added", "inputs", "optional"),
    [
        (frozenset(), ["x", "rate", "y", "count"], None),
        (frozenset({"rate", "count", "other"}), ["x", "y"], "rate, count"),
    ],
)
def test_features_of_the_stream_are_optional(added, inputs, optional):
    found = RegistryCatalog(OneCard(), lambda: added).describe("flights", 1)

    assert [one["name"] for one in metadata.model_metadata(found)["inputs"]] == inputs
    assert [one["name"] for one in metadata.model_config(found)["input"]] == inputs
    assert [one.name for one in grpc_metadata.model_metadata(found).inputs] == inputs
    assert found.properties.get(OPTIONAL) == optional
