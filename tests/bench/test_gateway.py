"""The benchmark of the gateway at its smallest: the generator's wire formats, and one round."""

import asyncio
from time import perf_counter

import pytest

from bench.environment import BenchEnvironment
from bench.gateway.comparison import GatewayPlan, compare
from bench.gateway.load import LoadGenerator, LoadPlan
from bench.gateway.runs import bodies
from bench.gateway.wire import grpc_call
from bench.results import Measurement
from bench.targets import CPU, REQUESTS
from modstream.broker.client.admin import Admin
from modstream.settings import load_settings

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"
REFUSED = b"HTTP/1.1 429 x\r\nRetry-After: 1\r\nContent-Length: 2\r\n\r\n{}"
BARE = b"HTTP/1.1 503 x\r\ncontent-length: 4\r\n\r\noops"


def run_against(replies, **options):
    """Run the generator against a server that gives some replies in turn."""

    async def run():
        number, ended = 0, asyncio.Semaphore(0)

        async def serve(reader, writer):
            nonlocal number
            try:
                while True:
                    head = await reader.readuntil(b"\r\n\r\n")
                    length = int(head.lower().split(b"content-length: ")[1].split(b"\r")[0])
                    await reader.readexactly(length)
                    writer.write(replies[number % len(replies)])
                    number += 1
            except (asyncio.IncompleteReadError, ConnectionResetError):
                writer.close()
                await writer.wait_closed()
                ended.release()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        defaults = {"connections": 4, "seconds": 0.3}
        plan = LoadPlan("http", port, "/", [b"{}"], **(defaults | options))
        result = await LoadGenerator(plan).run()
        server.close()
        for _ in range(plan.connections):
            await ended.acquire()
        return result

    return asyncio.run(run())


def test_a_closed_loop_counts_replies_and_refusals_that_lack_json_or_retry_after():
    result = run_against([OK, REFUSED, BARE])
    assert set(result.statuses) == {200, 429, 503}
    assert len(result.latencies) == result.answered
    assert result.bad_refusals == result.statuses[503]
    assert "oops" in result.errors[0]


def test_an_open_loop_sends_at_its_rate_and_waits_for_the_last_reply():
    result = run_against([OK], rate=100.0, seconds=0.5)
    assert result.sent == result.answered == 50
    assert result.unanswered == 0


def test_a_call_that_waits_for_a_connection_counts_from_the_time_it_was_due():
    started = perf_counter()
    result = run_against([OK], rate=2000.0, seconds=0.2, connections=1)
    assert result.answered == 400
    assert max(result.latencies) >= max(result.since_sent)
    assert max(result.latencies) < perf_counter() - started


def test_a_call_of_grpc_is_a_frame_of_headers_and_one_of_data():
    call = grpc_call("/a/b", b"message")
    size = int.from_bytes(call[:3], "big")
    assert (call[3], call[9 + size + 3]) == (1, 0)
    assert call.endswith(b"\x00\x00\x00\x00\x07message")


@pytest.mark.real
@pytest.mark.thorough
def test_a_short_round_measures_the_gateway_beside_the_constant_server(
    bootstrap, redis_url, prefix, tmp_path
):
    settings = load_settings(bootstrap=bootstrap, redis=redis_url, prefix=prefix, home=tmp_path)
    environment = BenchEnvironment(settings, tmp_path, Admin(settings.connection))
    plan = GatewayPlan((), rounds=1, seconds=1.5, rates=(50.0,))
    found = list(compare(environment, plan))
    assert [one for one in found if not isinstance(one, Measurement)] == []
    values = {(one.system, one.mode, one.measure): one for one in found}
    for mode in ("REST", "gRPC"):
        assert values["modstream", mode, REQUESTS].value > 0
        assert values["modstream", mode, CPU].value > 0
    assert values["modstream", "REST", REQUESTS].pass_through > 0
    assert bodies("grpc")[0] != bodies("http")[0]
