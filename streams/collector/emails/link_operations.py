"""What the OpenAPI document says of what people follow and fill in."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from streams.collector.calls import shapes
from streams.collector.http.operations import Answer, Operation

_TOKEN = {"token": "What `segue link` has made."}
_FORM_CONTENT = ("application/x-www-form-urlencoded", "multipart/form-data")
_PAGE = "text/html"
_DECIDED = {
    200: Answer("GET: a page with a button, which sends the POST. POST: it is written.", _PAGE),
    400: Answer("The token is not ours: a page. The body is not the one that is expected: JSON."),
    408: Answer("The body did not come in time.", shapes.Refused),
    410: Answer("The token has expired.", _PAGE),
    413: Answer("The body is too large.", shapes.Refused),
    415: Answer("The body is no form.", shapes.Refused),
    429: Answer("Too much at once: try again after `Retry-After` seconds.", _PAGE),
    503: Answer("Kafka is away: try again after `Retry-After` seconds.", _PAGE),
}


class FormFields(BaseModel):
    """The fields of a form, as they are set up in `SEGUE_FORMS`."""

    model_config = ConfigDict(extra="allow")


class FormTaken(BaseModel):
    """Kafka has what was filled in."""

    accepted: int
    ignored: list[str]
    confirm_token: str | None = None
    confirm_path: str | None = None


class FormRefused(BaseModel):
    """What is wrong in which field, or why the form was turned away."""

    model_config = ConfigDict(extra="allow")

    accepted: int
    error: str


OPEN = Operation(
    "The open pixel of an e-mail.",
    {200: Answer("The image, whatever the token.", "image/gif")},
    tag="people",
    path={"token": "What `segue link` has made, with `.gif` behind it."},
)
CLICK = Operation(
    "A link in an e-mail.",
    {
        302: Answer("To where the token says."),
        400: Answer("The token is not ours.", _PAGE),
        410: Answer("The token has expired.", _PAGE),
    },
    tag="people",
    path=_TOKEN,
)
UNSUBSCRIBE = Operation(
    "Unsubscribes by one click (RFC 8058), or by a page.",
    _DECIDED,
    tag="people",
    description="The body is `List-Unsubscribe=One-Click`.",
    body=FormFields,
    content=_FORM_CONTENT,
    path=_TOKEN,
)
CONFIRM = Operation(
    "Confirms the consent of a form.",
    _DECIDED,
    tag="people",
    description="The body is `confirm=yes`.",
    body=FormFields,
    content=_FORM_CONTENT,
    path={"token": "What the answer to a form had for the confirmation e-mail."},
)
FORM = Operation(
    "A form of a page.",
    {
        200: Answer("It is written. As JSON where `Accept` asks for it, else as a page.", FormTaken),
        303: Answer("It is written; to the page that comes after it."),
        **{
            status: Answer(meaning, FormRefused)
            for status, meaning in (
                (400, "What is wrong in which field."),
                (401, "No write key, where the form asks for one."),
                (403, "The page may not send this form."),
                (404, "No form has this id, or the key is disabled."),
                (408, "The body did not come in time."),
                (413, "The body is too large."),
                (415, "The body is no form."),
                (429, "Too much at once: try again after `Retry-After` seconds."),
                (503, "Kafka is away: try again after `Retry-After` seconds."),
            )
        },
    },
    tag="people",
    body=FormFields,
    content=_FORM_CONTENT,
    path={"form": "The form's id in `SEGUE_FORMS`."},
    security="body",
)
