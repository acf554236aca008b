"""The rows of a query of a database, by SQLAlchemy."""

from collections.abc import Iterator
from typing import Any

from modstream.errors import UnusableSource

PAGE_ROWS = 2_000


def split_source(source: str) -> tuple[str, str]:
    """Return the URL and the query of `URL#QUERY`.

    Raises:
        UnusableSource: there is no query.
    """
    url, _, query = source.partition("#")
    if not query.strip():
        raise UnusableSource("sql:URL", "write the query behind a #: sql:URL#SELECT ...")
    return url, query.strip()


def read_sql(url: str, query: str) -> Iterator[dict[str, Any]]:
    """Yield the rows of a query by name; the database sends them page by page.

    Raises:
        UnusableSource: the database refuses the query, or a package is not installed.
    """
    try:
        from sqlalchemy import create_engine, make_url, text  # noqa: PLC0415 - an extra
        from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415
        from sqlalchemy.pool import NullPool  # noqa: PLC0415
    except ImportError:
        raise UnusableSource("sql", "install it with: pip install 'modstream[sql]'") from None
    try:
        parsed = make_url(url)
        if parsed.drivername in {"postgresql", "postgres"}:
            parsed = parsed.set(drivername="postgresql+psycopg")
        # Without a pool, the connection ends with the query.
        engine = create_engine(parsed, poolclass=NullPool)
        with engine.connect() as connection:
            streaming = connection.execution_options(stream_results=True, yield_per=PAGE_ROWS)
            for row in streaming.execute(text(query)).mappings():
                yield dict(row)
    except ImportError as error:
        raise UnusableSource("sql", f"its driver is not installed: {error}") from None
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", None) or error).strip().splitlines()
        raise UnusableSource("sql", reason[0] if reason else "no reason") from None
