"""Versions of a data set as commits of a Delta table: https://github.com/delta-io/delta.

    flights/_delta_log/00000000000000000000.json   the commit of version 1
    flights/version-1-part-0.parquet               its rows; read-only
    flights/_croissant-1.json                      what is known of them, for other programs

A commit has the files of a version, what the catalogue knows of it, and of a topic the offsets up
to which it was read, as transactions of the application `modstream/<source>/<partition>`. So there
are rows and offsets, or neither. Only writing needs the library deltalake, an extra.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from modstream.datasets.croissant import write_metadata
from modstream.datasets.dataset import DataSet, DatasetFacts, DatasetFile
from modstream.datasets.errors import CatalogueUnusable
from modstream.datasets.files import sync_folder
from modstream.datasets.parquet import load_library

LOG = "_delta_log"
FACTS = "modstream:facts"
"""The key of what the catalogue knows in the information of a commit."""
EXTRA = "delta"
NAIVE_TIMES = "timestampNtz"


@dataclass(frozen=True, slots=True)
class TableCommit:
    """A commit of a table; `facts` is None if modstream has not made it."""

    facts: DatasetFacts | None
    changes_files: bool


def is_delta(table: Path) -> bool:
    """Return whether a folder is a Delta table, or is about to become one."""
    return (table / LOG).is_dir()


def delta_versions(table: Path) -> list[int]:
    """Return the versions in a table, ascending.

    Raises:
        CatalogueUnusable: the log cannot be read.
    """
    found = [one.facts.version for one in _commits(table) if one.facts is not None]
    return sorted(found)


def read_delta_facts(table: Path, version: int) -> DatasetFacts:
    """Return what the catalogue knows of a version.

    Raises:
        CatalogueUnusable: the log cannot be read, or another program has changed the table.
    """
    found = None
    for commit in _commits(table):
        if commit.facts is None and commit.changes_files:
            raise CatalogueUnusable(table, "another program has changed the rows of this table")
        if commit.facts is not None and commit.facts.version == version:
            found = commit.facts
    if found is None:
        raise CatalogueUnusable(table, f"its log has no version {version}")
    return found


def commit_version(staging: Path, table: Path, facts: DatasetFacts) -> DataSet:
    """Move the new files of a version to its table and commit them: from then on it exists.

    What a process that was killed before the commit has left in the table is replaced.

    Raises:
        CatalogueUnusable: the table cannot be written, or another program changes it meanwhile.
        DataLibraryMissing: deltalake is not installed.
    """
    deltalake = load_library("deltalake", EXTRA)
    earlier = delta_versions(table) if is_delta(table) else []
    known: Sequence[DatasetFile] = ()
    if earlier:
        known = read_delta_facts(table, earlier[-1]).files
    table.mkdir(parents=True, exist_ok=True)
    added = [file for file in facts.files if file not in known]
    for file in added:
        (staging / file.name).replace(table / file.name)
    write_metadata(table, facts, f"_croissant-{facts.version}.json")
    sync_folder(table)
    keeps_all = len(added) + len(known) == len(facts.files)
    try:
        _commit(deltalake, table, facts, added, "append" if keeps_all else "overwrite")
    except deltalake.exceptions.DeltaError as error:
        raise CatalogueUnusable(table, str(error)) from None
    sync_folder(table / LOG)
    return DataSet(table, facts)


def _commit(
    deltalake: Any,  # noqa: ANN401 - a module
    table: Path,
    facts: DatasetFacts,
    added: Sequence[DatasetFile],
    mode: str,
) -> None:
    parquet, transaction = load_library("pyarrow.parquet"), load_library("deltalake.transaction")
    arrow = parquet.read_schema(table / facts.files[-1].name).remove_metadata()
    schema = deltalake.Schema.from_arrow(arrow)
    moment = datetime.fromisoformat(facts.created)
    milliseconds = round(moment.timestamp() * 1000)
    actions = [
        transaction.AddAction(
            path=file.name,
            size=file.size,
            partition_values={},
            modification_time=milliseconds,
            data_change=True,
            stats=json.dumps({"numRecords": file.rows}),
        )
        for file in added
    ]
    properties = transaction.CommitProperties(
        custom_metadata={FACTS: facts.model_dump_json()},
        max_commit_retries=0,
        app_transactions=[
            transaction.Transaction(
                app_id=app_id(facts.provenance.source, partition),
                version=offset,
                last_updated=milliseconds,
            )
            for partition, offset in (facts.provenance.offsets or {}).items()
        ],
    )
    # The log is what the catalogue reads: its old commits stay.
    hooks = transaction.PostCommitHookProperties(cleanup_expired_logs=False)
    options = {"commit_properties": properties, "post_commithook_properties": hooks}
    if not deltalake.DeltaTable.is_deltatable(str(table)):
        transaction.create_table_with_add_actions(
            str(table), schema, actions, name=facts.name, description=facts.description, **options
        )
        return
    present = deltalake.DeltaTable(str(table))
    _allow_naive_times(deltalake, present, arrow)
    present.create_write_transaction(actions, mode, schema, **options)


def app_id(source: str, partition: int) -> str:
    """Return the application whose transactions count the offsets of a partition of a source."""
    return f"modstream/{source}/{partition}"


def _allow_naive_times(deltalake: Any, table: Any, schema: Any) -> None:  # noqa: ANN401 - of libraries
    """Let a table have times without a zone, if the schema has some; a commit without files."""
    types = load_library("pyarrow").types
    needs = any(types.is_timestamp(one.type) and one.type.tz is None for one in schema)
    if needs and NAIVE_TIMES not in (table.protocol().reader_features or ()):
        feature = deltalake.TableFeatures.TimestampWithoutTimezone
        table.alter.add_feature(feature, allow_protocol_versions_increase=True)


def _commits(table: Path) -> Iterator[TableCommit]:
    """Yield the commits that the log still has, oldest first."""
    for path in sorted((table / LOG).glob("*.json")):
        if not path.stem.isdecimal():
            continue
        try:
            actions = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
            texts = [one["commitInfo"].get(FACTS) for one in actions if "commitInfo" in one]
            facts = [DatasetFacts.model_validate_json(text) for text in texts if text is not None]
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise CatalogueUnusable(path, f"it is not a commit: {error!r}"[:300]) from None
        changes = any("add" in one or "remove" in one for one in actions)
        yield TableCommit(facts[0] if facts else None, changes)
