"""`modstream views` on an exported log, without servers."""

import json
import sys

import pytest
import structlog

from modstream.cli import main
from tests.modstream.operations.inference_log.log_records import export_all, log_record


@pytest.fixture
def run(monkeypatch, tmp_path, capsys):
    """Run a command without servers; return its exit code, its output and its messages."""
    monkeypatch.setenv("MODSTREAM_HOME", str(tmp_path))
    monkeypatch.setenv("MODSTREAM_STREAM", "s")
    monkeypatch.setenv("MODSTREAM_BOOTSTRAP", "127.0.0.1:1")
    monkeypatch.setenv("MODSTREAM_CONNECT_TIMEOUT", "0.2")
    monkeypatch.setenv("COLUMNS", "200")
    before = structlog.get_config()
    export_all(tmp_path / "inferences" / "s", [log_record(number) for number in range(30)])

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["modstream", "views", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        out, err = capsys.readouterr()
        return end.value.code or 0, out, " ".join(err.split())

    yield call
    structlog.configure(**before)


COUNT = ("--measure", "requests = count()")


def test_a_view_is_built_shown_and_listed(run):
    built = run("build", "by-key", "--by", "key", *COUNT, "--where", "key < 'k3'", "--json")
    shown = run("show", "by-key", "--batch-only", "--json")
    again = run("build", "by-key", "--json")
    listed = run("list", "--json")

    assert [one[0] for one in (built, shown, again, listed)] == [0, 0, 0, 0]
    assert json.loads(shown[1]) == [{"key": f"k{n}", "requests": 3} for n in range(3)]
    (facts,) = json.loads(listed[1])
    assert (facts["view"], facts["groups"], facts["counted"]) == ("by-key", 3, 30)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("build", "../v", *COUNT), "for the name of a view"),
        (("build", "v", "--by", "key"), "give a --measure, too"),
        (
            ("build", "v", "--by", "key", "--by", "key = 1", *COUNT),
            "two columns have the same name",
        ),
        (("build", "v", "--by", "a b c", *COUNT), "is no group"),
        (("build", "v", "--measure", "median(x)"), "is no measure"),
        (("build", "v"), "it was not built yet"),
        (("build", "v", "--by", "carier", *COUNT), "carier"),
        (("show", "v"), "it was not built yet"),
    ],
)
def test_what_is_no_view_is_refused_with_its_reason(run, arguments, reason):
    code, _, err = run(*arguments)

    assert code != 0
    assert reason in err


def test_the_newest_records_need_kafka(run):
    run("build", "v", *COUNT)

    code, _, err = run("show", "v")

    assert code == 1
    assert "no Kafka broker answers" in err
