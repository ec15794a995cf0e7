"""The short way of a call whose path is one of ours as it stands: neither matched nor wrapped."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from streams.collector.front_door import Way


class ShortWay:
    """Goes in front of Starlette's router, which takes what is left: paths with parameters, and wrong methods.

    It must be the innermost middleware. An endpoint answers what it refuses by itself; anything else that it raises is
    a bug, which Starlette's outermost layer answers 500 either way.
    """

    def __init__(self, app: ASGIApp, ways: Sequence[Way]) -> None:
        self._app = app
        self._ways = {(method, way.path): way for way in ways if "{" not in way.path for method in way.methods}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One call."""
        way = self._ways.get((scope["method"], scope["path"])) if scope["type"] == "http" else None
        if way is None:
            await self._app(scope, receive, send)
            return
        scope["endpoint"] = way.endpoint
        response = await way.endpoint(Request(scope, receive, send))
        await response(scope, receive, send)
