"""What the OpenAPI document says of the ways that people take: what e-mails carry, and forms."""

from __future__ import annotations

from streams.collector.operations import Answer, Operation

_HTML = "text/html"
_TOKEN = {"token": "What `segue link`, or the answer to a form, has given."}
_REFUSED = {
    400: Answer("The token is not ours, or the body not what the page sends."),
    410: Answer("The token has expired.", _HTML),
}
_SENT = {
    408: Answer("The body did not come in time."),
    413: Answer("Too large."),
    415: Answer("No form, or another `Content-Encoding` than gzip."),
    503: Answer("Kafka is away, or not ready: try again after `Retry-After` seconds."),
}
OPEN = Operation(
    "The open pixel of an e-mail.",
    {200: Answer("The image, whatever the token.", "image/gif")},
    tag="e-mails",
    path={"token": "What `segue link` has given, with `.gif` behind it."},
)
CLICK = Operation(
    "A link in an e-mail.", {302: Answer("To where the token says."), **_REFUSED}, tag="e-mails", path=_TOKEN
)
UNSUBSCRIBE = Operation(
    "The unsubscribe of an e-mail: GET shows a button, POST unsubscribes.",
    {200: Answer("A page.", _HTML), **_REFUSED, **_SENT},
    tag="e-mails",
    path=_TOKEN,
)
CONFIRM = Operation(
    "The confirmation of a form: GET shows a button, POST confirms.",
    {200: Answer("A page.", _HTML), **_REFUSED, **_SENT},
    tag="e-mails",
    path=_TOKEN,
)
FORM = Operation(
    "A form of a website, urlencoded or multipart.",
    {
        200: Answer("Kafka has it."),
        204: Answer("To a preflight request."),
        303: Answer("Kafka has it; on to the page that the form leads to."),
        400: Answer("Which fields are not as they should be."),
        401: Answer("The form needs a key, and none of ours is there."),
        403: Answer("The page may not send this form."),
        404: Answer("There is no such form."),
        429: Answer("Too much at once: try again after `Retry-After` seconds."),
        **_SENT,
    },
    tag="forms",
    path={"form": "The form's id in the file of forms."},
)
HOOK = Operation(
    "What a provider of e-mail tells.",
    {
        200: Answer("What can be taken is written; the rest is counted."),
        400: Answer("Nothing of it can be taken; some providers are answered otherwise, so that they stop."),
        401: Answer("The signature, or the password, is not the one that was agreed on."),
        403: Answer("The signature is not the one that was agreed on, or too old."),
        404: Answer("There is no such hook."),
        406: Answer("Do not send it again."),
        408: Answer("The body did not come in time."),
        413: Answer("Too large."),
        415: Answer("A `Content-Encoding` other than gzip."),
        429: Answer("Too much at once: try again."),
        503: Answer("Kafka is away, or not ready: try again."),
    },
    tag="providers",
    path={"name": "The hook's name in the settings."},
    query={"token": "The token that was agreed on, where the provider cannot sign."},
)
