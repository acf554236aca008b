"""The fault proxy between plain sockets: each fault does what it says, and is counted."""

import socket
import struct
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field

import pytest

from modstream.stack.embedded.ports import HOST, free_port
from tests.faults.proxy import END_TXN, FaultProxy, Hold, Way

SECONDS = 10.0
PRODUCE = 0


def request(api_key, body=b""):
    content = struct.pack(">hhi", api_key, 0, 7) + body
    return struct.pack(">i", len(content)) + content


@dataclass
class Echo:
    """Sends every frame back, and remembers it."""

    listener: socket.socket
    frames: list[bytes] = field(default_factory=list)
    came: threading.Condition = field(default_factory=threading.Condition)

    def serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.answer, args=[connection], daemon=True).start()

    def answer(self, connection):
        with connection, suppress(ConnectionError):
            while head := connection.recv(4, socket.MSG_WAITALL):
                frame = head + connection.recv(*struct.unpack(">i", head), socket.MSG_WAITALL)
                with self.came:
                    self.frames.append(frame)
                    self.came.notify_all()
                connection.sendall(frame)

    def wait_for(self, frame):
        with self.came:
            return self.came.wait_for(lambda: frame in self.frames, SECONDS)


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
def dial(proxy):
    opened = []

    def dialled():
        opened.append(socket.create_connection((HOST, proxy.port), SECONDS))
        return opened[-1]

    yield dialled
    for one in opened:
        one.close()


def ask(connection, frame):
    """Send a frame and return what comes back in its place."""
    connection.sendall(frame)
    answer = b""
    while len(answer) < len(frame) and (more := connection.recv(len(frame))):
        answer += more
    return answer


def test_without_a_fault_everything_passes_untouched(proxy, dial):
    large = request(PRODUCE, bytes(300_000))
    connection = dial()

    assert ask(connection, large) == large
    assert ask(connection, request(END_TXN)) == request(END_TXN)
    assert not proxy.counts.held
    assert not proxy.counts.delayed


def test_latency_is_added_each_way(proxy, dial):
    connection = dial()
    proxy.slow(0.2)

    begun = time.monotonic()
    ask(connection, request(PRODUCE))
    took = time.monotonic() - begun
    proxy.heal()
    begun = time.monotonic()
    ask(connection, request(PRODUCE))

    assert 0.4 <= took < 2
    assert time.monotonic() - begun < 0.2
    assert proxy.counts.delayed == 2


def test_a_cut_drops_what_is_connected_and_refuses_what_comes(proxy, dial):
    connection = dial()
    ask(connection, request(PRODUCE))

    proxy.cut()
    with pytest.raises(ConnectionResetError):
        connection.recv(1)
    with pytest.raises(ConnectionResetError):
        ask(dial(), request(PRODUCE))
    proxy.heal()

    assert ask(dial(), request(PRODUCE)) == request(PRODUCE)
    assert (proxy.counts.cut, proxy.counts.refused) == (1, 1)


@pytest.mark.parametrize("way", Way)
def test_a_half_open_connection_swallows_one_way_for_ever_and_stays_open(proxy, dial, echo, way):
    connection = dial()
    ask(connection, request(PRODUCE, b"before"))
    connection.settimeout(0.3)

    proxy.swallow(way)
    with pytest.raises(TimeoutError):
        ask(connection, request(PRODUCE, b"lost"))
    proxy.heal()

    with pytest.raises(TimeoutError):
        ask(connection, request(PRODUCE, b"gone"))
    assert ask(dial(), request(PRODUCE, b"after")) == request(PRODUCE, b"after")
    assert (request(PRODUCE, b"gone") in echo.frames) == (way is Way.BACK)
    assert proxy.counts.swallowed == {way: 2 * len(request(PRODUCE, b"lost"))}
    assert proxy.counts.cut == 0


def test_only_the_chosen_requests_are_held_back_and_as_many_as_asked(proxy, dial):
    connection = dial()
    proxy.hold(Hold(END_TXN, 0.3, left=2))

    def seconds(api_key):
        begun = time.monotonic()
        ask(connection, request(api_key))
        return time.monotonic() - begun

    took = [seconds(key) for key in (PRODUCE, END_TXN, END_TXN, END_TXN)]

    assert [one >= 0.3 for one in took] == [False, True, True, False]
    assert proxy.counts.held == {END_TXN: 2}


def test_a_held_request_arrives_although_its_client_has_gone_on(proxy, dial, echo):
    proxy.hold(Hold(END_TXN, 0.3))
    late, next_ = request(END_TXN, b"late"), request(END_TXN, b"next")
    first = dial()

    first.sendall(late)
    first.close()
    ask(dial(), next_)

    assert echo.wait_for(late)
    assert echo.frames == [next_, late]
    assert proxy.counts.outlived == 1


def test_a_client_can_be_hung_up_on_while_its_request_is_held(proxy, dial, echo):
    proxy.hold(Hold(END_TXN, 0.3, hang_up=True))
    connection = dial()

    connection.sendall(request(END_TXN))
    with pytest.raises(ConnectionResetError):
        connection.recv(1)

    assert not echo.frames
    assert echo.wait_for(request(END_TXN))
    assert proxy.counts.outlived == 1


def test_a_dead_server_looks_dead():
    with (
        FaultProxy(free_port(), free_port()) as proxy,
        # The reset may already meet the connecting.
        pytest.raises(ConnectionResetError),
        socket.create_connection((HOST, proxy.port), SECONDS) as connection,
    ):
        ask(connection, request(PRODUCE))
