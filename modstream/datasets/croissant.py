"""The description of a version as Croissant 1.1, JSON-LD.

What Croissant and schema.org have terms for stands in these terms, for other programs. The property
`modstream:facts` has all that the catalogue knows, and is what it reads.

Source: https://docs.mlcommons.org/croissant/docs/croissant-spec-1.1.html.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError

from modstream.datasets.dataset import DatasetFacts
from modstream.datasets.errors import CatalogueUnusable
from modstream.models.datasets.columns import ColumnKind

METADATA = "croissant.json"
FACTS = "modstream:facts"
CONFORMS_TO = "http://mlcommons.org/croissant/1.1"
ROWS = "rows"
"""The id of the record set."""
CONTEXT: Mapping[str, Any] = MappingProxyType(
    {
        "@language": "en",
        "@vocab": "https://schema.org/",
        "arrayShape": "cr:arrayShape",
        "citeAs": "cr:citeAs",
        "column": "cr:column",
        "conformsTo": "dct:conformsTo",
        "containedIn": "cr:containedIn",
        "cr": "http://mlcommons.org/croissant/",
        "rai": "http://mlcommons.org/croissant/RAI/",
        "data": {"@id": "cr:data", "@type": "@json"},
        "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
        "dct": "http://purl.org/dc/terms/",
        "description": {"@container": "@language"},
        "equivalentProperty": "cr:equivalentProperty",
        "examples": {"@id": "cr:examples", "@type": "@json"},
        "extract": "cr:extract",
        "field": "cr:field",
        "fileProperty": "cr:fileProperty",
        "fileObject": "cr:fileObject",
        "fileSet": "cr:fileSet",
        "format": "cr:format",
        "includes": "cr:includes",
        "isArray": "cr:isArray",
        "isLiveDataset": "cr:isLiveDataset",
        "jsonPath": "cr:jsonPath",
        "key": "cr:key",
        "md5": "cr:md5",
        "name": {"@container": "@language"},
        "parentField": "cr:parentField",
        "path": "cr:path",
        "prov": "http://www.w3.org/ns/prov#",
        "recordSet": "cr:recordSet",
        "references": "cr:references",
        "regex": "cr:regex",
        "repeated": "cr:repeated",
        "replace": "cr:replace",
        "samplingRate": "cr:samplingRate",
        "sc": "https://schema.org/",
        "separator": "cr:separator",
        "source": "cr:source",
        "subField": "cr:subField",
        "transform": "cr:transform",
        "modstream": "urn:modstream:",
        FACTS: {"@type": "@json"},
    }
)
DATA_TYPES: Mapping[ColumnKind, str] = MappingProxyType(
    {
        "float": "sc:Float",
        "int": "sc:Integer",
        "bool": "sc:Boolean",
        "string": "sc:Text",
        "timestamp": "sc:DateTime",
        "other": "sc:Text",
    }
)


def write_metadata(folder: Path, facts: DatasetFacts, name: str = METADATA) -> None:
    """Write the description of a version to its folder."""
    document = json.dumps(to_croissant(facts), indent=1)
    path = folder / name
    path.unlink(missing_ok=True)
    path.write_text(f"{document}\n", encoding="utf-8")
    path.chmod(0o444)


def read_facts(folder: Path) -> DatasetFacts:
    """Return what the catalogue knows of the version in a folder.

    Raises:
        CatalogueUnusable: the description cannot be read.
    """
    path = folder / METADATA
    try:
        return DatasetFacts.model_validate(json.loads(path.read_bytes())[FACTS])
    except (OSError, ValueError, KeyError, TypeError) as error:
        is_invalid = isinstance(error, ValidationError)
        raise CatalogueUnusable(
            path, "it is no description" if is_invalid else repr(error)
        ) from None


def to_croissant(facts: DatasetFacts) -> dict[str, Any]:
    """Return the description of a version as a JSON-LD document."""
    source = str(facts.parent) if facts.parent else facts.provenance.source
    return {
        "@context": dict(CONTEXT),
        "@type": "sc:Dataset",
        "name": facts.name,
        "description": facts.description or f"{facts.rows:,} rows of {source}",
        "conformsTo": CONFORMS_TO,
        "version": f"{facts.version}.0.0",
        "dateCreated": facts.created,
        "dateModified": facts.created,
        "datePublished": facts.created,
        "license": facts.license or "unknown",
        "citeAs": f"{facts.name}, version {facts.version}, sha256 {facts.sha256}",
        "dct:accessRights": facts.access,
        "prov:wasDerivedFrom": source,
        "prov:wasGeneratedBy": facts.provenance.operation,
        "distribution": [_file(facts, at) for at in range(len(facts.files))] + _file_set(facts),
        "recordSet": [
            {
                "@type": "cr:RecordSet",
                "@id": ROWS,
                "name": ROWS,
                "field": [_field(facts, column.name, column.kind) for column in facts.columns],
            }
        ],
        FACTS: facts.model_dump(mode="json"),
    }


def _file(facts: DatasetFacts, at: int) -> dict[str, Any]:
    file = facts.files[at]
    return {
        "@type": "cr:FileObject",
        "@id": file.name,
        "name": file.name,
        "contentUrl": file.name,
        "contentSize": f"{file.size} B",
        "encodingFormat": "application/x-parquet",
        "sha256": file.sha256,
    }


def _file_set(facts: DatasetFacts) -> list[dict[str, Any]]:
    """Return the set of all files, if there are several."""
    if len(facts.files) == 1:
        return []
    # The folder of a Delta table also has the files of other versions.
    names = [file.name for file in facts.files]
    return [
        {
            "@type": "cr:FileSet",
            "@id": "parts",
            "name": "parts",
            "encodingFormat": "application/x-parquet",
            "includes": names if facts.form == "delta" else "*.parquet",
        }
    ]


def _field(facts: DatasetFacts, name: str, kind: ColumnKind) -> dict[str, Any]:
    one = facts.files[0].name
    files = {"fileObject": {"@id": one}} if len(facts.files) == 1 else {"fileSet": {"@id": "parts"}}
    field: dict[str, Any] = {
        "@type": "cr:Field",
        "@id": f"{ROWS}/{name}",
        "name": f"{ROWS}/{name}",
        "dataType": DATA_TYPES[kind],
        "source": {**files, "extract": {"column": name}},
    }
    if name == facts.label:
        field["description"] = "the label"
    return field
