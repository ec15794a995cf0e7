"""What the other tests in a browser stand on."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.support.chromium import chromium_path
from tests.support.page_server import PageServer
from tests.support.run_directory import UnavailableServiceError


def test_a_page_is_served_and_what_it_sends_is_kept(page: Page, page_server: PageServer) -> None:
    page_server.answers.append((503, {"Retry-After": "1"}))
    url = page_server.serve("/shop", "<title>shop</title>")
    page.goto(url)
    assert page.title() == "shop"
    send = "async () => (await fetch('/v1/b?x=1', {method: 'POST', body: JSON.stringify({a: 1})})).status"
    assert [page.evaluate(send), page.evaluate(send)] == [503, 200]
    first, second = page_server.calls
    assert (first.method, first.path, first.json) == ("POST", "/v1/b", {"a": 1})
    assert second.headers["content-type"] == "text/plain;charset=UTF-8"


def test_each_tab_has_a_profile_of_its_own(page: Page, page_server: PageServer) -> None:
    url = page_server.serve("/", "<title>empty</title>")
    for _ in range(2):
        page.goto(url)
    assert page.evaluate("document.cookie + localStorage.length") == "0"
    page.evaluate("localStorage.setItem('kept', 1)")
    context = page.context.browser
    assert context is not None
    with context.new_context() as other:
        tab = other.new_page()
        tab.goto(url)
        assert tab.evaluate("localStorage.length") == 0


def test_without_a_browser_the_tests_say_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("SEGUE_TEST_CHROMIUM", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UnavailableServiceError, match="apt-get install chromium"):
        chromium_path()
    monkeypatch.setenv("SEGUE_TEST_CHROMIUM", str(tmp_path / "none"))
    with pytest.raises(UnavailableServiceError, match="/none: install it"):
        chromium_path()
