"""`python -m bench.plain_handler`: what there is to be had of an HTTP server for Python.

A Starlette app under uvicorn as it comes, which reads the body of a call and answers OK; an image for any GET.
"""

from __future__ import annotations

import asyncio
import sys

import uvicorn
import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from streams.collector.emails.email_links import GIF
from streams.collector.http.server import listen


async def _call(request: Request) -> Response:
    await request.body()
    return PlainTextResponse("OK")


async def _image(_request: Request) -> Response:
    return Response(GIF, media_type="image/gif")


async def _serve() -> None:
    routes = [Route("/o/{token:path}", _image), Route("/v1/{call}", _call, methods=["POST"])]
    with listen("127.0.0.1", 0) as bound:
        sys.stdout.write(f"listens on http://127.0.0.1:{bound.getsockname()[1]}\n")
        sys.stdout.flush()
        config = uvicorn.Config(Starlette(routes=routes), log_config=None, log_level="warning", access_log=False)
        await uvicorn.Server(config).serve(sockets=[bound])


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve())
