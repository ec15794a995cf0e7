"""Calls of scripts on other sites: which may, and what browsers want to be told about it (CORS)."""

from __future__ import annotations

from collections.abc import Callable, Collection
from copy import copy

from starlette.requests import Request
from starlette.responses import Response

from streams.collector.front_door import Way
from streams.collector.guarding.origins import ANY
from streams.collector.http.raw_headers import header
from streams.collector.http.refusals import Refusal

PREFLIGHT_MAX_AGE_S = 3_600
_HEADERS = "Authorization, Content-Type, Content-Encoding, X-Retry-Count, AnonymousId"
"""What SDKs in browsers set."""


class CrossOrigin:
    """Stands before the ways that browsers call. A call without an `Origin` is none of a browser's script."""

    def __init__(self, origins: Collection[str], refuse: Callable[[Refusal], Response]) -> None:
        self._any = ANY in origins
        self._origins = frozenset(origins)
        self._refuse = refuse

    def guard(self, way: Way) -> Way:
        """The way with preflight requests answered, and calls from origins that are not named refused."""
        if not way.browser:
            return way
        methods = (*way.methods, "OPTIONS")

        async def guarded(request: Request) -> Response:
            origin = header(request, b"origin")
            if origin is not None and not self._any and origin not in self._origins:
                expected = "expected a call from an origin that SEGUE_COLLECTOR_ORIGINS names"
                return self._told(self._refuse(Refusal(403, "forbidden", expected)), None)
            if request.method == "OPTIONS":
                return self._told(_preflight(", ".join(methods)), origin)
            answer = await way.endpoint(request)
            return answer if origin is None else self._told(answer, origin)

        return way._replace(endpoint=guarded, methods=methods)

    def _told(self, answer: Response, origin: str | None) -> Response:
        """A copy of the answer with what it says to a browser. Credentials are never allowed: no cookie is read."""
        # A visitor must not be asked for a password by a site whose write key is wrong.
        headers = [header for header in answer.raw_headers if header[0] != b"www-authenticate"]
        if not self._any:
            headers.append((b"vary", b"Origin"))
        if origin is not None:
            headers.append((b"access-control-allow-origin", b"*" if self._any else origin.encode("latin-1")))
            headers.append((b"access-control-expose-headers", b"Retry-After"))
        told = copy(answer)
        told.raw_headers = headers
        return told


def _preflight(methods: str) -> Response:
    headers = {
        "Allow": methods,
        "Access-Control-Allow-Methods": methods,
        "Access-Control-Allow-Headers": _HEADERS,
        "Access-Control-Max-Age": str(PREFLIGHT_MAX_AGE_S),
    }
    return Response(status_code=204, headers=headers)
