"""Fields of HTML forms, urlencoded or multipart, within bounds and without files."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Mapping
from typing import NamedTuple

from python_multipart.exceptions import FormParserError
from starlette.datastructures import Headers
from starlette.formparsers import FormParser, MultiPartException, MultiPartParser
from starlette.requests import Request

from streams.collector.front_door import FrontDoor
from streams.collector.http.refusals import Refusal

_BEYOND_ASCII = re.compile(rb"[\x80-\xff]")


class FormBounds(NamedTuple):
    """How much of a form is read at most."""

    bytes_max: int
    fields_max: int
    field_bytes_max: int


async def read_form(request: Request, door: FrontDoor, bounds: FormBounds) -> list[tuple[str, str]]:
    """Names and values, in the order in which they were sent. Raises `Refusal` (400, 408, 413, 415)."""
    _media_type(request.headers)  # before the body is waited for
    return await parse_form(request.headers, await door.body(request, bounds.bytes_max), bounds)


async def parse_form(headers: Headers, body: bytes, bounds: FormBounds) -> list[tuple[str, str]]:
    """Names and values in a body, as the headers say that it is written. Raises `Refusal` (400, 415)."""
    media_type = _media_type(headers)
    parser: FormParser | MultiPartParser
    if media_type == "multipart/form-data":
        parser = MultiPartParser(
            headers,
            _whole(body),
            max_files=0,
            max_fields=bounds.fields_max,
            max_part_size=bounds.field_bytes_max,
        )
    else:
        # The parser takes bytes for UTF-8 only where they are percent-encoded, as browsers do; curl and others do not.
        body = _BEYOND_ASCII.sub(lambda byte: b"%%%02X" % ord(byte[0]), body)
        parser = FormParser(headers, _whole(body), max_fields=bounds.fields_max, max_part_size=bounds.field_bytes_max)
    try:
        form = await parser.parse()
    except (MultiPartException, FormParserError) as error:
        message = error.message if isinstance(error, MultiPartException) else str(error)
        raise Refusal(400, "invalid", f"expected a form of fields and no files: {message}") from None
    return [(name, value) for name, value in form.multi_items() if isinstance(value, str)]


def _media_type(headers: Mapping[str, str]) -> str:
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in ("application/x-www-form-urlencoded", "multipart/form-data"):
        raise Refusal(415, "invalid", "Content-Type: expected application/x-www-form-urlencoded or multipart/form-data")
    return media_type


async def _whole(body: bytes) -> AsyncGenerator[bytes, None]:
    yield body
