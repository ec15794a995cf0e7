"""A site that has Segue's script on its pages, and a collector that keeps what it is sent."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page, Request

from streams.collector.browser_script import BUILT
from tests.support.page_server import Call, PageServer
from tests.support.waiting import wait_until

WRITE_KEY = "website-write-key"
# As `ops/browser-script.md` gives it; that page's test holds the two together.
STUB = (
    "window.segue=window.segue||['page','track','identify','consent','reset'].reduce(function(s,m){"
    "s[m]=function(){s.push([m].concat([].slice.call(arguments)))};return s},[])"
)
# Counts before the script goes on, and in the same turn.
_COUNT_ANSWERS = """{
    const {fetch} = window;
    window.answered = 0;
    window.fetch = (...all) => {
        const answer = fetch(...all), count = () => { window.answered += 1 };
        answer.then(count, count);
        return answer;
    };
}"""
_TIMEOUT_S = 10.0
_BEFORE_NOON, _NOON = "2026-11-21T11:59:59Z", "2026-11-21T12:00:00Z"


class Site:
    """Pages in one tab. `requests` has what the tab asked of the collector, also what never got there."""

    def __init__(self, page: Page, pages: PageServer, collector: PageServer) -> None:
        self.page = page
        self.pages = pages
        self.collector = collector
        self.requests: list[Request] = []
        page.on("request", self._noted)
        page.add_init_script(_COUNT_ANSWERS)
        collector.serve("/segue.js", BUILT.read_bytes(), "text/javascript; charset=utf-8")

    def _noted(self, request: Request) -> None:
        if request.url.endswith("/v1/b"):
            self.requests.append(request)

    def html(self, body: str = "", before: str = "", **attributes: str) -> str:
        """A page; `attributes` are the script tag's, without `data-` and with underscores."""
        given = {"write_key": WRITE_KEY, "batch_ms": "5", **attributes}
        shown = " ".join(f'data-{name.replace("_", "-")}="{value}"' for name, value in given.items())
        scripts = f'<script>{STUB};{before}</script><script async src="{self.collector.url}/segue.js" {shown}></script>'
        return f"<!doctype html><title>Lamps</title>{scripts}{body}"

    def open(self, path: str = "/", body: str = "", before: str = "", **attributes: str) -> None:
        """Serve a page at the path and go there; returns when the script has loaded."""
        self.pages.serve(path.split("?", maxsplit=1)[0], self.html(body, before, **attributes))
        self.go(path)

    def go(self, path: str) -> None:
        """Go to a page that is served already."""
        self.page.goto(self.pages.url + path)
        self.page.wait_for_function("window.segue?.loaded || window.segue === undefined")

    def run(self, script: str) -> Any:
        """Run statements in the page; the value of the last, if it is one that can be told."""
        return self.page.evaluate(script)

    def stop_clock(self) -> None:
        """From the next page on, time passes only by `pass_ms`."""
        self.page.clock.install(time=_BEFORE_NOON)
        self.page.clock.pause_at(_NOON)

    def pass_ms(self, milliseconds: int) -> int:
        """Let time pass in the page; how many requests there were so far."""
        self.page.clock.run_for(milliseconds)
        return len(self.requests)

    def answered(self, count: int) -> None:
        """Wait until the page knows what became of so many requests, and has done with it."""
        wait_until(lambda: self.run("answered") >= count, _TIMEOUT_S, f"answers to {count} requests")

    def calls(self, count: int = 1) -> list[Call]:
        """So many calls that came to the collector, waited for."""
        return self.collector.wait_for_call(count=count)

    def events(self, count: int, *types: str) -> list[dict[str, Any]]:
        """So many events of these types, waited for, as they first came; `AssertionError` if there are more.

        What a page has under way when it goes, it gives to a beacon too: the same id again is the same event.
        """

        def arrived() -> list[dict[str, Any]]:
            sent: dict[str, dict[str, Any]] = {}
            for call in list(self.collector.calls):
                for event in call.json["batch"] if call.method == "POST" else ():
                    sent.setdefault(event["messageId"], event)
            found = [event for event in sent.values() if not types or event["type"] in types]
            return found if len(found) >= count else []

        found: list[dict[str, Any]] = wait_until(arrived, _TIMEOUT_S, f"{count} events")
        assert len(found) == count, found
        return found

    def cookies(self) -> dict[str, Any]:
        """The tab's cookies by name."""
        return {cookie["name"]: cookie for cookie in self.page.context.cookies()}

    def kept(self) -> dict[str, str]:
        """What the page keeps in localStorage."""
        found: dict[str, str] = self.run("({...localStorage})")
        return found
