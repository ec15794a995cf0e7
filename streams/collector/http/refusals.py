"""How a call is turned away: one exception, whatever the reason, that the front door answers."""

from __future__ import annotations

from collections.abc import Mapping


class Refusal(Exception):  # noqa: N818 - it is an answer, not a fault
    """The call is answered with `status`, and nothing of it was taken unless the message says otherwise."""

    def __init__(self, status: int, reason: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        """`reason` is the label under which it is counted, `message` what the caller reads."""
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message
        self.headers = dict(headers or {})
