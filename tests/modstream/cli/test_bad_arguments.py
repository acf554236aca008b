"""Wrong names, encodings and numbers are refused with a sentence, before anything is connected."""

import sys
from io import BytesIO, StringIO, TextIOWrapper

import pytest
import structlog
import typer

from modstream.cli import _print_error, main
from modstream.cli.output import printable
from modstream.cli.produce_consume import parse_messages
from modstream.cli.time_options import parse_time
from modstream.errors import InvalidInputLine

MODEL_COMMANDS = [
    ["models", "show", "NAME"],
    ["models", "promote", "NAME", "1"],
    ["models", "rollback", "NAME"],
    ["models", "publish", "NAME", __file__],
    ["train", "NAME"],
    ["worker", "--model", "NAME"],
    ["learner", "--model", "NAME"],
    ["retrainer", "--model", "NAME"],
    ["load", "--model", "NAME"],
    ["backtest", "--model", "NAME"],
    ["versions", "--model", "NAME"],
    ["predict", "--model", "NAME", "x=1"],
    ["precompute", "--model", "NAME", "--status"],
    ["lookup", "--model", "NAME", "k"],
    ["batch-predict", "rows.csv", "--to", "answers.parquet", "--model", "NAME"],
]
STREAM_COMMANDS = [
    ["topics", "create", "NAME"],
    ["worker", "NAME"],
    ["predict", "NAME", "x=1"],
    ["label", "NAME", "r-1", "1"],
    ["produce", "NAME"],
    ["consume", "NAME"],
    ["train", "--stream", "NAME"],
    ["precompute", "NAME", "--status"],
    ["materializer", "NAME"],
    ["views", "list", "NAME"],
    ["privacy", "find", "k", "NAME"],
]


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Run a command without servers; return its exit code and what it wrote to standard error."""
    monkeypatch.setenv("MODSTREAM_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    # Some commands ask the servers before they read their arguments.
    monkeypatch.setattr("modstream.cli.servers.require_servers", lambda: None)

    # A command configures the log of its process, which here is that of all tests.
    before = structlog.get_config()

    def run(*arguments):
        stderr = StringIO()
        monkeypatch.setattr(sys, "argv", ["modstream", *arguments])
        monkeypatch.setattr(sys, "stderr", stderr)
        with pytest.raises(SystemExit) as exit_:
            main()
        return exit_.value.code, " ".join(stderr.getvalue().replace("│", " ").split())

    yield run
    structlog.configure(**before)


@pytest.mark.parametrize("name", ["a b", "", "é", "-x", "\x1b[31m", "x" * 300, "a/b", "a\n"])
@pytest.mark.parametrize("command", MODEL_COMMANDS, ids=" ".join)
def test_a_bad_model_name_is_refused(run, command, name):
    if name == "-x" and "--model" not in command:
        return  # it would be an option

    code, text = run(*(name if part == "NAME" else part for part in command))

    assert code == 2
    assert "cannot be the name of a model: use at most 100 letters" in text
    assert "\x1b" not in text


@pytest.mark.parametrize("name", ["a b", "", "é", "a/b"])
@pytest.mark.parametrize("command", STREAM_COMMANDS, ids=" ".join)
def test_a_bad_stream_name_is_refused(run, command, name):
    code, text = run(*(name if part == "NAME" else part for part in command))

    assert code == 2
    assert "cannot be the name of a stream" in text


@pytest.mark.parametrize(
    "arguments",
    [
        *(
            ["models", "show", "caf\udce9"],
            ["trace", "caf\udce9"],
            ["trace", "a", "--key", "\udcff"],
        ),
        ["models", "promote", "m", "1", "--reason", "caf\udce9"],
    ],
)
def test_an_argument_that_is_not_utf_8_is_refused(run, arguments):
    code, text = run(*arguments)

    assert code == 2
    assert "is not UTF-8" in text


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ([], "give one of --from, --stale and --status"),
        (["--stale", "--status"], "give one of --from, --stale and --status"),
        (["--from", "a.csv", "--stale"], "give one of --from, --stale and --status"),
        (["--stale", "--run", "a/b"], "use at most 100 letters"),
        (["--stale", "--window", "0"], "--window"),
    ],
)
def test_a_precompute_run_without_one_source_is_refused(run, options, text):
    code, found = run("precompute", *options)

    assert code == 2
    assert text in found


def test_input_that_is_not_utf_8_is_refused_with_its_line():
    raw = b'{"x": 1}\n{"caf\xe9": 2}\n'
    lines = TextIOWrapper(BytesIO(raw), encoding="utf-8", errors="surrogateescape")
    messages = parse_messages(lines, "requests")

    assert next(messages).features == {"x": 1}
    with pytest.raises(InvalidInputLine, match="line 2 of the input is not valid: it is not UTF-8"):
        next(messages)


@pytest.mark.parametrize("line", ["[" * 200_000, '{"x": ' + "9" * 5000 + "}", "[]", "1", '"a"'])
def test_an_input_line_of_another_form_is_refused(line):
    with pytest.raises(InvalidInputLine, match="line 1 of the input is not valid"):
        next(parse_messages([line], "labels"))


@pytest.mark.parametrize(
    "text", ["9" * 30, "9" * 5000, "999999d", "0001-01-01", "yesterday", "", "-5", "1e9"]
)
def test_a_time_that_no_record_can_have_is_refused(text):
    with pytest.raises(typer.BadParameter, match="is not a time; write"):
        parse_time(text)


def test_an_error_text_is_neither_markup_nor_steers_the_terminal(capsys):
    _print_error("no [/bold] here\x1b[2J\nand a second line")

    assert capsys.readouterr().err == ("modstream: no [/bold] here\\x1b[2J\nand a second line\n")


def test_printable_text_is_unchanged():
    assert printable("größe 名前 [x]") == "größe 名前 [x]"
    assert printable("a\tb\nc\x07") == "a\\tb\\nc\\x07"
