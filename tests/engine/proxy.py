"""A line to Redis on which replies get lost after their commands have arrived."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class LossyLine:
    """Forwards one port to another, until it is told to lose what comes back."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._lose = 0
        self.lost = 0
        self.url = ""
        self.connections: set[asyncio.Future[list[BaseException | None]]] = set()

    def lose_replies(self, count: int = 1) -> None:
        """Swallow the next `count` replies, and break the connection each time."""
        self._lose = count

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, until either end closes it or a reply was lost."""
        server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self._port)
        ways = [
            asyncio.create_task(self._copy(reader, server_writer, replies=False)),
            asyncio.create_task(self._copy(server_reader, writer, replies=True)),
        ]
        self.connections.add(asyncio.gather(*ways, return_exceptions=True))
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        for end in (writer, server_writer):
            end.close()

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, replies: bool) -> None:
        while chunk := await reader.read(65_536):
            if replies and self._lose:
                self._lose -= 1
                self.lost += 1
                return
            writer.write(chunk)
            await writer.drain()


@asynccontextmanager
async def lossy_line(port: int) -> AsyncIterator[LossyLine]:
    """A line to the Redis on `port`."""
    line = LossyLine(port)
    server = await asyncio.start_server(line.serve, "127.0.0.1", 0)
    line.url = f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0"
    try:
        yield line
    finally:
        server.close()
        await server.wait_closed()
        await asyncio.wait(line.connections)
