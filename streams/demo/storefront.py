"""The shop's page, for a person with a browser: what is done on it goes the way of all events, and is seen moving."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from wsgiref.types import StartResponse, WSGIEnvironment

import msgspec
from jinja2 import Environment, StrictUndefined

from streams.demo.guests import GUEST, Guests
from streams.demo.loopback import LoopbackServer
from streams.demo.show import is_entry, time_of_day
from streams.demo.why import Phrases

_PAGE = Path(__file__).with_name("storefront.html")
_HEADERS = [("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff")]


class Storefront(LoopbackServer):
    """Two paths: the page, and what is known of the person before it, which the page asks for."""

    def __init__(self, collector_url: str, write_key: str) -> None:
        template = Environment(autoescape=True, undefined=StrictUndefined).from_string(_PAGE.read_text())
        self._page = template.render(collector=collector_url, write_key=write_key, guest=GUEST).encode()
        self._told, self._moved = b"{}", 0
        super().__init__(self._answer, "storefront")
        self.url = f"{self.address}/"

    def tell(self, guests: Guests, phrases: Phrases) -> None:
        """Let the page know where its person stands, if that is news."""
        if guests.moved == self._moved:
            return
        moves = [
            {
                "at": time_of_day(moved.transition.effective_at),
                "segment": moved.transition.segment,
                "entered": is_entry(moved.transition),
                "by_time": moved.transition.cause.kind == "timer",
                "why": phrases.why(moved.transition),
                "latency_ms": moved.latency_ms,
            }
            for moved in reversed(guests.moves)
        ]
        # One assignment: the threads that serve see the one or the other.
        self._moved = guests.moved
        self._told = msgspec.json.encode({"segments": guests.segments, "moves": moves})

    def _answer(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path, method = environ.get("PATH_INFO", "/"), environ.get("REQUEST_METHOD", "GET")
        pages = {"/": ("text/html; charset=utf-8", self._page), "/moves": ("application/json", self._told)}
        if method != "GET" or path not in pages:
            start_response("404 Not Found", [("Content-Length", "0")])
            return []
        content_type, body = pages[path]
        start_response("200 OK", [("Content-Type", content_type), ("Content-Length", str(len(body))), *_HEADERS])
        return [body]
