"""Looks at a request's headers as they lie there: every call is asked, and Starlette's mapping takes far longer."""

from __future__ import annotations

from starlette.requests import Request


def header(request: Request, name: bytes) -> str | None:
    """The first header of a name, which is given in lower case."""
    for header_name, value in request.scope["headers"]:
        if header_name == name:
            text: str = value.decode("latin-1")
            return text
    return None


def headers_of(request: Request) -> dict[str, str]:
    """All headers by their names in lower case; of those that came twice, the first."""
    raw = request.scope["headers"]
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in reversed(raw)}
