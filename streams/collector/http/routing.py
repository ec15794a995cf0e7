"""The short way of a call whose path is one of ours as it stands, or but for its end: neither matched nor wrapped."""

from __future__ import annotations

import re
from collections.abc import Sequence

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from streams.collector.front_door import Way

_REST = re.compile(r"(/[^/{]+/)\{(\w+):path\}")
"""A path like `/o/{token:path}`, whose parameter is all that follows its first step."""


class ShortWay:
    """Goes in front of Starlette's router, which takes what is left: paths with other parameters, and wrong methods.

    It must be the innermost middleware. An endpoint answers what it refuses by itself; anything else that it raises is
    a bug, which Starlette's outermost layer answers 500 either way.
    """

    def __init__(self, app: ASGIApp, ways: Sequence[Way]) -> None:
        self._app = app
        self._ways = {(method, way.path): way for way in ways if "{" not in way.path for method in way.methods}
        ended = [(_REST.fullmatch(way.path), way) for way in ways]
        self._ended = {
            (method, match[1]): (way, match[2]) for match, way in ended if match is not None for method in way.methods
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One call."""
        way = self._way(scope) if scope["type"] == "http" else None
        if way is None:
            await self._app(scope, receive, send)
            return
        scope["endpoint"] = way.endpoint
        response = await way.endpoint(Request(scope, receive, send))
        await response(scope, receive, send)

    def _way(self, scope: Scope) -> Way | None:
        method, path = scope["method"], scope["path"]
        way = self._ways.get((method, path))
        if way is None:
            begin = path.find("/", 1) + 1
            way, name = self._ended.get((method, path[:begin]), (None, ""))
            if way is not None:
                scope["path_params"] = {name: path[begin:]}
        return way
