"""The fault proxy between plain sockets: each fault has its effect and is counted."""

import socket
import struct
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field

import pytest

from modstream.stack.embedded.ports import HOST, free_port
from tests.faults.proxy import END_TXN, Direction, FaultProxy, RequestDelay

pytestmark = pytest.mark.slow

TIMEOUT_SECONDS = 10.0
PRODUCE = 0


def request(api_key, body=b""):
    content = struct.pack(">hhi", api_key, 0, 7) + body
    return struct.pack(">i", len(content)) + content


@dataclass
class Echo:
    """A server that sends every frame back and records it."""

    listener: socket.socket
    frames: list[bytes] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.respond, args=[connection], daemon=True).start()

    def respond(self, connection):
        with connection, suppress(ConnectionError):
            while head := connection.recv(4, socket.MSG_WAITALL):
                frame = head + connection.recv(*struct.unpack(">i", head), socket.MSG_WAITALL)
                with self.changed:
                    self.frames.append(frame)
                    self.changed.notify_all()
                connection.sendall(frame)

    def wait_for(self, frame):
        with self.changed:
            return self.changed.wait_for(lambda: frame in self.frames, TIMEOUT_SECONDS)


@pytest.fixture
def echo():
    with socket.create_server((HOST, free_port())) as listener:
        server = Echo(listener)
        thread = threading.Thread(target=server.serve)
        thread.start()
        yield server
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.fixture
def proxy(echo):
    with FaultProxy(free_port(), echo.listener.getsockname()[1]) as proxy:
        yield proxy


@pytest.fixture
def connect(proxy):
    opened = []

    def open_connection():
        opened.append(socket.create_connection((HOST, proxy.port), TIMEOUT_SECONDS))
        return opened[-1]

    yield open_connection
    for one in opened:
        one.close()


def exchange(connection, frame):
    """Send a frame and return the bytes that come back."""
    connection.sendall(frame)
    response = b""
    while len(response) < len(frame) and (more := connection.recv(len(frame))):
        response += more
    return response


def test_without_a_fault_all_bytes_are_forwarded_unchanged(proxy, connect):
    large = request(PRODUCE, bytes(300_000))
    connection = connect()

    assert exchange(connection, large) == large
    assert exchange(connection, request(END_TXN)) == request(END_TXN)
    assert not proxy.counts.held
    assert not proxy.counts.delayed


def test_latency_is_added_in_both_directions(proxy, connect):
    connection = connect()
    proxy.add_latency(0.2)

    started = time.monotonic()
    exchange(connection, request(PRODUCE))
    duration = time.monotonic() - started
    proxy.heal()
    started = time.monotonic()
    exchange(connection, request(PRODUCE))

    assert 0.4 <= duration < 2
    assert time.monotonic() - started < 0.2
    assert proxy.counts.delayed == 2


def test_a_cut_resets_connections_and_refuses_new_ones(proxy, connect):
    connection = connect()
    exchange(connection, request(PRODUCE))

    proxy.cut()
    with pytest.raises(ConnectionResetError):
        connection.recv(1)
    with pytest.raises(ConnectionResetError):
        exchange(connect(), request(PRODUCE))
    proxy.heal()

    assert exchange(connect(), request(PRODUCE)) == request(PRODUCE)
    assert (proxy.counts.cut, proxy.counts.refused) == (1, 1)


@pytest.mark.parametrize("direction", Direction)
def test_a_half_open_connection_loses_one_direction_forever_and_stays_open(
    proxy, connect, echo, direction
):
    connection = connect()
    exchange(connection, request(PRODUCE, b"before"))
    connection.settimeout(0.3)

    proxy.swallow(direction)
    with pytest.raises(TimeoutError):
        exchange(connection, request(PRODUCE, b"lost"))
    proxy.heal()

    with pytest.raises(TimeoutError):
        exchange(connection, request(PRODUCE, b"gone"))
    assert exchange(connect(), request(PRODUCE, b"after")) == request(PRODUCE, b"after")
    assert (request(PRODUCE, b"gone") in echo.frames) == (direction is Direction.TO_CLIENT)
    assert proxy.counts.swallowed == {direction: 2 * len(request(PRODUCE, b"lost"))}
    assert proxy.counts.cut == 0


def test_only_the_given_number_of_matching_requests_is_delayed(proxy, connect):
    connection = connect()
    proxy.delay_requests(RequestDelay(END_TXN, 0.3, count=2))

    def seconds(api_key):
        started = time.monotonic()
        exchange(connection, request(api_key))
        return time.monotonic() - started

    durations = [seconds(key) for key in (PRODUCE, END_TXN, END_TXN, END_TXN)]

    assert [one >= 0.3 for one in durations] == [False, True, True, False]
    assert proxy.counts.held == {END_TXN: 2}


def test_a_delayed_request_arrives_although_its_client_has_disconnected(proxy, connect, echo):
    proxy.delay_requests(RequestDelay(END_TXN, 0.3))
    late, next_ = request(END_TXN, b"late"), request(END_TXN, b"next")
    first = connect()

    first.sendall(late)
    first.close()
    exchange(connect(), next_)

    assert echo.wait_for(late)
    assert echo.frames == [next_, late]
    assert proxy.counts.delivered_after_disconnect == 1


def test_a_client_can_be_disconnected_while_its_request_is_delayed(proxy, connect, echo):
    proxy.delay_requests(RequestDelay(END_TXN, 0.3, disconnect=True))
    connection = connect()

    connection.sendall(request(END_TXN))
    with pytest.raises(ConnectionResetError):
        connection.recv(1)

    assert not echo.frames
    assert echo.wait_for(request(END_TXN))
    assert proxy.counts.delivered_after_disconnect == 1


def test_a_connection_to_a_dead_server_is_reset():
    with (
        FaultProxy(free_port(), free_port()) as proxy,
        # The reset may already occur during the connect.
        pytest.raises(ConnectionResetError),
        socket.create_connection((HOST, proxy.port), TIMEOUT_SECONDS) as connection,
    ):
        exchange(connection, request(PRODUCE))
