"""The few pages that people see of the collector: one file each, with nothing fetched, nothing run and no way out."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse, Response

_STYLE = (
    "body{margin:0;font:1.05rem/1.5 system-ui,sans-serif;color:#1c1c22;background:#f4f4f6}"
    "main{max-width:32rem;margin:12vh auto 0;padding:2rem;background:#fff;border-radius:.75rem}"
    "h1{margin-top:0;font-size:1.4rem}"
    "button{font:inherit;padding:.6rem 1.4rem;border:0;border-radius:.5rem;background:#2547c8;color:#fff}"
)
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
PAGE_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex, nofollow",
}
_NO_FIELDS: Mapping[str, str] = {}
_TEMPLATE = Environment(
    loader=PackageLoader("streams.collector.http", "."),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
).get_template("page.html")


def page(
    title: str,
    *lines: str,
    status: int = 200,
    button: str | None = None,
    fields: Mapping[str, str] = _NO_FIELDS,
    headers: Mapping[str, str] = _NO_FIELDS,
) -> Response:
    """A page of a few sentences; with a `button`, which posts `fields` to the page's own address."""
    html = _TEMPLATE.render(title=title, lines=lines, button=button, fields=fields, style=_STYLE)
    return HTMLResponse(html, status, {**PAGE_HEADERS, **headers})


def refused_page() -> Response:
    """For a link that is none of ours, or was changed on the way: it leads nowhere."""
    return page(
        "This link does not work",
        "It may have been cut off or changed on its way to you. Please try the link in the e-mail once more, or copy "
        "it as a whole.",
        status=400,
    )


def expired_page() -> Response:
    """For a link of ours whose time is over: it leads nowhere either."""
    return page("This link has expired", "It was valid for a limited time only.", status=410)


def busy_page(retry_after_s: str) -> Response:
    """For a decision that could not be written."""
    return page(
        "Please try again in a moment",
        "We could not save your choice just now, and nothing has changed yet. Please try again in a minute.",
        status=503,
        headers={"Retry-After": retry_after_s},
    )
