"""The report as a page: one file with all that it needs, charts drawn in it, nothing fetched and nothing run."""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from schemas.instants import format_instant
from streams.report import charts
from streams.report.durations import duration_text
from streams.report.figures import FLAP_MS, Report


def page(report: Report) -> str:
    """The HTML of a report. The same report gives the same page."""
    span = report.begun_ms, report.ended_ms
    return template("page.html").render(
        report=report,
        flap_ms=FLAP_MS,
        charts=charts,
        lines=[charts.step_line(each.course, *span) for each in report.segments],
        flows=[charts.flow(each.course, *span, report.interval_ms) for each in report.segments],
    )


def template(name: str) -> Template:
    """A page beside this module, still to be filled in."""
    # Names and descriptions are what somebody wrote in a file: all that is filled in is escaped.
    environment = Environment(
        loader=PackageLoader("streams.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"instant": _instant_text, "duration": duration_text, "count": _count_text}
    return environment.get_template(name)


def _instant_text(instant_ms: int) -> str:
    """`2026-11-21 10:00:00`, with milliseconds only where there are some."""
    return format_instant(instant_ms).removesuffix("Z").removesuffix(".000").replace("T", " ")


def _count_text(count: float) -> str:
    return f"{count:,g}" if isinstance(count, float) else f"{count:,}"
