"""A real Chromium, the system's own, driven by Playwright, which would else download one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

from tests.support.run_directory import UnavailableServiceError

_NAMES = ("chromium", "chromium-browser", "google-chrome")
# It is to speak to the test's own servers and to nobody else, and to run in a container as root.
_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def chromium_path() -> str:
    """The executable: SEGUE_TEST_CHROMIUM, else the first on the path. Raises `UnavailableServiceError`."""
    given = os.environ.get("SEGUE_TEST_CHROMIUM")
    found = given or next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None or not os.access(found, os.X_OK):
        raise UnavailableServiceError(
            f"no Chromium{f' at {given}' if given else ' on the path'}: install it (Debian: apt-get install chromium), "
            "or name one in SEGUE_TEST_CHROMIUM"
        )
    return found


@contextmanager
def open_browser() -> Iterator[Browser]:
    """A browser without a window and with an empty profile. Raises `UnavailableServiceError`.

    While it is open, Playwright's event loop counts as running in this thread: no `asyncio.run` beside it.
    """
    path = chromium_path()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=_ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()
