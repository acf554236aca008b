"""The profile of a whole data set: its columns, their associations, what to look at."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from modstream.models.datasets.associations import Associations
from modstream.models.datasets.column_profiles import ColumnProfile
from modstream.models.datasets.label_proposal import LabelProposal

MANY_MISSING = 0.5
SUSPICIOUS_SHARE = 0.9
"""Share of the label's entropy that a single honest feature hardly ever explains."""


@dataclass(frozen=True, slots=True)
class DatasetProfile:
    """What is computed from the rows of a version; `sampled_rows` is what associations are from."""

    title: str
    origin: str
    rows: int
    size: int
    columns: tuple[ColumnProfile, ...]
    associations: Associations
    label: LabelProposal | None
    time_column: str | None
    sha256: str

    @property
    def missing(self) -> int:
        """The number of missing cells."""
        return sum(column.missing for column in self.columns)


def remarks(profile: DatasetProfile) -> list[str]:
    """Return what should be looked at before a model is trained, as sentences."""
    return [*_of_columns(profile.columns), *_of_label(profile)]


def _of_columns(columns: Sequence[ColumnProfile]) -> Iterator[str]:
    for column in columns:
        if not column.present:
            yield f"{column.name} has no values."
        elif column.is_constant:
            yield f"{column.name} has the same value in all rows: it says nothing."
        elif column.is_unique and not column.missing and column.kind in {"string", "int"}:
            yield f"{column.name} is different in all rows: an id, not a feature."
        if 0 < column.present < (1 - MANY_MISSING) * column.rows:
            yield f"{column.name} is missing in {column.missing / column.rows:.0%} of the rows."


def _of_label(profile: DatasetProfile) -> Iterator[str]:
    if profile.label is None:
        return
    name = profile.label.column
    for column in profile.columns:
        if column.name == name and column.missing:
            yield (
                f"The label {name} is missing in {column.missing:,} rows: they cannot be learned"
                " from."
            )
    for pair in profile.associations.with_column(name):
        if pair.value >= SUSPICIOUS_SHARE:
            yield (
                f"{pair.second} nearly determines the label {name}: is it known when a prediction"
                " is made?"
            )
