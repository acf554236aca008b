"""The log of a service on a terminal."""

import json
import logging
from io import StringIO

import pytest
import structlog

from modstream import logs
from modstream.settings import load_settings


@pytest.fixture
def logged(monkeypatch):
    """Yield a function that logs three lines in one format and returns them."""
    root, before = logging.getLogger(), structlog.get_config()
    handlers, level = list(root.handlers), root.level

    def log(log_format: str) -> list[str]:
        stream = StringIO()
        logs.configure(load_settings(log_format=log_format), stream)
        logger = structlog.get_logger("modstream.services.worker")
        logger.info("requests answered", requests=12_745_000, refused=120)
        logger.warning("record skipped", at="flights.metrics:0:1")
        return stream.getvalue().splitlines()

    yield log
    root.handlers, root.level = handlers, level
    structlog.configure(**before)


def test_a_line_on_a_terminal_is_short_and_has_its_level_only_if_it_is_not_info(logged):
    answered, skipped = logged("console")

    assert answered[8:] == " requests answered refused=120 requests=12745000"
    assert len(answered) < 80
    assert "warning" in skipped
    assert "modstream.services" not in answered


def test_json_lines_have_the_whole_time_the_level_and_the_logger(logged):
    line = json.loads(logged("json")[0])

    assert (line["level"], line["logger"]) == ("info", "modstream.services.worker")
    assert len(line["timestamp"]) > 20


@pytest.mark.parametrize(("is_terminal", "shown"), [(True, []), (False, ["Connection refused"])])
def test_what_the_clients_log_during_an_outage_is_left_out_on_a_terminal(
    monkeypatch, is_terminal, shown
):
    stream = StringIO()
    monkeypatch.setattr(stream, "isatty", lambda: is_terminal)
    root, before = logging.getLogger(), structlog.get_config()
    handlers, level = list(root.handlers), root.level

    logs.configure(load_settings(log_format="json"), stream)
    for library in ("librdkafka", "aiokafka"):
        logging.getLogger(library).error("Connection refused")

    root.handlers, root.level = handlers, level
    structlog.configure(**before)
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == 2 * shown
