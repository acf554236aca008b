"""What is shown of a log after a run with faults."""

from tests.faults.log_ends import MAX_CHARACTERS, last_problems

WORKER = """\
{"event": "worker ready", "level": "info"}
{"cause": "INFO is no level here", "event": "aborting transaction", "level": "warning"}
Fatal Python error: Aborted

{"event": "batch not delivered", "level": "error"}
{"event": "worker ready again", "level": "info"}
"""
KAFKA = """\
2026-01-01 10:00:00.000 [main] INFO kafka.server.KafkaRaftServer - Kafka Server started
2026-01-01 10:00:01.000 [log] ERROR o.a.k.s.LogDirFailureChannel - Error while writing
java.io.IOException: No space left on device
\tat java.base/sun.nio.ch.FileDispatcherImpl.write0(Native Method)
"""


def test_warnings_errors_lines_without_a_level_and_the_last_line_are_kept(tmp_path):
    (tmp_path / "worker-0.log").write_text(WORKER)
    (tmp_path / "kafka.log").write_text(KAFKA)

    assert [line[:20] for line in last_problems(tmp_path / "worker-0.log")] == [
        '{"cause": "INFO is n',
        "Fatal Python error: ",
        '{"event": "batch not',
        '{"event": "worker re',
    ]
    assert [line[24:35] for line in last_problems(tmp_path / "kafka.log")] == [
        "[log] ERROR",
        "space left ",
        ".FileDispat",
    ]


def test_only_the_last_lines_are_kept_and_each_is_cut(tmp_path):
    log = tmp_path / "worker-0.log"
    log.write_text("".join(f"{number} {'x' * 1000}\n" for number in range(10)))

    found = last_problems(log, 2)

    assert [line[0] for line in found] == ["8", "9"]
    assert {len(line) for line in found} == {MAX_CHARACTERS}


def test_an_empty_log_has_no_lines(tmp_path):
    (tmp_path / "worker-0.log").touch()

    assert last_problems(tmp_path / "worker-0.log") == []
