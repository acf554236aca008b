"""A version as files that other tools can check: artifact, card, bill of materials, signature."""

import json
from collections.abc import Mapping
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

from modstream.models.schema.artifact import Artifact
from modstream.models.schema.card import ModelCard
from modstream.models.security.bill_of_materials import bill_of_materials
from modstream.models.security.oms import sign_files

CARD_FILE, BOM_FILE, SIGNATURE_FILE = "card.json", "bom.cdx.json", "model.sig"
SUFFIXES = {"onnx": ".onnx", "sklearn": ".skops"}
"""The suffixes of artifacts that other programs read, by runtime."""


def version_files(card: ModelCard, artifact: Artifact) -> Mapping[str, bytes]:
    """Return the files of a version by their names, without a signature."""
    return {
        f"artifact{SUFFIXES.get(card.runtime, '.bin')}": artifact.content,
        CARD_FILE: f"{card.model_dump_json(indent=2)}\n".encode(),
        BOM_FILE: f"{json.dumps(bill_of_materials(card), indent=2)}\n".encode(),
    }


def write_bundle(
    folder: Path, card: ModelCard, artifact: Artifact, key: EllipticCurvePrivateKey | None
) -> list[Path]:
    """Write the files of a version to a new folder, signed if there is a key; return their paths.

    Raises:
        OSError: the folder exists, or cannot be written.
    """
    files = dict(version_files(card, artifact))
    if key is not None:
        files[SIGNATURE_FILE] = sign_files(folder.name, files, SIGNATURE_FILE, key).encode()
    folder.mkdir(parents=True)
    paths = [folder / name for name in files]
    for path, content in zip(paths, files.values(), strict=True):
        path.write_bytes(content)
    return paths
