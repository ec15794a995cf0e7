"""A real browser and a server of pages.

* `browser`: one Chromium a module, since no `asyncio.run` works beside it.
* `page`: a tab of its own in an empty profile (cookies, storage), closed with the test.
* `page_server`: serves pages on a free loopback port, and keeps what is sent to it.
* `site`: pages with Segue's own script, and a collector in memory.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.site import Site
from tests.support.chromium import open_browser
from tests.support.page_server import PageServer, open_page_server
from tests.support.run_directory import UnavailableServiceError

_TIMEOUT_MS = 15_000
expect.set_options(timeout=_TIMEOUT_MS)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium; where there is none, the test fails and says what to install."""
    try:
        with open_browser() as opened:
            yield opened
    except UnavailableServiceError as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A tab; an error of a script in it that nobody catches fails the test."""
    errors: list[str] = []
    with browser.new_context() as context:
        context.set_default_timeout(_TIMEOUT_MS)
        context.on("weberror", lambda error: errors.append(str(error.error)))
        yield context.new_page()
    assert errors == []


@pytest.fixture
def page_server() -> Iterator[PageServer]:
    """A server of the test's own pages."""
    with open_page_server() as server:
        yield server


@pytest.fixture
def site(page: Page, page_server: PageServer) -> Iterator[Site]:
    """A site with Segue's script; its collector is at another origin, as is usual."""
    with open_page_server() as collector:
        yield Site(page, page_server, collector)
