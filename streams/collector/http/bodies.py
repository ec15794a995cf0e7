"""Reads request bodies with a bound on their bytes, before and after decompression, and on the time they take."""

from __future__ import annotations

import asyncio
import zlib

from starlette.requests import ClientDisconnect, Request

from streams.collector.http.http_protocol import WHOLE_BODY
from streams.collector.http.refusals import Refusal

GZIP_WINDOW_BITS = 31


async def read_body(request: Request, bytes_max: int, timeout_ms: int) -> bytes:
    """The whole body, decompressed. Raises `Refusal`; never holds more than `bytes_max` and one chunk."""
    encoding, announced = "identity", b""
    for name, value in request.scope["headers"]:  # as they are: to look each of them up decodes all of them
        if name == b"content-encoding":
            encoding = value.decode("latin-1").strip().lower()
        elif name == b"content-length":
            announced = value
    if encoding not in ("identity", "gzip"):
        raise Refusal(415, "invalid", f"Content-Encoding: expected gzip or none, not {encoding[:20]!r}")
    try:
        if WHOLE_BODY in request.scope:  # most are, and a timer costs as much as reading does
            raw = await _read(request, announced, bytes_max)
        else:
            async with asyncio.timeout(timeout_ms / 1000):
                raw = await _read(request, announced, bytes_max)
    except TimeoutError:
        raise Refusal(408, "invalid", f"expected the whole body within {timeout_ms} ms") from None
    except ClientDisconnect:
        raise Refusal(400, "invalid", "the connection ended before the body did") from None
    return gunzip(raw, bytes_max) if encoding == "gzip" else raw


async def _read(request: Request, announced: bytes, bytes_max: int) -> bytes:
    if announced.isdigit() and int(announced) > bytes_max:
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


def gunzip(raw: bytes, bytes_max: int) -> bytes:
    """The one member of a gzip stream. Raises `Refusal` where it is none, or holds more than `bytes_max`."""
    inflator = zlib.decompressobj(GZIP_WINDOW_BITS)
    try:
        body = inflator.decompress(raw, bytes_max + 1)
    except zlib.error:
        raise Refusal(400, "invalid", "expected a gzip body, as Content-Encoding says") from None
    if len(body) > bytes_max:
        raise _too_large(bytes_max)
    if not inflator.eof or inflator.unused_data:
        raise Refusal(400, "invalid", "expected one whole gzip member")
    return body


def _too_large(bytes_max: int) -> Refusal:
    return Refusal(413, "too_large", f"expected a body of at most {bytes_max} bytes")
