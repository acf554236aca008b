"""TLS before a server that has none: the embedded Redis is built without it."""

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread


@contextmanager
def tls_proxy(target: tuple[str, int], context: ssl.SSLContext) -> Iterator[int]:
    """Listen with a TLS context, pass what arrives on to a server, and return the port."""
    loop = asyncio.new_event_loop()

    async def serve(reader, writer):
        server_reader, server_writer = await asyncio.open_connection(*target)
        copies = (copy(reader, server_writer), copy(server_reader, writer))
        await asyncio.gather(*copies, return_exceptions=True)

    async def copy(reader, writer):
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        finally:
            writer.close()

    async def start():
        return await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)

    async def stop():
        server.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    server = loop.run_until_complete(start())
    thread = Thread(target=loop.run_forever)
    thread.start()
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        asyncio.run_coroutine_threadsafe(stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
