"""What an answer means for a delivery and for the endpoint. Plain functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from enum import Enum
from http import HTTPStatus
from typing import Literal, NamedTuple, TypeAlias

AnswerKind: TypeAlias = Literal["2xx", "3xx", "4xx", "410", "429", "5xx", "timeout", "connection", "refused"]

_MAX_DIGITS = 12


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one attempt. `refused` was not made: the endpoint's address is not allowed."""

    kind: AnswerKind
    status: int | None = None
    detail: str = ""
    """The beginning of the body, or what went wrong."""
    retry_after_s: float | None = None


class Verdict(Enum):
    """What follows from an answer."""

    DELIVERED = "delivered"
    REJECTED = "rejected"
    """The endpoint is well and does not want this delivery: dead-letter it."""
    TROUBLE = "trouble"
    """Pause the endpoint, try this delivery again."""
    GONE = "gone"
    """The endpoint wants no deliveries any more."""


def classify(status: int) -> AnswerKind:
    """The class that a status counts under."""
    if status in (HTTPStatus.GONE, HTTPStatus.TOO_MANY_REQUESTS):
        return "410" if status == HTTPStatus.GONE else "429"
    kinds: dict[int, AnswerKind] = {2: "2xx", 3: "3xx", 4: "4xx"}
    return kinds.get(status // 100, "5xx")


def judge(answer: Answer) -> Verdict:
    """What follows from an answer.

    A redirect is trouble: it is never followed, and it says nothing of the delivery, but that the URL must be changed.
    """
    if answer.kind == "2xx":
        return Verdict.DELIVERED
    if answer.kind == "410":
        return Verdict.GONE
    if answer.kind == "4xx" and answer.status != HTTPStatus.REQUEST_TIMEOUT:
        return Verdict.REJECTED
    return Verdict.TROUBLE


def read_retry_after(value: str | None, now_ms: int) -> float | None:
    """Seconds from now in a Retry-After header (seconds, or an HTTP date); None where there is no sense in it."""
    text = (value or "").strip()
    if text.isascii() and text.isdigit():
        return float(text) if len(text) <= _MAX_DIGITS else None
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(moment.timestamp() - now_ms / 1000, 0.0)


class Pauses(NamedTuple):
    """How long an endpoint rests after failures. All in seconds but the ratio."""

    steps_s: Sequence[float]
    max_s: float
    jitter_ratio: float
    retry_after_min_s: float
    retry_after_max_s: float

    def pause_s(self, failures: int, retry_after_s: float | None, draw: float) -> float:
        """The pause after the `failures`-th failure in a row; `draw` is a random number from 0 to 1.

        What the receiver asks for goes before the schedule, within bounds. Jitter only ever adds.
        """
        if retry_after_s is None:
            pause_s = min(self.steps_s[min(failures, len(self.steps_s)) - 1], self.max_s)
        else:
            pause_s = min(max(retry_after_s, self.retry_after_min_s), self.retry_after_max_s)
        return pause_s * (1 + self.jitter_ratio * draw)
