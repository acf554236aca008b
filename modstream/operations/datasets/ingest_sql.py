"""The rows of a query of a database as a data set."""

from itertools import islice
from pathlib import Path

from modstream.datasets.dataset import Provenance
from modstream.datasets.staged_version import StagedVersion
from modstream.errors import UnusableSource
from modstream.operations.datasets.space import SpaceEstimate
from modstream.operations.datasets.spooled_rows import estimate_rows, ingest_rows
from modstream.operations.precompute.sql_rows import read_sql

SAMPLE_ROWS = 1_000


def estimate_sql(url: str, query: str, folder: Path) -> SpaceEstimate:
    """Return how much space the rows of a query will need.

    Raises:
        UnusableSource: the database refuses the query.
    """
    sample = list(islice(read_sql(url, query), SAMPLE_ROWS))
    return estimate_rows(sample, _count(url, query), folder)


def ingest_sql(url: str, query: str, shown: str, staged: StagedVersion) -> Provenance:
    """Write the rows of a query to a new version; `shown` is the source without password.

    Raises:
        UnusableSource: the database refuses the query.
        SourceUnusable: there are no rows.
    """
    ingest_rows(read_sql(url, query), shown, staged)
    return Provenance(operation="ingest", source=shown, details={"query": query})


def _count(url: str, query: str) -> int | None:
    """Return the number of rows; None if the database does not count those of this query."""
    try:
        counted = read_sql(url, f"SELECT count(*) AS rows_ FROM ({query.rstrip('; ')}) AS query_")  # noqa: S608 - the user's own query
        return next((int(row["rows_"]) for row in counted), None)
    except UnusableSource:
        return None
