"""What the OpenAPI document says of the hooks of e-mail providers."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, RootModel

from streams.collector.calls import shapes
from streams.collector.http.operations import Answer, Operation


class ProviderCall(RootModel[dict[str, Any] | list[Any]]):
    """What the provider documents; it is verified as the provider signs it."""


class HookTaken(BaseModel):
    """What became of the events of a call."""

    model_config = ConfigDict(extra="allow")

    accepted: int
    passed_over: int
    turned_away: int | None = None
    problems: list[str] | None = None


def hook_operation(provider: str) -> Operation:
    """The hook of a provider. Which status it gets is what lets it stop or come again."""
    refused = {
        401: "The call is not signed as the hook's settings say.",
        403: "The call is not signed as the hook's settings say.",
        404: "No hook has this name.",
        406: "The call can never be taken: do not send it again.",
        408: "The body did not come in time.",
        413: "The call is too large.",
        415: "A `Content-Encoding` other than gzip.",
        429: "Too much at once: send it again later.",
        503: "Nothing can be written just now: send it again later.",
    }
    answers = {
        200: Answer("Every event that can be taken is written.", HookTaken),
        400: Answer("The call can never be taken."),
        **{status: Answer(meaning, shapes.Refused if status != 406 else None) for status, meaning in refused.items()},
    }
    return Operation(
        f"Events of e-mails that {provider} tells of.",
        answers,
        tag="e-mail providers",
        body=ProviderCall,
        path={"name": "The hook's name in `SEGUE_HOOKS`."},
        query={"token": "The hook's token, where the provider cannot sign."},
    )
