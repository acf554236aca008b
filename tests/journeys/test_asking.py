"""Asking and answering from the command line: predict, label, produce and consume."""

import json
import os
import re
import signal
import subprocess
import sys
import uuid
from contextlib import contextmanager

import pytest
from onnx import TensorProto, helper
from river.linear_model import LogisticRegression

from modstream.broker.client.reader import read_to_end
from modstream.broker.wire.codec import decode
from modstream.broker.wire.contracts import Label
from modstream.models.runtimes.river.artifact import pack
from modstream.models.schema.input_schema import InputSchema
from modstream.models.schema.version_spec import VersionSpec
from modstream.stack.local_stack import child_environment
from tests.journeys.conftest import open_system, with_route

pytestmark = [pytest.mark.real, pytest.mark.journey]

PATIENT = ("--timeout", "60")
ROWS = [{"x0": 0.1 * number, "x1": -1.0} for number in range(5)]


@pytest.fixture(scope="module")
def stack(bootstrap, redis_url, tmp_path_factory):
    """A worker of two models and a joiner; `bugs` has a second version without an alias."""
    folder = tmp_path_factory.mktemp("asking")
    with open_system(bootstrap, redis_url, f"t{uuid.uuid4().hex[:8]}.", folder) as opened:
        system = with_route(opened, "bugs", "shadow", stream="bugs")
        system.create_topics()
        with system.registry() as registry:
            for name in ("bugs", "shadow", "rare"):
                registry.publish(spec(name), pack(LogisticRegression()))
            registry.publish(spec("bugs", note="2"), pack(LogisticRegression(l2=0.5)), alias=None)
        system.start("worker", "worker")
        system.start("joiner", "joiner")
        system.wait_for_worker()
        yield system


def spec(name, note=""):
    return VersionSpec(
        name=name,
        runtime="river",
        task="binary",
        classes=(False, True),
        input_schema=InputSchema.of_floats(["x0", "x1"]),
        note=note,
    )


@pytest.fixture
def deserted(stack):
    """A stream with topics, and without any service."""
    stream = f"s{uuid.uuid4().hex[:8]}"
    system = with_route(stack, stream, stream=stream)
    system.create_topics()
    return system


def succeed(system, *arguments, text=""):
    done = system.run(*arguments, text=text)
    assert done.returncode == 0, done.stderr
    return done.stdout


def fail(system, *arguments, text=""):
    done = system.run(*arguments, text=text)
    assert done.returncode == 1, done.stdout
    assert "Traceback" not in done.stderr
    return done.stderr


def ask(system, *arguments):
    """Return the only answer of `predict` as JSON."""
    return json.loads(succeed(system, "predict", "bugs", *arguments, "--json", *PATIENT))


@contextmanager
def started(system, *arguments):
    """Run a command in a terminal of 80 columns, beside others; end it with the context."""
    with subprocess.Popen(
        [sys.executable, "-m", "modstream", *arguments],
        cwd=system.folder,
        env=child_environment(system.settings) | {"COLUMNS": "80", "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.terminate()


def test_the_id_that_predict_prints_can_be_labelled(stack):
    printed = succeed(stack, "predict", "bugs", "x0=0.5", "x1=-1", *PATIENT)

    assert re.search(r"(?m)^probability +0\.5, that the class is true", printed)
    request_id = re.search(r"(?m)^bugs version 1 \(champion\), in .*s, id (\S+)$", printed)[1]
    labelled = succeed(stack, "label", "bugs", request_id, "true", *PATIENT)
    assert labelled.startswith(f"{request_id}: label true joined with bugs version 1")
    assert "shadow version 1" in labelled


def test_the_stream_of_the_settings_need_not_be_named(stack):
    assert "bugs version 1" in succeed(stack, "predict", "x0=1", "x1=2", *PATIENT)


@pytest.mark.parametrize(
    "text",
    [
        "x0,x1\n" + "".join(f"{row['x0']},{row['x1']}\n" for row in ROWS),
        "".join(f"{json.dumps(row)}\n" for row in ROWS),
        json.dumps(ROWS, indent=1),
    ],
    ids=["CSV", "JSON lines", "JSON list"],
)
def test_many_rows_are_answered_in_their_order_one_line_each(stack, text):
    (stack.folder / "rows").write_text(text)

    from_file = succeed(stack, "predict", "bugs", "rows", *PATIENT).splitlines()
    piped = stack.run("predict", "bugs", "-", "--json", *PATIENT, text=text)

    ids = [line.split()[0] for line in from_file]
    assert [one.rpartition("-")[2] for one in ids] == ["1", "2", "3", "4", "5"]
    assert all("  bugs/1  probability 0.5" in line for line in from_file)
    answers = [json.loads(line) for line in piped.stdout.splitlines()]
    assert [answer["id"].rpartition("-")[2] for answer in answers] == ["1", "2", "3", "4", "5"]
    assert "5 rows in" in piped.stderr


def test_the_features_of_the_answers_are_those_of_their_rows(stack):
    text = "".join(f"{json.dumps(row)}\n" for row in ROWS)

    done = stack.run("predict", "-", "--json", "--explain", *PATIENT, text=text)

    explained = [json.loads(line)["explanation"] for line in done.stdout.splitlines()]
    assert [one["features"] for one in explained] == ROWS


def test_a_version_is_asked_by_number_or_alias(stack):
    by_number = ask(stack, "--model", "bugs", "--version", "2", "x0=1", "x1=2")
    by_alias = ask(stack, "-m", "bugs", "--version", "champion", "x0=1", "x1=2")

    assert (by_number["version"], by_number["aliases"]) == (2, [])
    assert (by_alias["version"], by_alias["aliases"]) == (1, ["champion"])


def test_a_model_that_is_not_on_the_route_is_loaded_and_answers(stack):
    assert ask(stack, "--model", "rare", "x0=1", "x1=2")["model"] == "rare"


def test_a_model_that_takes_tensors_is_asked_with_json(stack):
    double = helper.make_node("Add", ["image", "image"], ["doubled"])
    tensors = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 2, 2])
        for name in ("image", "doubled")
    ]
    graph = helper.make_graph([double], "graph", tensors[:1], tensors[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    (stack.folder / "doubling.onnx").write_bytes(model.SerializeToString())
    succeed(stack, "models", "publish", "doubling", "doubling.onnx", "--task", "tensors")

    printed = succeed(stack, "predict", "-m", "doubling", "image=[[[1,2],[3,4]]]", *PATIENT)

    assert "doubled  FP32 [1, 2, 2]: 2, 4, 6, 8" in printed.splitlines()


def test_a_version_that_does_not_exist_is_refused_before_anything_is_sent(stack):
    error = fail(stack, "predict", "bugs", "--version", "9", "x0=1", "x1=2")

    assert "unknown version of bugs 9: known are 1 and 2" in error


def test_a_value_of_another_kind_is_refused_before_anything_is_sent(stack):
    assert "x0 must be a number, not 'abc'" in fail(stack, "predict", "bugs", "x0=abc", "x1=2")


def test_a_name_that_the_model_does_not_take_is_reported(stack):
    done = stack.run("predict", "bugs", "x0=1", "x1=2", "x9=3", *PATIENT)

    assert "the model takes x0, x1: x9" in done.stderr


def test_a_refused_request_is_one_sentence_that_says_what_to_do(stack):
    error = fail(stack, "predict", "bugs", "x0=1", *PATIENT)

    assert len(error.splitlines()) == 1
    assert "'x1'" in error
    assert "(missing_feature): `modstream models show bugs` lists the features" in error


def test_a_refused_row_does_not_stop_the_others(stack):
    text = '{"x0": 1, "x1": 2}\n{"x0": "a", "x1": 2}\n{"x0": 3, "x1": 2}\n'

    done = stack.run("predict", "bugs", "-", *PATIENT, text=text)

    first, second, third = done.stdout.splitlines()
    assert "probability" in first
    assert "refused: " in second
    assert "(wrong_type)" in second
    assert "probability" in third
    assert "2 predicted, 1 refused" in done.stderr
    assert done.returncode == 1


def test_the_rows_before_an_invalid_line_are_answered(stack):
    done = stack.run("predict", "bugs", "-", *PATIENT, text="x0,x1\n1,2\nx,2\n3,4\n")

    assert len(done.stdout.splitlines()) == 1
    assert "line 3 of the input is not valid: x0 must be a number, not 'x'" in done.stderr
    assert done.returncode == 1


def test_an_explanation_says_what_the_worker_did(stack):
    lines = succeed(stack, "predict", "x0=0.5", "x1=2", "--explain", *PATIENT).splitlines()
    found = ask(stack, "x0=0.5", "x1=2", "--explain", "--key", "UA")
    explained = found["explanation"]

    facts = [line.strip() for line in lines if line.startswith("  ")]
    assert "features   x0: 0.5, x1: 2" in facts
    assert "asked for  the models of the route, alias champion" in facts
    assert {"answered   bugs version 1 (champion)", "answered   shadow version 1 (champion)"} <= {
        *facts
    }
    assert [one["model"] for one in explained["responses"]] == ["bugs", "shadow"]
    assert explained["key"] == "UA"
    position = (explained["request"]["partition"], explained["request"]["offset"])
    records = {
        (record.partition, record.offset): record
        for record in read_to_end(stack.settings.connection, [stack.topics.requests])
    }
    assert json.loads(records[position].value)["id"] == found["id"]
    assert records[position].timestamp == explained["request"]["timestamp"]
    parts = explained["latency_ms"]
    assert parts["total"] == pytest.approx(
        parts["response_written"] + parts["response_received"], abs=0.1
    )


def test_without_a_worker_the_error_names_its_group_and_how_to_start_one(deserted):
    error = fail(deserted, "predict", "x0=1", "--timeout", "0.5")

    group = deserted.topics.group("worker")
    assert "within 0.5 s: no worker is in the consumer group " + group in error
    note, sentence = error.splitlines()
    assert f"model {deserted.settings.stream} is not published yet" in note
    assert f"model {deserted.settings.stream} is not published: publish it with" in sentence


def test_while_a_worker_is_frozen_the_error_says_that_the_request_waits(stack):
    (pid,) = [one.pid for one in stack.supervisor.status() if one.name == "worker"]
    os.kill(pid, signal.SIGSTOP)
    try:
        error = fail(stack, "predict", "bugs", "x0=1", "x1=2", "--timeout", "0.5")
    finally:
        os.kill(pid, signal.SIGCONT)

    assert f"1 worker is in the consumer group {stack.topics.group('worker')}" in error
    assert "the request still waits" in error
    assert "--timeout" in error
    assert ask(stack, "x0=1", "x1=2")["model"] == "bugs"


def test_a_request_that_becomes_a_dead_letter_is_reported_as_read_and_not_answered(stack):
    row = {"x0": 1, "x1": 2, "padding": "x" * (stack.settings.max_request_bytes + 1)}

    error = fail(stack, "predict", "bugs", "-", "--timeout", "10", text=json.dumps(row))

    assert "has read the request without answering it, so it is a dead letter" in error
    request_id = re.search(r"`modstream trace (\S+) bugs` shows which", error)[1]
    assert "too_large" in succeed(stack, "trace", request_id)


def test_without_a_registry_values_are_json_and_the_worker_answers(stack):
    alone = with_route(stack, "bugs", stream="bugs")
    alone.settings = alone.settings.model_copy(update={"redis": "redis://127.0.0.1:1/0"})

    done = alone.run("predict", "bugs", "x0=1.5", "x1=2", "--json", *PATIENT)

    assert "the model registry does not answer" in done.stderr
    answer = json.loads(done.stdout)
    assert (answer["model"], answer["version"], answer["aliases"]) == ("bugs", 1, [])


def test_without_a_joiner_a_label_waits_and_the_answer_says_so(deserted):
    stream = deserted.settings.stream

    printed = succeed(deserted, "label", stream, "r-1", "1", "--timeout", "0.5")

    assert f"no joiner runs: start one with `modstream joiner {stream}`" in printed


def test_a_label_has_the_key_of_its_request(stack):
    keyed = ask(stack, "x0=1", "x1=2", "--key", "UA-7")["id"]

    printed = succeed(
        stack, "label", "bugs", keyed, "false", "--key", "UA-7", "--event-time", "2h", *PATIENT
    )

    assert "joined with bugs version 1" in printed
    records = read_to_end(stack.settings.connection, [stack.topics.labels])
    labels = {record.key: decode(Label, record.value) for record in records}
    assert labels[b"UA-7"].id == keyed


def test_what_became_of_a_label_is_printed(stack):
    request_id = ask(stack, "x0=1", "x1=2")["id"]

    def label(*arguments):
        return stack.run("label", "bugs", request_id, *arguments, *PATIENT)

    joined, again, corrected = label("true"), label("true"), label("false", "--revision", "1")
    other_row = label("true", "--row", "3")

    assert "label true joined with bugs version 1" in joined.stdout
    assert "not used: the row has this label already" in again.stdout
    assert "false joined with bugs" in corrected.stdout or "corrects" in corrected.stdout
    assert "not joined: the request has no row of this number" in other_row.stdout
    assert [one.returncode for one in (joined, again, corrected, other_row)] == [0, 0, 0, 1]


def test_a_label_without_a_prediction_waits_for_it(stack):
    printed = succeed(stack, "label", "bugs", f"early-{uuid.uuid4().hex}", "true", *PATIENT)

    assert "waiting for its prediction; if there was one already, check the id" in printed


def test_a_file_of_labels_is_counted_by_outcome(stack):
    text = "".join(f"{json.dumps(row)}\n" for row in ROWS)
    done = stack.run("predict", "bugs", "-", "--json", *PATIENT, text=text)
    ids = [json.loads(line)["id"] for line in done.stdout.splitlines()]
    (stack.folder / "labels.csv").write_text(
        "id,label\n" + "".join(f"{one},false\n" for one in ids)
    )

    printed = succeed(stack, "label", "bugs", "labels.csv", *PATIENT)
    again = succeed(stack, "label", "bugs", "labels.csv", "--json", *PATIENT)

    assert printed == "5 joined\n"
    outcomes = [json.loads(line) for line in again.splitlines()]
    assert [(one["id"], one["reason"]) for one in outcomes] == [(one, "duplicate") for one in ids]


def test_a_label_that_the_model_cannot_learn_is_sent_with_a_warning(stack):
    request_id = ask(stack, "x0=1", "x1=2")["id"]

    done = stack.run("label", "bugs", request_id, "-1", *PATIENT)

    assert "bugs version 1 cannot learn this label: -1 is not" in done.stderr
    assert "label -1 joined" in done.stdout


def test_the_ids_that_produce_prints_can_be_consumed(stack):
    text = "".join(f"{json.dumps(row)}\n" for row in ROWS * 3)

    shown = stack.run("produce", text=text)
    sent = json.loads(succeed(stack, "produce", "--json", text=text))

    assert len(shown.stdout.splitlines()) == 10
    assert "15 requests sent to" in shown.stderr
    assert "--json prints all ids" in shown.stderr
    assert sent["sent"] == len(sent["ids"]) == 15
    consumed = succeed(
        stack, "consume", "--topic", "requests", "--from", "10m", "--json"
    ).splitlines()
    assert {*sent["ids"], *shown.stdout.split()} <= {json.loads(line)["id"] for line in consumed}


def test_consume_shows_what_arrives_from_now_on_in_eighty_columns(stack):
    before = ask(stack, "x0=1", "x1=2")["id"]
    with started(stack, "consume", "bugs", "--limit", "4") as consumer:
        assert "waiting for records" in consumer.stderr.readline()
        (stack.folder / "two.jsonl").write_text('{"x0": 1, "x1": 2}\n{"x0": "a"}\n')
        answers = stack.run("predict", "bugs", "two.jsonl", *PATIENT).stdout.splitlines()
        ids = [line.split()[0] for line in answers]
        printed, _ = consumer.communicate(timeout=60)

    lines = printed.splitlines()
    assert lines[0].split()[:2] == ["id", "model"]
    assert max(map(len, lines)) <= 80
    assert all(one in printed for one in ids)
    assert before not in printed
    assert consumer.returncode == 0


def test_consume_reads_the_past_and_ends(stack):
    request_id = ask(stack, "x0=1", "x1=2")["id"]

    recent = succeed(stack, "consume", "--from", "10m")
    raw = succeed(stack, "consume", "--from", "beginning", "--json", "--limit", "3")
    nothing = stack.run("consume", "--topic", "quarantine", "--from", "beginning")

    assert request_id in recent
    assert [json.loads(line)["schema_version"] for line in raw.splitlines()] == [1, 1, 1]
    assert "no records in" in nothing.stderr


def test_a_start_that_is_no_time_is_refused_with_the_formats(stack):
    done = stack.run("consume", "--from", "yesterday")

    assert done.returncode == 2
    assert "is not a time" in done.stderr
