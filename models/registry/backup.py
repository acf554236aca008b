"""The cellar: copies on disk of versions that passed through here, for the day Redis has lost them.

A folder a model; a version is `<version>.json`, its card word by word with its signature, and
`<version>.bin`, its artifact. The card is written last, so where it stands the artifact is whole.
"""

from collections.abc import Collection
from pathlib import Path
from uuid import uuid4

from modstream.models.errors import ArtifactError, UnreadableCard
from modstream.models.registry.queries import read_card
from modstream.models.schema.artifact import verify
from modstream.models.schema.card import ModelCard

CARD, ARTIFACT = ".json", ".bin"


class Cellar:
    """Copies below one folder; safe to use from several threads and processes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, card: ModelCard, artifact: bytes) -> None:
        """Keep a copy of a version, in place of any other under its number.

        Raises:
            ArtifactError: the bytes are not those of the card.
            OSError: the disk is full, or not ours to write.
        """
        text = card.model_dump_json().encode()
        kept = self._path(card.name, card.version, CARD)
        if kept.exists() and kept.read_bytes() == text:
            return
        verify(artifact, card)
        kept.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        kept.unlink(missing_ok=True)
        replace(self._path(card.name, card.version, ARTIFACT), artifact)
        replace(kept, text)

    def get(self, name: str, version: int) -> tuple[ModelCard, bytes] | None:
        """Take a version's card and artifact; None if there is no copy, or it is damaged."""
        try:
            card = read_card(name, version, self._path(name, version, CARD).read_bytes())
            artifact = self._path(name, version, ARTIFACT).read_bytes()
            verify(artifact, card)
        except (OSError, UnreadableCard, ArtifactError):
            return None
        return card, artifact

    def versions(self, name: str) -> set[int]:
        """The versions of a model of which there are copies."""
        found = (path.stem for path in (self._folder / name).glob(f"*{CARD}"))
        return {int(stem) for stem in found if stem.isdecimal()}

    def keep_only(self, name: str, versions: Collection[int]) -> None:
        """Throw away the copies of all other versions of a model."""
        for version in self.versions(name).difference(versions):
            self._path(name, version, CARD).unlink(missing_ok=True)
            self._path(name, version, ARTIFACT).unlink(missing_ok=True)

    def _path(self, name: str, version: int, ending: str) -> Path:
        return self._folder / name / f"{version}{ending}"


def replace(path: Path, content: bytes) -> None:
    """Write a file so that a reader sees the old one or the whole new one."""
    draft = path.with_name(f".{uuid4().hex}")
    try:
        draft.write_bytes(content)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
