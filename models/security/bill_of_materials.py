"""The bill of materials of a version: CycloneDX 1.6 with a model card.

https://cyclonedx.org/docs/1.6/json/
"""

from collections.abc import Iterator
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from modstream.models.schema.card import ModelCard

SPEC_VERSION = "1.6"


def bill_of_materials(card: ModelCard) -> dict[str, Any]:
    """Return the document; equal cards have equal documents.

    Its components are the version, the versions that a mean averages, and the libraries that made
    the artifact.
    """
    reference = f"model:{card.name}@{card.version}"
    libraries = list(_libraries(card))
    parts = list(_parts(card))
    made_of = [one["bom-ref"] for one in (*parts, *libraries)]
    return {
        "$schema": f"http://cyclonedx.org/schema/bom-{SPEC_VERSION}.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": SPEC_VERSION,
        "serialNumber": f"urn:uuid:{uuid5(NAMESPACE_URL, f'{reference}:{card.sha256}')}",
        "version": 1,
        "metadata": {
            "timestamp": card.created.isoformat(),
            "component": {
                "type": "machine-learning-model",
                "bom-ref": reference,
                "name": card.name,
                "version": str(card.version),
                "hashes": [{"alg": "SHA-256", "content": card.sha256}],
                "modelCard": _model_card(card),
                "properties": list(_properties(card)),
            },
        },
        "components": [*parts, *libraries],
        "dependencies": [
            {"ref": reference, "dependsOn": made_of},
            *({"ref": one, "dependsOn": []} for one in made_of),
        ],
    }


def _model_card(card: ModelCard) -> dict[str, Any]:
    inputs = [f"{one.name}: {one.kind}" for one in card.input_schema.features]
    inputs += [f"{one.name}: {one.datatype}" for one in card.input_tensors]
    outputs = [str(one) for one in card.classes] or [one.name for one in card.output_tensors]
    parameters = {
        "task": card.task,
        "architectureFamily": card.runtime,
        "inputs": [{"format": one} for one in inputs],
        "outputs": [{"format": one} for one in outputs],
    }
    metrics = [{"type": name, "value": str(value)} for name, value in card.metrics.items()]
    return {
        "modelParameters": parameters,
        "quantitativeAnalysis": {"performanceMetrics": metrics},
    }


def _properties(card: ModelCard) -> Iterator[dict[str, str]]:
    values = {
        "artifact-bytes": card.size,
        "note": card.note,
        "parent": card.parent,
        "installation": card.installation,
        "signature": card.signature,
    }
    for name, value in values.items():
        if value not in (None, ""):
            yield {"name": f"modstream:{name}", "value": str(value)}


def _parts(card: ModelCard) -> Iterator[dict[str, Any]]:
    for one in card.parts:
        yield {
            "type": "machine-learning-model",
            "bom-ref": f"model:{one.name}@{one.version}",
            "name": one.name,
            "version": str(one.version),
            "hashes": [{"alg": "SHA-256", "content": one.sha256}],
        }


def _libraries(card: ModelCard) -> Iterator[dict[str, Any]]:
    for name, version in sorted(card.libraries.items()):
        if name == "python":
            yield {"type": "platform", "bom-ref": "python", "name": name, "version": version}
            continue
        purl = f"pkg:pypi/{name.lower()}@{version}"
        yield {
            "type": "library",
            "bom-ref": purl,
            "name": name,
            "version": version,
            "purl": purl,
        }
