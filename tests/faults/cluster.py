"""Three Kafka nodes on this machine, a fault proxy before each, and who does what among them."""

import socket
import struct
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from enum import IntEnum
from pathlib import Path
from typing import Self

from confluent_kafka import ElectionType
from confluent_kafka.admin import AdminClient

from modstream.broker.client.connection import Connection, client_config
from modstream.broker.wire.records import TopicPartition
from modstream.stack.embedded import EmbeddedKafka, Seat, Server
from modstream.stack.embedded.kafka import new_cluster_id
from modstream.stack.embedded.ports import HOST, free_port
from tests.faults.proxy import FaultProxy

NODES = (1, 2, 3)
HEAP = "320m"
SECONDS = 30.0
EVERY = 0.05
FIND_COORDINATOR = 10


class Coordinator(IntEnum):
    """Whose coordinator is asked for, in the numbers of the protocol."""

    GROUP = 0
    TRANSACTION = 1


class Cluster:
    """Three nodes, each broker and controller; every topic has three copies, two must be there.

    `bootstrap` leads straight to the brokers, `proxied` leads by the proxies and nowhere else.
    """

    def __init__(self, folder: Path) -> None:
        ports = iter(distinct_ports(4 * len(NODES)))
        cluster_id, controllers = new_cluster_id(), {node: next(ports) for node in NODES}
        seats = [Seat(cluster_id, node, controllers, next(ports), next(ports)) for node in NODES]
        self.nodes = {
            seat.node_id: Server(
                EmbeddedKafka(folder / f"kafka-{seat.node_id}", next(ports), HEAP, seat)
            )
            for seat in seats
        }
        self.proxies = {seat.node_id: FaultProxy(seat.shown, seat.hidden) for seat in seats}
        self._undo = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as undo:
            for proxy in self.proxies.values():
                undo.enter_context(proxy)
            for server in self.nodes.values():
                undo.callback(server.kill)
            # Side by side: a node gives up when its peers are not there in time.
            with ThreadPoolExecutor(len(NODES)) as pool:
                list(pool.map(Server.launch, self.nodes.values()))
            for server in self.nodes.values():
                server.wait_ready()
            self._await_brokers(NODES)
            self._undo = undo.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._undo.close()

    @property
    def bootstrap(self) -> str:
        """Where the brokers themselves answer."""
        return ",".join(server.url for server in self.nodes.values())

    @property
    def proxied(self) -> str:
        """Where the proxies answer."""
        return ",".join(f"{HOST}:{proxy.port}" for proxy in self.proxies.values())

    def kill(self, node: int) -> None:
        """End a node as a power cut would; its folder stays."""
        self.nodes[node].kill()

    def restart(self, node: int) -> None:
        """Start a node again and wait until it has caught up in every partition."""
        self.nodes[node].start()
        self.await_whole()

    def await_whole(self) -> None:
        """Wait until every partition has all its copies in sync."""
        self._await_brokers(NODES)
        await_(self._is_whole, "every copy in sync")

    def spread(self) -> None:
        """Give every partition back to the node that is meant to lead it: others were killed."""
        self.await_whole()
        client = self._client()
        client.elect_leaders(ElectionType.PREFERRED).result(SECONDS)

    def leader(self, home: TopicPartition) -> int:
        """The node that leads a partition now."""
        return await_(lambda: self._leader(home), f"a leader of {home}")

    def coordinator(self, of: Coordinator, key: str) -> int:
        """The node that coordinates a group or a transactional id now."""
        return await_(lambda: self._coordinator(of, key), f"a coordinator of {key}")

    def _leader(self, home: TopicPartition) -> int | None:
        """None while whoever is asked knows of none, or not of the topic."""
        topic = self._metadata().topics.get(home.topic)
        leader = -1 if topic is None else topic.partitions[home.partition].leader
        return leader if leader in self.nodes else None

    def _coordinator(self, of: Coordinator, key: str) -> int | None:
        """The first live node's answer; None while it knows of none."""
        for server in self.nodes.values():
            if server.pid is not None:
                return find_coordinator(server.recipe.port, of, key)
        return None

    def _await_brokers(self, wanted: Iterable[int]) -> None:
        everyone = set(wanted)
        await_(lambda: set(self._metadata().brokers) == everyone, "every broker registered")

    def _is_whole(self) -> bool:
        topics = self._metadata().topics.values()
        return all(
            len(partition.isrs) == len(NODES)
            for topic in topics
            for partition in topic.partitions.values()
        )

    def _metadata(self):
        return self._client().list_topics(timeout=SECONDS)

    def _client(self) -> AdminClient:
        return AdminClient(client_config(Connection(self.bootstrap), "modstream-faults"))


def distinct_ports(count: int) -> list[int]:
    """Different free ports."""
    found: dict[int, None] = {}
    while len(found) < count:
        found[free_port()] = None
    return list(found)


def await_(ask, what: str):
    """What `ask` returns as soon as that is true of it."""
    deadline = time.monotonic() + SECONDS
    while not (answer := ask()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {SECONDS:.0f} s")
        time.sleep(EVERY)
    return answer


def find_coordinator(port: int, of: Coordinator, key: str) -> int | None:
    """Ask one broker for a coordinator's node id; None while there is none.

    Version 2 of the request: https://kafka.apache.org/protocol#The_Messages_FindCoordinator
    """
    text = key.encode()
    head = struct.pack(">hhih", FIND_COORDINATOR, 2, 0, -1)
    request = head + struct.pack(f">h{len(text)}sb", len(text), text, of)
    with socket.create_connection((HOST, port), SECONDS) as connection:
        connection.sendall(struct.pack(">i", len(request)) + request)
        with connection.makefile("rb") as answer:
            (size,) = struct.unpack(">i", answer.read(4))
            body = answer.read(size)
    _correlation, _throttle, error, length = struct.unpack_from(">iihh", body)
    (node,) = struct.unpack_from(">i", body, 12 + max(0, length))
    return node if error == 0 else None
