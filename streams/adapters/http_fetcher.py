"""Gets a small document over HTTP."""

from __future__ import annotations

import asyncio

import httpx

from schemas.errors import UnavailableError

FETCHED_BYTES_MAX = 64 * 1024


class HttpFetcher:
    """Keeps no connections: what it is for is fetched rarely. Certificates of servers are checked."""

    def __init__(self, timeout_ms: int, bytes_max: int = FETCHED_BYTES_MAX) -> None:
        """`timeout_ms` bounds the whole of a fetch."""
        self._timeout_s = timeout_ms / 1000
        self._bytes_max = bytes_max

    async def fetch(self, url: str) -> bytes:
        """The body of a 200. Raises `UnavailableError`, which does not name the address: it may hold a secret."""
        try:
            async with (
                asyncio.timeout(self._timeout_s),
                httpx.AsyncClient(follow_redirects=False) as client,
                client.stream("GET", url) as answer,
            ):
                if answer.status_code != 200:
                    raise UnavailableError(f"expected a 200 there, not {answer.status_code}")
                return await self._bounded(answer)
        except TimeoutError:
            raise UnavailableError(f"expected an answer there within {self._timeout_s * 1000:.0f} ms") from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise UnavailableError(f"no answer there: {type(error).__name__}") from None

    async def _bounded(self, answer: httpx.Response) -> bytes:
        body = bytearray()
        async for piece in answer.aiter_bytes():
            body += piece
            if len(body) > self._bytes_max:
                raise UnavailableError(f"expected at most {self._bytes_max} bytes there")
        return bytes(body)
