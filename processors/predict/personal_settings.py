"""Settings of personal features."""

from dataclasses import dataclass, field
from functools import cached_property

from modstream.models.errors import PersonalUnprotected
from modstream.models.schema.card import ModelCard
from modstream.models.schema.personal import Protection


@dataclass(frozen=True)
class PersonalSettings:
    """Which features of a stream are personal, and what becomes of them."""

    features: dict[str, str] = field(default_factory=dict)
    """What becomes of personal features before anything is predicted on or written: `drop`,
    `pseudonymise`, `generalise=WIDTH` or `shorten=LENGTH` by name. It holds for all models of the
    stream."""
    seal: bool = False
    """Whether modstream's clients and gateway encrypt these features in requests, with a key of the
    person, and replace the key of the request by a pseudonym. Workers decrypt them."""

    def __post_init__(self) -> None:
        """Check the protections."""
        for name, text in self.features.items():
            if not name:
                raise ValueError("a personal feature needs a name")
            Protection.parse(text)

    @cached_property
    def protections(self) -> dict[str, Protection]:
        """What becomes of each personal feature."""
        return {name: Protection.parse(text) for name, text in self.features.items()}

    def require(self, card: ModelCard) -> None:
        """Check that the stream protects the features that a version marks as personal.

        Raises:
            PersonalUnprotected: it does not, or in another way.
        """
        for one in card.input_schema.features:
            if one.personal is not None:
                wanted = Protection.parse(one.personal)
                if self.protections.get(one.name) != wanted:
                    raise PersonalUnprotected(one.name, one.personal, self.features.get(one.name))

    @property
    def sealed_names(self) -> frozenset[str]:
        """The features that clients seal; empty if they seal none."""
        return frozenset(self.features) if self.seal else frozenset()
