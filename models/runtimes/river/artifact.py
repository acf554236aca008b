"""Artifacts of River models: one header line with the versions in JSON, then the pickle."""

import platform
from typing import NamedTuple

import river
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from river.base import Estimator

from modstream.models.errors import UnreadableArtifact
from modstream.models.runtimes.river.safe_pickle import dumps_checked, loads

_MAGIC = b"modstream-river "
_FORMAT = 1
_MAX_HEADER_BYTES = 256


class UnpackedModel(NamedTuple):
    """A River model, and the last period that it has learned if it is a forecaster."""

    model: Estimator
    last_period: int | None


class _Header(BaseModel):
    """The header before the pickle: the versions that wrote it, which decide who can read it."""

    model_config = ConfigDict(frozen=True)

    format: int = Field(ge=1)
    river: str
    python: str
    period: int | None = None


def pack(model: Estimator, last_period: int | None = None) -> bytes:
    """Serialize a River model; `last_period` is the last one that a forecaster has learned.

    Raises:
        ForbiddenGlobal: the model refers to an object outside the allow-list.
        UnreadableArtifact: the model cannot be pickled and loaded back for another reason.
    """
    header = _Header(
        format=_FORMAT,
        river=river.__version__,
        python=platform.python_version(),
        period=last_period,
    )
    line = header.model_dump_json(exclude_none=True).encode()
    return _MAGIC + line + b"\n" + dumps_checked(model)


def unpack(artifact: bytes) -> UnpackedModel:
    """Read an artifact written by `pack`.

    Raises:
        ForbiddenGlobal: the pickle refers to an object outside the allow-list.
        UnreadableArtifact: it is damaged, not a River model, or of another River release.
    """
    line, newline, pickled = artifact.partition(b"\n")
    if not artifact.startswith(_MAGIC) or not newline or len(line) > _MAX_HEADER_BYTES:
        reason = (
            "it does not begin with the header that modstream writes: write it with"
            " modstream.models.runtimes.river.artifact.pack(model), or save the model with pickle"
            " as .pkl and publish that with --trust"
        )
        raise UnreadableArtifact("river", reason)
    header = _read_header(line.removeprefix(_MAGIC))
    model = loads(pickled)
    if not isinstance(model, Estimator):
        raise UnreadableArtifact("river", f"it is a {type(model).__name__}, not a River model")
    return UnpackedModel(model, header.period)


def _read_header(line: bytes) -> _Header:
    """Parse the header; reject another format or River release.

    A pickle of one release may not load in another; those of River 0.25 do not load in 0.26.
    """
    try:
        header = _Header.model_validate_json(line)
    except ValidationError as error:
        raise UnreadableArtifact("river", "its header is not valid") from error
    if header.format != _FORMAT:
        raise UnreadableArtifact(
            "river", f"it has format {header.format}, this modstream reads {_FORMAT}"
        )
    if _minor_release(header.river) != _minor_release(river.__version__):
        reason = (
            f"River {header.river} wrote it, this is River {river.__version__};"
            " train it again with this release"
        )
        raise UnreadableArtifact("river", reason)
    return header


def _minor_release(version: str) -> list[str]:
    return version.split(".")[:2]
