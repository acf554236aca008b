"""The source of a precompute run: a file, a topic, a query, or the stale rows of the store."""

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import typer

from modstream.broker.wire.codec import encode
from modstream.cli.input_rows import STANDARD_INPUT, open_input, read_rows
from modstream.cli.row_values import RowParser
from modstream.errors import InvalidValue
from modstream.models.prediction_store.store import PredictionStore
from modstream.models.schema.card import ModelCard
from modstream.operations.precompute.begin import WantedRun
from modstream.operations.precompute.parquet_rows import read_parquet
from modstream.operations.precompute.request_encoder import MakeRequest, row_encoder
from modstream.operations.precompute.source_rows import (
    SourceRow,
    file_fingerprint,
    with_key,
)
from modstream.operations.precompute.sql_rows import read_sql, split_source
from modstream.operations.precompute.stale_rows import StaleRows
from modstream.operations.precompute.topic_rows import read_topic
from modstream.settings import Settings

TOPIC, SQL, STALE = "topic:", "sql:", "stale"
PARQUET = ".parquet"


def find_source(
    settings: Settings, source: str, key: str | None, card: ModelCard, version: int | str
) -> tuple[WantedRun, "FileRows | None"]:
    """Return the run for a source, and the rows of a file; other sources are copied first.

    Raises:
        typer.BadParameter: the source cannot be read, or its rows have no key.
        UnusableSource: the source has no query.
    """
    wanted = partial(WantedRun, card.name, version, without_password(source), key or "")
    if source.startswith(TOPIC):
        topic = source.removeprefix(TOPIC)
        return wanted(copied=partial(read_topic, settings.connection, topic, key)), None
    if key is None:
        raise typer.BadParameter("name the column with the key of each row: --key COLUMN")
    if source.startswith(SQL):
        url, query = split_source(source.removeprefix(SQL))
        return wanted(copied=lambda: with_key(read_sql(url, query), key)), None
    rows = FileRows(source, key, RowParser(card))
    if source == STANDARD_INPUT:
        return wanted(copied=rows.open), None
    try:
        return wanted(fingerprint=file_fingerprint(Path(source))), rows
    except OSError as error:
        raise typer.BadParameter(f"{source} cannot be read: {error.strerror}") from None


def find_stale(
    store: PredictionStore, card: ModelCard, alias: int | str
) -> tuple[WantedRun, StaleRows]:
    """Return the run that predicts the stale rows of the store again, and these rows."""
    rows = StaleRows(store, card.name, card.version)
    source = f"{STALE}, other than version {card.version}"
    return WantedRun(card.name, alias, source, "", copied=rows.read), rows


class FileRows:
    """The rows of a file, or of standard input, with the value of a column as their key."""

    def __init__(self, source: str, key: str, parser: RowParser) -> None:
        self._source = source
        self._key = key
        self._parser = parser

    def open(self) -> Iterator[SourceRow]:
        """Read the file from its beginning.

        Raises:
            InvalidInputLine: a line is not a valid row.
            UnusableSource: a Parquet file cannot be read.
        """
        return with_key(self._read(), self._key)

    def _read(self) -> Iterator[Mapping[str, Any]]:
        if self._source.lower().endswith(PARQUET):
            yield from read_parquet(Path(self._source))
            return
        with open_input(self._source) as lines:
            for _, row in read_rows(lines, self._parse):
                yield row

    def _parse(self, texts: Mapping[str, str]) -> Mapping[str, Any]:
        """Return the values of a row of CSV; the key stays a text."""
        values = self._parser.parse(texts)
        if self._key in texts:
            values[self._key] = texts[self._key]
        return values


def request_maker(card: ModelCard, version: int | str) -> MakeRequest:
    """Return a function that makes the requests to a version of a model for rows by name."""
    if not card.input_tensors:
        return row_encoder(card.name, version, card.input_schema.features)
    parser = RowParser(card)
    tensors = {spec.name for spec in card.input_tensors}

    def make(request_id: str, row: Mapping[str, Any]) -> bytes:
        values = {name: value for name, value in row.items() if name in tensors}
        try:
            return encode(parser.request(request_id, values, card.name, version))
        except InvalidValue as error:
            raise ValueError(str(error)) from None

    return make


def without_password(source: str) -> str:
    """Return a source as it is shown and stored: the password of a database is left out."""
    scheme, separator, rest = source.partition("://")
    place, at, host = rest.partition("@")
    if not separator or not at or "#" in place:
        return source
    return f"{scheme}://{place.partition(':')[0]}@{host}"
