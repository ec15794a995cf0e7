"""Links that lead to a decision. GET shows a page with a button, since scanners follow links; its POST decides.

A decision is answered once it is written, so that nobody is told of one that is lost.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypeAlias, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from streams.collector.calls.payloads import Accepted, PayloadError
from streams.collector.emails.email_links import refuse_link
from streams.collector.forms.form_bodies import FormBounds, read_form
from streams.collector.front_door import FrontDoor
from streams.collector.http.pages import busy_page, page
from streams.collector.http.refusals import Refusal
from streams.collector.writing import WriteError
from streams.sealing import BadTokenError

MeantT = TypeVar("MeantT")
Fields: TypeAlias = Sequence[tuple[str, str]]
_BOUNDS = FormBounds(4 * 1024, 16, 1_024)


class Question(NamedTuple):
    """What is asked by a link, and what decides it."""

    source: str
    """Whose share of the queue its records take."""
    title: str
    text: str
    button: str
    fields: Mapping[str, str]
    """What the button sends; the first decides, whoever sends it."""
    done: tuple[str, str]
    """Title and text of the page that follows."""


async def decide(
    question: Question,
    door: FrontDoor,
    request: Request,
    read: Callable[[str, int], MeantT],
    records: Callable[[MeantT, Fields], Sequence[Accepted]],
) -> Response:
    """The answer to a call of the link: the question, or that what `records` makes of the decision is written.

    `read` says what a token stands for, at an instant in ms; it may raise `BadTokenError`.
    """
    try:
        meant = read(request.path_params["token"], door.clock.now_ms())
        if request.method != "POST":
            return page(question.title, question.text, button=question.button, fields=question.fields)
        sent, decisive = await read_form(request, door, _BOUNDS), next(iter(question.fields.items()))
        if decisive not in sent:
            raise Refusal(400, "invalid", f"expected the body {'='.join(decisive)}")
        await door.writer.write(question.source, records(meant, sent))
    except (BadTokenError, PayloadError) as error:
        return refuse_link(door, error)
    except WriteError as error:
        door.count_rejected(error.reason)
        return busy_page(error.headers["Retry-After"])
    except Refusal as refusal:
        return door.refuse(refusal)
    return page(*question.done)
