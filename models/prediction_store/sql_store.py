"""The prediction store in PostgreSQL, by SQLAlchemy: a table of predictions, and one of offsets.

Installations that share a database differ in the column `installation`. Outputs and features are
text, since PostgreSQL's JSON types refuse NaN, and some escapes; `outputs::json` reads them in SQL.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Self

from sqlalchemy import (
    BigInteger,
    Column,
    Engine,
    MetaData,
    Table,
    Text,
    create_engine,
    delete,
    func,
    make_url,
    select,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError, ProgrammingError, SQLAlchemyError

from modstream.models.prediction_store.errors import StoreUnavailable
from modstream.models.prediction_store.store import NextOffsets, VersionKeys, check_offsets
from modstream.models.prediction_store.stored_prediction import StoredPrediction

DRIVER = "postgresql+psycopg"
PAGE_ROWS = 2_000
"""Number of rows of one reply to a question for many."""

METADATA = MetaData()
PREDICTIONS = Table(
    "modstream_predictions",
    METADATA,
    Column("installation", Text, primary_key=True),
    Column("model", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("outputs", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("position", Text, nullable=False),
    Column("event_time", BigInteger),
    Column("features", Text),
)
OFFSETS = Table(
    "modstream_prediction_offsets",
    METADATA,
    Column("installation", Text, primary_key=True),
    Column("partition", Text, primary_key=True),
    Column("next_offset", BigInteger, nullable=False),
)


class SqlPredictionStore:
    """The newest predictions in PostgreSQL; see `modstream.models.prediction_store.store`."""

    def __init__(self, url: str, prefix: str, timeout_seconds: float) -> None:
        parsed = make_url(url).set(drivername=DRIVER)
        self._address = f"{parsed.host or 'localhost'}:{parsed.port or 5432}/{parsed.database}"
        self._installation = prefix
        seconds = max(1, round(timeout_seconds))
        self._engine: Engine = create_engine(
            parsed,
            pool_pre_ping=True,
            connect_args={
                "connect_timeout": seconds,
                "options": f"-c statement_timeout={seconds * 1000}",
            },
        )
        self._has_tables = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def get(self, model: str, key: str) -> StoredPrediction | None:
        """Return the newest prediction of a model for a key; None if there is none."""
        wanted = self._of(model).where(PREDICTIONS.c.key == key)
        with self._translated(), self._engine.connect() as connection:
            row = connection.execute(wanted).first()
        return None if row is None else _to_prediction(row)

    def write(
        self, predictions: Sequence[StoredPrediction], before: NextOffsets, after: NextOffsets
    ) -> None:
        """Replace the predictions of some keys, and move the offsets, in one transaction."""
        # In the same order in every transaction, so that two of them never wait for each other.
        ordered = sorted(predictions, key=lambda one: (one.model, one.key))
        with self._translated(), self._engine.begin() as connection:
            if before:
                connection.execute(
                    insert(OFFSETS).on_conflict_do_nothing(),
                    self._offset_rows(dict.fromkeys(before, 0)),
                )
            found = select(OFFSETS.c.partition, OFFSETS.c.next_offset).where(
                OFFSETS.c.installation == self._installation,
                OFFSETS.c.partition.in_(list(before)),
            )
            locked = connection.execute(found.order_by(OFFSETS.c.partition).with_for_update())
            check_offsets({row.partition: row.next_offset for row in locked}, before)
            if ordered:
                connection.execute(_upsert(PREDICTIONS), list(map(self._row, ordered)))
            if after:
                connection.execute(_upsert(OFFSETS), self._offset_rows(after))

    def offsets(self, topic: str) -> dict[str, int]:
        """Return the next offset of each partition of a topic that was read."""
        found = select(OFFSETS.c.partition, OFFSETS.c.next_offset).where(
            OFFSETS.c.installation == self._installation
        )
        with self._translated(), self._engine.connect() as connection:
            rows = connection.execute(found).all()
        return {
            row.partition: row.next_offset
            for row in rows
            if row.partition.rpartition(":")[0] == topic
        }

    def count_versions(self, model: str) -> dict[int, int]:
        """Return the number of keys by the version that predicted them."""
        version = PREDICTIONS.c.version
        counts = select(version, func.count()).where(*self._is_of(model)).group_by(version)
        with self._translated(), self._engine.connect() as connection:
            return {row[0]: row[1] for row in connection.execute(counts)}

    def version_ages(self, model: str) -> dict[int, VersionKeys]:
        """Return the number of keys by the version that predicted them, and their ages."""
        version, created = PREDICTIONS.c.version, PREDICTIONS.c.created
        ages = select(version, func.count(), func.min(created), func.max(created))
        grouped = ages.where(*self._is_of(model)).group_by(version)
        with self._translated(), self._engine.connect() as connection:
            return {row[0]: VersionKeys(*row[1:]) for row in connection.execute(grouped)}

    def by_other_versions(self, model: str, version: int) -> Iterator[StoredPrediction]:
        """Yield the predictions that other versions than this one have made."""
        others = self._of(model).where(PREDICTIONS.c.version != version).order_by(PREDICTIONS.c.key)
        page = others.limit(PAGE_ROWS)
        while True:
            with self._translated(), self._engine.connect() as connection:
                rows = connection.execute(page).all()
            yield from map(_to_prediction, rows)
            if len(rows) < PAGE_ROWS:
                return
            page = others.where(PREDICTIONS.c.key > rows[-1].key).limit(PAGE_ROWS)

    def erase(self, model: str, key: str) -> bool:
        """Remove the prediction of a model for a key; return whether there was one."""
        wanted = delete(PREDICTIONS).where(*self._is_of(model), PREDICTIONS.c.key == key)
        with self._translated(), self._engine.begin() as connection:
            return bool(connection.execute(wanted).rowcount)

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    def _is_of(self, model: str) -> tuple[Any, ...]:
        return (PREDICTIONS.c.installation == self._installation, PREDICTIONS.c.model == model)

    def _of(self, model: str) -> Any:  # noqa: ANN401 - a select of all columns
        return select(PREDICTIONS).where(*self._is_of(model))

    def _offset_rows(self, offsets: NextOffsets) -> list[dict[str, Any]]:
        return [
            {"installation": self._installation, "partition": name, "next_offset": offset}
            for name, offset in sorted(offsets.items())
        ]

    def _row(self, one: StoredPrediction) -> dict[str, Any]:
        features = one.features_json
        return {
            "installation": self._installation,
            "model": one.model,
            "key": one.key,
            "version": one.version,
            "outputs": one.outputs_json.decode(),
            "id": one.id.replace("\0", "\\u0000"),  # A text of PostgreSQL has no NUL.
            "created": one.created,
            "position": one.position,
            "event_time": one.event_time,
            "features": None if features is None else features.decode(),
        }

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Create missing tables at the first use; translate the errors of SQLAlchemy."""
        try:
            if not self._has_tables:
                self._create_tables()
            yield
        except SQLAlchemyError as error:
            reason = str(getattr(error, "orig", None) or error).strip().splitlines()
            raise StoreUnavailable(self._address, reason[0] if reason else "no reason") from error

    def _create_tables(self) -> None:
        try:
            METADATA.create_all(self._engine)
        except (IntegrityError, ProgrammingError):
            METADATA.create_all(self._engine)  # Another process has created them meanwhile.
        self._has_tables = True


def _upsert(table: Table) -> Any:  # noqa: ANN401 - an insert of PostgreSQL's dialect
    statement = insert(table)
    keys = [column.name for column in table.primary_key]
    changed = {
        column.name: statement.excluded[column.name]
        for column in table.columns
        if column.name not in keys
    }
    return statement.on_conflict_do_update(index_elements=keys, set_=changed)


def _to_prediction(row: Any) -> StoredPrediction:  # noqa: ANN401 - a row of the table
    return StoredPrediction(
        row.model,
        row.key,
        row.version,
        row.outputs.encode(),
        row.id,
        row.created,
        row.position,
        row.event_time,
        None if row.features is None else row.features.encode(),
    )
