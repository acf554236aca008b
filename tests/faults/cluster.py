"""Three Kafka nodes on this machine with a fault proxy each, their leaders and coordinators."""

import socket
import struct
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from enum import IntEnum
from pathlib import Path
from typing import Self

from confluent_kafka import ElectionType
from confluent_kafka.admin import AdminClient

from modstream.broker.client.connection import Connection, client_config
from modstream.broker.wire.records import TopicPartition
from modstream.stack.embedded import ClusterNode, EmbeddedKafka, EmbeddedServer
from modstream.stack.embedded.kafka import new_cluster_id
from modstream.stack.embedded.ports import HOST, free_port
from tests.faults.proxy import FaultProxy

NODES = (1, 2, 3)
HEAP_SIZE = "320m"
TIMEOUT_SECONDS = 30.0
POLL_INTERVAL_SECONDS = 0.05
FIND_COORDINATOR = 10


class CoordinatorType(IntEnum):
    """The kinds of coordinator, with their numbers in the protocol."""

    GROUP = 0
    TRANSACTION = 1


class Cluster:
    """Three nodes, each broker and controller; topics have three replicas, at least two in sync.

    `bootstrap` has the addresses of the brokers; clients of `proxied` use the proxies only.
    """

    def __init__(self, folder: Path) -> None:
        ports = iter(distinct_ports(4 * len(NODES)))
        cluster_id, controllers = new_cluster_id(), {node: next(ports) for node in NODES}
        nodes = [
            ClusterNode(cluster_id, node, controllers, next(ports), next(ports)) for node in NODES
        ]
        self.nodes = {
            node.node_id: EmbeddedServer(
                EmbeddedKafka(folder / f"kafka-{node.node_id}", next(ports), HEAP_SIZE, node)
            )
            for node in nodes
        }
        self.proxies = {
            node.node_id: FaultProxy(node.proxy_port, node.proxied_port) for node in nodes
        }
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            for proxy in self.proxies.values():
                stack.enter_context(proxy)
            for server in self.nodes.values():
                stack.callback(server.kill)
            # All nodes start at the same time; each fails if its peers do not appear in time.
            with ThreadPoolExecutor(len(NODES)) as pool:
                list(pool.map(EmbeddedServer.launch, self.nodes.values()))
            for server in self.nodes.values():
                server.wait_ready()
            self.wait_in_sync()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def bootstrap(self) -> str:
        """The addresses of the brokers."""
        return ",".join(server.url for server in self.nodes.values())

    @property
    def proxied(self) -> str:
        """The addresses of the proxies."""
        return ",".join(f"{HOST}:{proxy.port}" for proxy in self.proxies.values())

    def kill(self, node: int) -> None:
        """Kill a node as a power failure would; its folder remains."""
        self.nodes[node].kill()

    def restart(self, node: int) -> None:
        """Restart a node, and wait until it is in sync in every partition."""
        self.nodes[node].start()
        self.wait_in_sync()

    @contextmanager
    def without(self, node: int) -> Iterator[None]:
        """Kill a node, and restart it at the end, also when the test fails: others need it."""
        self.kill(node)
        try:
            yield
        finally:
            self.restart(node)

    def wait_in_sync(self) -> None:
        """Wait until every broker knows all brokers and topics, with all replicas in sync.

        Each broker is asked by a client of its own, since brokers learn of topics at different
        times: one that is behind does not know the newest topics, and would lead nothing.
        """
        wait_for(self._is_in_sync, "every replica in sync at every broker")

    def elect_preferred_leaders(self) -> None:
        """Make the preferred replicas the leaders again, after kills have moved the leaders."""
        self.wait_in_sync()
        client = self._client()
        client.elect_leaders(ElectionType.PREFERRED).result(TIMEOUT_SECONDS)

    def leader(self, partition: TopicPartition) -> int:
        """Return the node that currently leads a partition."""
        return wait_for(lambda: self._leader(partition), f"a leader of {partition}")

    def coordinator(self, kind: CoordinatorType, key: str) -> int:
        """Return the node that currently coordinates a group or a transactional id."""
        return wait_for(lambda: self._coordinator(kind, key), f"a coordinator of {key}")

    def _leader(self, partition: TopicPartition) -> int | None:
        """Return the leader; None while the broker asked does not know the topic or its leader."""
        topic = self._metadata().topics.get(partition.topic)
        leader = -1 if topic is None else topic.partitions[partition.partition].leader
        return leader if leader in self.nodes else None

    def _coordinator(self, kind: CoordinatorType, key: str) -> int | None:
        """Ask the first running node for a coordinator; None while it does not know one."""
        for server in self.nodes.values():
            if server.pid is not None:
                return find_coordinator(server.spec.port, kind, key)
        return None

    def _is_in_sync(self) -> bool:
        found = [self._metadata(server.url) for server in self.nodes.values()]
        return all(
            set(metadata.brokers) == set(NODES)
            and metadata.topics.keys() == found[0].topics.keys()
            and all(
                len(partition.isrs) == len(NODES)
                for topic in metadata.topics.values()
                for partition in topic.partitions.values()
            )
            for metadata in found
        )

    def _metadata(self, bootstrap: str | None = None):
        return self._client(bootstrap).list_topics(timeout=TIMEOUT_SECONDS)

    def _client(self, bootstrap: str | None = None) -> AdminClient:
        connection = Connection(bootstrap or self.bootstrap)
        return AdminClient(client_config(connection, "modstream-faults"))


def distinct_ports(count: int) -> list[int]:
    """Return `count` different free ports."""
    ports: dict[int, None] = {}
    while len(ports) < count:
        ports[free_port()] = None
    return list(ports)


def wait_for(ask, what: str):
    """Call `ask` until it returns a true value, and return that value."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not (result := ask()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {TIMEOUT_SECONDS:.0f} s")
        time.sleep(POLL_INTERVAL_SECONDS)
    return result


def find_coordinator(port: int, kind: CoordinatorType, key: str) -> int | None:
    """Ask one broker for the node id of a coordinator; return None while it has none.

    Version 2 of the request: https://kafka.apache.org/protocol#The_Messages_FindCoordinator
    """
    text = key.encode()
    head = struct.pack(">hhih", FIND_COORDINATOR, 2, 0, -1)
    request = head + struct.pack(f">h{len(text)}sb", len(text), text, kind)
    with socket.create_connection((HOST, port), TIMEOUT_SECONDS) as connection:
        connection.sendall(struct.pack(">i", len(request)) + request)
        with connection.makefile("rb") as response:
            (size,) = struct.unpack(">i", response.read(4))
            body = response.read(size)
    _correlation, _throttle, error, length = struct.unpack_from(">iihh", body)
    (node,) = struct.unpack_from(">i", body, 12 + max(0, length))
    return node if error == 0 else None
