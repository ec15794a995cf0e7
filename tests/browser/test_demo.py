"""`segue demo` with a person at its page: clicks there move a contact, which page and terminal show."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.demo.running import RunningDemo, demos
from tests.support.processes import SEGUE
from tests.support.run_directory import RunDirectory


@pytest.fixture
def start(run_directory: RunDirectory) -> Iterator[Callable[..., RunningDemo]]:
    """Starts a demo by its command line."""
    with demos(run_directory) as start_demo:
        yield start_demo


def test_clicks_on_the_demo_s_page_move_the_person_who_clicks(start: Callable[..., RunningDemo], page: Page) -> None:
    demo = start(SEGUE, "demo", "--visitors", "3")
    demo.wait_for("join in with a browser: ")
    found = re.search(r"join in with a browser: (\S+)", demo.out)
    assert found is not None
    page.goto(found[1])
    segments = page.locator("#segments li")
    expect(segments.filter(has_text="browsing_now")).to_be_visible()  # by coming
    for product in ("Lamp", "Kettle", "Clock"):
        page.locator(".card", has_text=product).get_by_role("button", name="Look").click()
    expect(segments.filter(has_text="comparing")).to_be_visible()
    page.locator(".card", has_text="Chair").get_by_role("button", name="To the cart").click()
    page.locator(".card", has_text="Lamp").get_by_role("button", name="To the cart").click()
    expect(segments.filter(has_text="hot_leads")).to_be_visible()
    page.select_option("#plan", "gold")
    page.get_by_role("button", name="Choose").click()
    expect(segments.filter(has_text="gold_members")).to_be_visible()
    expect(segments.filter(has_text="gold_at_risk")).to_be_visible(timeout=30_000)  # by time alone
    page.get_by_role("button", name="Buy").click()
    expect(segments.filter(has_text="buyers")).to_be_visible()
    expect(page.get_by_text("Cart: empty")).to_be_visible()
    for moved in ("entered hot_leads by event", "entered gold_at_risk by time", "entered buyers by event: bought"):
        demo.wait_for(f"you {moved}")

    demo.child.send_signal(signal.SIGINT)
    assert demo.end() == 0, demo.out + demo.err
    assert re.search(r"ok +log .*, 1[0-9] from a browser", demo.out), demo.out
    expect(page.get_by_text("The demo has ended.")).to_be_visible()
