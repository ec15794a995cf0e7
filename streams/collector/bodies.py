"""Reads request bodies with a bound on their bytes, before and after decompression, and on the time they take."""

from __future__ import annotations

import asyncio
import zlib

from starlette.requests import ClientDisconnect, Request

GZIP_WINDOW_BITS = 31


class BodyError(Exception):
    """The body cannot be taken; `status` is the answer to give."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


async def read_body(request: Request, bytes_max: int, timeout_ms: int) -> bytes:
    """The whole body, decompressed. Raises `BodyError`; never holds more than `bytes_max` and one chunk."""
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip"):
        raise BodyError(415, f"Content-Encoding: expected gzip or none, not {encoding[:20]!r}")
    try:
        async with asyncio.timeout(timeout_ms / 1000):
            raw = await _read(request, bytes_max)
    except TimeoutError:
        raise BodyError(408, f"expected the whole body within {timeout_ms} ms") from None
    except ClientDisconnect:
        raise BodyError(400, "the connection ended before the body did") from None
    return _gunzip(raw, bytes_max) if encoding == "gzip" else raw


async def _read(request: Request, bytes_max: int) -> bytes:
    announced = request.headers.get("content-length", "")
    if announced.isascii() and announced.isdecimal() and int(announced) > bytes_max:
        raise _too_large(bytes_max)
    body: bytes | bytearray = b""
    while True:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        piece = message.get("body", b"")
        if len(body) + len(piece) > bytes_max:
            raise _too_large(bytes_max)
        if body:
            body = body if isinstance(body, bytearray) else bytearray(body)
            body += piece
        else:
            body = piece  # most bodies come in one piece, which is not copied
        if not message.get("more_body", False):
            return bytes(body)


def _gunzip(raw: bytes, bytes_max: int) -> bytes:
    inflator = zlib.decompressobj(GZIP_WINDOW_BITS)
    try:
        body = inflator.decompress(raw, bytes_max + 1)
    except zlib.error:
        raise BodyError(400, "expected a gzip body, as Content-Encoding says") from None
    if len(body) > bytes_max:
        raise _too_large(bytes_max)
    if not inflator.eof or inflator.unused_data:
        raise BodyError(400, "expected one whole gzip member")
    return body


def _too_large(bytes_max: int) -> BodyError:
    return BodyError(413, f"expected a body of at most {bytes_max} bytes")
