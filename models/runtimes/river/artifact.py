"""River models as artifacts: one line of JSON on who wrote it, then the pickle."""

import platform
from typing import NamedTuple

import river
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from river.base import Estimator

from modstream.models.errors import UnreadableArtifact
from modstream.models.runtimes.river.safe_pickle import dumps_checked, loads

_MAGIC = b"modstream-river "
_FORMAT = 1
_LONGEST_HEADER = 256


class Packed(NamedTuple):
    """A River model, and of a forecaster the last period that it has learned, if any."""

    model: Estimator
    period: int | None


class _Envelope(BaseModel):
    """The line of JSON before the pickle: who wrote it, which decides who can read it."""

    model_config = ConfigDict(frozen=True)

    format: int = Field(ge=1)
    river: str
    python: str
    period: int | None = None


def pack(model: Estimator, period: int | None = None) -> bytes:
    """Write a River model as an artifact; `period` is the last that a forecaster has learned.

    Raises:
        ForbiddenGlobal: the model could not be loaded back by the allow-list.
        UnreadableArtifact: the model could not be loaded back for another reason.
    """
    envelope = _Envelope(
        format=_FORMAT,
        river=river.__version__,
        python=platform.python_version(),
        period=period,
    )
    header = envelope.model_dump_json(exclude_none=True).encode()
    return _MAGIC + header + b"\n" + dumps_checked(model)


def unpack(artifact: bytes) -> Packed:
    """Read an artifact written by `pack`.

    Raises:
        ForbiddenGlobal: the pickle refers to something outside the allow-list.
        UnreadableArtifact: it is damaged, no River model, or of another River release.
    """
    header, newline, pickled = artifact.partition(b"\n")
    if not artifact.startswith(_MAGIC) or not newline or len(header) > _LONGEST_HEADER:
        raise UnreadableArtifact("river", "it does not begin with an envelope")
    envelope = _read(header.removeprefix(_MAGIC))
    model = loads(pickled)
    if not isinstance(model, Estimator):
        raise UnreadableArtifact("river", f"it holds a {type(model).__name__}, not a model")
    return Packed(model, envelope.period)


def _read(header: bytes) -> _Envelope:
    """Refuse another format or River release: pickles do not survive 0.25 to 0.26, for one."""
    try:
        envelope = _Envelope.model_validate_json(header)
    except ValidationError as error:
        raise UnreadableArtifact("river", "its envelope is not valid") from error
    if envelope.format != _FORMAT:
        raise UnreadableArtifact("river", f"it has format {envelope.format}, this is {_FORMAT}")
    if _release(envelope.river) != _release(river.__version__):
        reason = f"River {envelope.river} wrote it, this is River {river.__version__}; relearn it"
        raise UnreadableArtifact("river", reason)
    return envelope


def _release(version: str) -> list[str]:
    return version.split(".")[:2]
