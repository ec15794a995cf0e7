"""What the OpenAPI document says of what e-mails carry."""

from __future__ import annotations

from streams.collector.operations import Answer, Operation

_TOKEN = {"token": "What `segue link` has signed."}
OPEN = Operation(
    "The open pixel of an e-mail.",
    {200: Answer("The image, whatever the token.", "image/gif")},
    tag="e-mails",
    path={"token": "What `segue link` has signed, with `.gif` behind it."},
)
CLICK = Operation(
    "A link in an e-mail.",
    {302: Answer("To where the signature says."), 400: Answer("The signature is not ours.", "text/plain")},
    tag="e-mails",
    path=_TOKEN,
)
