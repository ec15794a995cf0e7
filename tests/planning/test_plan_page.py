"""A plan as a page: all of it is there, nothing is fetched or run, and nothing that somebody wrote is markup."""

from __future__ import annotations

from html.parser import HTMLParser

from streams.planning.plan import Lookback, Plan, Reasons, Sample, ScoreChange, SegmentChange
from streams.report.plan_page import plan_page
from tests.engine.stories import START, story
from tests.engine.world import world_in_memory
from tests.planning.drafts import edited, plan_over
from tests.planning.test_planner import OTHER, four_contacts

EVIL = "<script>alert('x')</script>\x1b&\""


class _Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.links: list[str] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        assert not [name for name, _ in attrs if name.startswith("on")]
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]
        if tag not in ("meta", "rect", "line"):
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in ("rect", "line")
        assert attrs

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] != "style":
            self.words.append(" ".join(data.split()))

    @property
    def text(self) -> str:
        return " ".join(word for word in self.words if word)


def _plan(**fields: object) -> Plan:
    plan = Plan("a" * 64, 1, "b" * 64, 4, 1_000, [], [], START, False, START, [])
    for name, value in fields.items():
        setattr(plan, name, value)
    return plan


@story
async def test_the_page_says_what_the_plan_says() -> None:
    async with world_in_memory() as world:
        page = _Page(plan_page(await plan_over(world, four_contacts().records, OTHER), "shop.yaml"))
    text = page.text
    assert "1 memberships would begin and 2 would end" in text
    assert "active changed 3 1 2 0" in text
    assert "bob in email_open in 5m, at least 2 times: has 2" in text
    assert "segue apply shop.yaml" in text
    assert "Unchanged: abandoned, warm_and_paying." in text
    assert all(link.startswith("#") for link in page.links)
    assert not page.tags & {"script", "img", "link", "iframe", "object", "form"}


def test_what_somebody_wrote_is_no_markup() -> None:
    reasons = Reasons(True, (EVIL,))
    segment = SegmentChange(EVIL, "changed", (EVIL,), 1, 0, 0, 1, [Sample(EVIL, False, reasons, None)])
    score = ScoreChange(EVIL, "changed")
    score.before[EVIL] = score.after[""] = score.moves[EVIL, ""] = 1
    html = plan_page(_plan(segments=[segment], scores=[score], short=[Lookback(EVIL, 60_000)]), EVIL)
    assert "<script" not in html
    page = _Page(html)
    assert page.tags <= {
        "html", "head", "meta", "title", "style", "body", "header", "h1", "h2", "h3", "h4", "p", "b", "dl", "div", "dt",
        "dd", "span", "main", "table", "thead", "tbody", "tr", "th", "td", "svg", "rect", "line", "a", "section", "ul",
        "li", "pre", "code",
    }  # fmt: skip
    assert "alert('x')" in page.text


def test_what_the_history_lacks_stands_before_all_else() -> None:
    text = _Page(plan_page(_plan(log_is_cut=True, short=[Lookback("segments.a", 86_400_000)], behind=5_000), "d")).text
    assert "The start of the log is gone" in text
    assert "segments.a looks back 1d, but the log begins 2026-03-01 00:00:00" in text
    assert "5,000 records behind" in text
    assert "Before you decide" not in _Page(plan_page(_plan(), "d")).text


@story
async def test_a_plan_that_moves_nobody_says_so() -> None:
    async with world_in_memory() as world:
        await world.fold([four_contacts().records])
        text = _Page(plan_page(await plan_over(world, four_contacts().records, edited()), "d")).text
    assert "These definitions hold already" in text
    assert "segue apply" not in text
    assert "Nobody would enter or leave any segment." in _Page(plan_page(_plan(), "d")).text
