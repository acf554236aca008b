"""A query reads the exported log, and nothing else on the machine."""

import pytest

from modstream.errors import LogFolderUnusable, LogQueryFailed
from modstream.operations.inference_log.log_folder import LogFolder
from modstream.operations.inference_log.log_query import open_query
from tests.modstream.operations.inference_log.log_records import export_all, log_record


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("it's [a] *") / "log"
    errors = [{"outcome": "error", "code": "unknown_model", "bytes_out": 9}]
    export_all(
        path,
        [log_record(number, features={"x": number}) for number in range(100)]
        + [log_record(number, outcome="error", answers=errors) for number in range(100, 110)],
    )
    return LogFolder(path)


def run(folder, sql):
    with open_query(folder, sql) as result:
        return [dict(zip(result.columns, row, strict=True)) for row in result.rows()]


def test_a_query_groups_by_model_and_day(folder):
    found = run(
        folder,
        "SELECT model, outcome, count(*) AS requests FROM inferences"
        " WHERE day = '2023-11-14' GROUP BY ALL ORDER BY requests DESC",
    )

    assert found == [
        {"model": "online", "outcome": "answered", "requests": 100},
        {"model": None, "outcome": "error", "requests": 7},
    ]


def test_features_are_json(folder):
    sql = "SELECT sum((features->>'x')::INT) AS s FROM inferences WHERE features IS NOT NULL"

    assert run(folder, sql) == [{"s": sum(range(100))}]


def test_times_are_utc(folder):
    (row,) = run(folder, "SELECT min(answered) AS t, min(answered - arrived) AS d FROM inferences")

    assert row["t"].isoformat() == "2023-11-14T22:13:20"


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM glob('/etc/*')",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM read_csv('{folder}/../../../../../../etc/passwd')",
        "COPY (SELECT 1) TO '{folder}/out.csv'",
        "ATTACH '{folder}/data.db'",
        "INSTALL httpfs",
        "SET enable_external_access = true",
        "CREATE TABLE t AS SELECT 1",
        "DROP VIEW inferences",
        "PRAGMA database_list",
        "SELECT 1; SELECT 2",
        "",
    ],
)
def test_no_statement_reads_or_writes_anything_else(folder, sql):
    before = sorted(folder.path.rglob("*"))

    with pytest.raises(LogQueryFailed):
        run(folder, sql.format(folder=str(folder.path).replace("'", "''")))

    assert sorted(folder.path.rglob("*")) == before


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELEC 1", "syntax error"),
        ("SELECT nope FROM inferences", 'column "nope" not found'),
        ("SELECT error('no')", "no"),
        ("DELETE FROM inferences", "SELECT"),
    ],
)
def test_an_error_names_its_reason(folder, sql, message):
    with pytest.raises(LogQueryFailed, match=message):
        run(folder, sql)


def test_a_log_that_was_not_exported_is_an_error(tmp_path):
    with pytest.raises(LogFolderUnusable, match="modstream log export"):
        run(LogFolder(tmp_path), "SELECT 1")
