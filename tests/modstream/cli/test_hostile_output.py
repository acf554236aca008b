"""Commands print the texts of records, errors and cards without control characters."""

import json
import logging
import sys
from collections.abc import Iterator

import pytest
import structlog
import typer

from modstream import cli, logs
from modstream.broker.wire.codec import KIND_ERROR
from modstream.broker.wire.contracts import ErrorResponse
from modstream.broker.wire.records import Record
from modstream.broker.wire.topics import CONNECT_ERROR_PREFIX, Header
from modstream.cli import _print_error, lazy, main, output
from modstream.cli.inference_log import print_csv
from modstream.cli.output import print_rows
from modstream.cli.produce_consume import record_printer
from modstream.errors import InvalidInputLine
from modstream.live.rolling_stats import RollingStats
from modstream.live.view import LiveView, ViewSources
from modstream.operations.inference_log.log_query import QueryResult
from modstream.settings import load_settings
from tests.modstream.cli.test_record_cells import RECORDS
from tests.modstream.hostile_text import HOSTILE, check_harmless, printed

REQUEST = {"id": "r-1", "model": "m", "version": "champion", "features": {"x": "y"}}
ERROR = {"id": "r-1", "code": "c", "message": "m", "model": "m", "source": RECORDS[1][1]["source"]}


def planted(document: object) -> Iterator[object]:
    """Yield copies of a document, each with a hostile text in the place of one text or name."""
    if isinstance(document, str):
        yield HOSTILE
    elif isinstance(document, dict):
        for name, value in document.items():
            yield from ({**document, name: one} for one in planted(value))
            yield {**{n: v for n, v in document.items() if n != name}, HOSTILE: value}
    elif isinstance(document, list):
        for at, value in enumerate(document):
            yield from ([*document[:at], one, *document[at + 1 :]] for one in planted(value))


def hostile_records(topic: str, document: object, headers=()) -> list[Record]:
    """Return records with a hostile text in each place of the value, the key and the headers."""
    values = [json.dumps(one, ensure_ascii=False).encode() for one in planted(document)]
    return [
        Record(topic, 0, at, HOSTILE.encode(), value, headers, timestamp=0)
        for at, value in enumerate([*values, HOSTILE.encode()])
    ]


CASES = [
    *((topic, hostile_records(topic, document)) for topic, document, _ in RECORDS),
    ("requests", hostile_records("requests", REQUEST)),
    ("predictions", hostile_records("predictions", ERROR, ((Header.KIND, KIND_ERROR),))),
    (
        "dlq",
        hostile_records(
            "dlq",
            "x",
            (
                (f"{CONNECT_ERROR_PREFIX}class.name", HOSTILE.encode()),
                (f"{CONNECT_ERROR_PREFIX}exception.message", HOSTILE.encode()),
                (HOSTILE, HOSTILE.encode()),
            ),
        ),
    ),
    ("inferences", hostile_records("inferences", {"id": "r-1", "outcome": "answered"})),
]


@pytest.mark.parametrize("options", [{}, {"as_json": True}, {"with_record": True}], ids=str)
@pytest.mark.parametrize(("topic", "records"), CASES, ids=[topic for topic, _ in CASES])
def test_consume_prints_no_control_character(topic, records, options):
    given = {"as_json": False, "with_record": False} | options

    check_harmless(printed(lambda: record_printer(topic, **given)(records)))


def test_an_error_steers_nothing_and_has_no_markup():
    shown = printed(lambda: _print_error(InvalidInputLine(1, f"[bold]{HOSTILE}")))

    check_harmless(shown)
    assert "[bold]" in shown


def test_a_table_steers_nothing():
    text = f"[red]{HOSTILE}"

    shown = printed(lambda: print_rows([{text: text}], as_json=False, empty="", title=text))

    check_harmless(shown)
    assert shown.count("[red]") == 3


@pytest.fixture
def logging_is_restored():
    """Restore the configuration of the logs when the test ends."""
    root, before = logging.getLogger(), structlog.get_config()
    handlers, level = list(root.handlers), root.level
    root.handlers = []
    yield
    root.handlers, root.level = handlers, level
    structlog.configure(**before)


@pytest.mark.usefixtures("logging_is_restored")
@pytest.mark.parametrize("defect", [typer.BadParameter, RuntimeError])
def test_what_ends_a_command_steers_nothing(monkeypatch, defect):
    def fail() -> None:
        raise defect(HOSTILE)

    def run() -> None:
        with pytest.raises(SystemExit):
            main()

    app = lazy.lazy_group({}, pretty_exceptions_enable=False)
    app.command("fail")(fail)
    monkeypatch.setattr(cli, "app", app)
    monkeypatch.setattr(sys, "argv", ["modstream", "fail"])

    check_harmless(printed(run))


def test_rows_of_a_query_steer_nothing():
    result = QueryResult((HOSTILE,), iter([[(HOSTILE,), (1.5,), (None,)]]))

    check_harmless(printed(lambda: print_csv(result)).replace("\r\n", "\n"))


@pytest.mark.usefixtures("logging_is_restored")
@pytest.mark.parametrize("is_service", [True, False])
def test_a_log_on_a_terminal_steers_nothing(is_service):
    def write_log() -> None:
        if is_service:
            logs.configure(load_settings(log_format="console"))
        else:
            logs.show_errors_only()
        log = structlog.get_logger("modstream.services.worker")
        log.error(HOSTILE, at=HOSTILE, parts=[HOSTILE], error=ValueError(HOSTILE))
        logging.getLogger("aiokafka.consumer").critical("%s", HOSTILE)
        log.error("failed", exc_info=ValueError(HOSTILE))

    shown = printed(write_log)
    check_harmless(shown)
    assert shown.count("end") >= 5


def test_the_live_view_steers_nothing():
    text = f"[red]{HOSTILE}"
    stats = RollingStats(load_settings().topics(), (text,))
    view = LiveView(ViewSources(stats, lambda: {HOSTILE: 1}, title=text), output.stdout)

    def show() -> None:
        output.stdout.print(view.render())
        output.stdout.print(view.render_line(), soft_wrap=True)

    shown = printed(show)
    check_harmless(shown)
    assert shown.count("[red]") >= 3


def test_an_error_response_is_known_to_the_cases():
    assert ErrorResponse.model_validate(ERROR)
