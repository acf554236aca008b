"""The bill of materials of a version, checked with the schema of CycloneDX."""

import json

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from modstream.models.schema.card import PartRecord, TensorSpec
from modstream.models.schema.input_schema import InputSchema
from modstream.models.security.bill_of_materials import bill_of_materials
from tests.models.security.test_signing import CARD

CARDS = (
    CARD,
    CARD.model_copy(
        update={
            "classes": (False, True),
            "metrics": {"auc": 0.7612, "log_loss": 0.457},
            "libraries": {"scikit-learn": "1.9.0", "onnx": "1.23.0", "python": "3.11.7"},
            "parent": 6,
            "note": "retrained",
            "installation": "modstream",
            "signature": "AAAA",
        }
    ),
    CARD.model_copy(
        update={
            "parts": (
                PartRecord(name="flights", version=5, sha256="1" * 64),
                PartRecord(name="flights", version=6, sha256="2" * 64, weight=2.0),
            )
        }
    ),
    CARD.model_copy(
        update={
            "task": "tensors",
            "input_schema": InputSchema(features=()),
            "input_tensors": (TensorSpec(name="x", datatype="FP32", shape=(None, 3)),),
            "output_tensors": (TensorSpec(name="y", datatype="FP32", shape=(None,)),),
        }
    ),
)


@pytest.mark.parametrize("card", CARDS)
def test_the_document_is_valid_and_the_same_for_the_same_card(card):
    document = bill_of_materials(card)

    problem = JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(document))

    assert problem is None, problem
    assert bill_of_materials(card) == document


def test_it_names_the_artifact_the_metrics_and_what_the_version_is_made_of():
    document = bill_of_materials(CARDS[1])
    component = document["metadata"]["component"]

    assert component["hashes"] == [{"alg": "SHA-256", "content": CARD.sha256}]
    analysis = component["modelCard"]["quantitativeAnalysis"]
    assert analysis["performanceMetrics"][0] == {"type": "auc", "value": "0.7612"}
    assert {one["bom-ref"] for one in document["components"]} == {
        *("pkg:pypi/scikit-learn@1.9.0", "pkg:pypi/onnx@1.23.0", "python")
    }
    assert {one["name"] for one in bill_of_materials(CARDS[2])["components"]} == {"flights"}


def test_a_wrong_document_is_refused_by_the_schema():
    document = bill_of_materials(CARD)
    document["metadata"]["component"]["type"] = "model"

    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(document)) is not None
