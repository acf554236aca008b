"""Calls that are refused before the application is asked, over a real connection."""

import asyncio

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from modstream.producers.gateway.http.early_refusals import EarlyRefusals
from modstream.producers.gateway.http.server import HttpServer
from modstream.producers.gateway.settings import GatewaySettings

INFER = "/v2/models/m/infer"
BODY = b"{}" * 50_000


async def answer(request: Request) -> Response:
    return Response(str(len(await request.body())))


def call(path, *further, body=BODY):
    head = "\r\n".join([f"POST {path} HTTP/1.1", f"content-length: {len(body)}", *further])
    return f"{head}\r\n\r\n".encode() + body


async def read_reply(reader):
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    length = int(head.partition("content-length: ")[2].partition("\r\n")[0])
    return int(head.split()[1]), head, await reader.readexactly(length)


def run_with(use):
    """Serve, and let `use` call over one connection; `room` says whether there is room."""

    async def run():
        room = [True]
        app = Starlette(
            routes=[Route(path, answer, methods=["POST"]) for path in (INFER, "/elsewhere")]
        )
        server = HttpServer(app, GatewaySettings(port=0), lambda _: room[0])
        serving = asyncio.create_task(server.serve())
        port = int(server.url.rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            async with asyncio.timeout(10):
                await use(reader, writer, room)
        finally:
            writer.close()
            server.stop()
            await serving

    asyncio.run(run())


def test_a_call_is_refused_in_json_without_room_and_the_connection_stays_usable():
    async def use(reader, writer, room):
        for is_free, status in ((True, 200), (False, 429), (False, 429), (True, 200)):
            room[0] = is_free
            writer.write(call(INFER))
            found, head, text = await read_reply(reader)
            assert found == status
            if not is_free:
                assert "retry-after: 1" in head
                assert b'"overloaded"' in text

    run_with(use)


def test_calls_that_are_no_predictions_are_answered_without_room():
    async def use(reader, writer, room):
        room[0] = False
        writer.write(call("/elsewhere"))
        status, _, text = await read_reply(reader)
        assert (status, text) == (200, str(len(BODY)).encode())

    run_with(use)


def test_calls_that_follow_one_another_at_once_are_each_refused():
    async def use(reader, writer, room):
        room[0] = False
        writer.write(call(INFER, body=b"{}") * 20)
        assert [(await read_reply(reader))[0] for _ in range(20)] == [429] * 20

    run_with(use)


def test_calls_that_begin_take_the_room_of_those_behind_them():
    refusals = EarlyRefusals(lambda beginning: beginning < 3)
    assert [refusals.accept() for _ in range(5)] == [True] * 3 + [False] * 2
    refusals.begun()
    assert [refusals.accept() for _ in range(2)] == [True, False]


def test_a_connection_is_closed_after_a_refusal_if_its_caller_wants_that():
    async def use(reader, writer, room):
        room[0] = False
        writer.write(call(INFER, "connection: close", body=b"{}"))
        assert (await read_reply(reader))[0] == 429
        assert await reader.read() == b""

    run_with(use)
