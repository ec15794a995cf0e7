"""A line to Redis that breaks, hangs, leads elsewhere, and on which requests or replies get lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class LossyLine:
    """Forwards one port to another, until it is told to lose what goes or what comes back."""

    def __init__(self, port: int) -> None:
        self.port = port  # where new connections lead
        self._lose_requests = 0
        self._lose_replies = 0
        self._flows = asyncio.Event()
        self._flows.set()
        self._ends: set[asyncio.StreamWriter] = set()
        self.lost = 0
        self.url = ""
        self.connections: set[asyncio.Future[list[BaseException | None]]] = set()

    def lose_replies(self, count: int = 1) -> None:
        """Swallow the next `count` replies, and break the connection each time."""
        self._lose_replies = count

    def lose_requests(self, count: int = 1) -> None:
        """Let only half of the next `count` requests through, and break the connection each time."""
        self._lose_requests = count

    def cut(self) -> None:
        """Break all connections."""
        for end in list(self._ends):
            end.transport.abort()

    def hold(self) -> None:
        """Let nothing through, either way."""
        self._flows.clear()

    def let_go(self) -> None:
        """Let what was held through, and all that follows."""
        self._flows.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, until either end closes it or something was lost."""
        try:
            server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:  # nobody listens there now
            writer.close()
            return
        ends = {writer, server_writer}
        self._ends |= ends
        ways = [
            asyncio.create_task(self._copy(reader, server_writer, replies=False)),
            asyncio.create_task(self._copy(server_reader, writer, replies=True)),
        ]
        self.connections.add(asyncio.gather(*ways, return_exceptions=True))
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        for end in ends:
            end.close()
        self._ends -= ends

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, replies: bool) -> None:
        while chunk := await reader.read(65_536):
            await self._flows.wait()
            if replies and self._lose_replies:
                self._lose_replies -= 1
                self.lost += 1
                return
            if not replies and self._lose_requests:
                self._lose_requests -= 1
                self.lost += 1
                writer.write(chunk[: len(chunk) // 2])
                await writer.drain()
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
        line.let_go()
        server.close()
        await server.wait_closed()
        if line.connections:
            await asyncio.wait(line.connections)
