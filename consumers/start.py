"""Where a partition goes on, decided from what Redis, the consumer group and the log say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from consumers.arrivals import Stamp
from consumers.window import Progress
from schemas.errors import InputError

From: TypeAlias = Literal["beginning", "end"]

PEEK_MESSAGES = 100
"""Messages looked at to learn the number before the first one, or of the last one."""


@dataclass(frozen=True, slots=True)
class Found:
    """What is known of a partition when it is assigned. `low` is its first offset, `high` that of the next append."""

    topic: str
    partition: int
    low: int
    high: int
    stored: Progress | None
    """Progress in Redis."""
    committed: Progress | None
    """Progress in the consumer group's offset."""
    ahead: frozenset[int] = field(default=frozenset())
    """Offsets that are settled beyond the progress in Redis."""


@dataclass(frozen=True, slots=True)
class Start:
    """Go on from `progress`, passing over `ahead`."""

    progress: Progress
    ahead: frozenset[int] = field(default=frozenset())
    anew: bool = False
    """Earlier progress, if there is any, is of another log: forget it."""


@dataclass(frozen=True, slots=True)
class Peek:
    """The stamps of the messages from offset `first` up to `last`, exclusive, must be known before `finish`."""

    first: int
    last: int


def decide(found: Found, start: From | None) -> Start | Peek:
    """Resume at the larger of both, begin an empty partition at its start, else do as `start` says.

    Raises `InputError` where there is no progress in a log that is not empty, or progress beyond the log's end, and
    no `start`. The log's beginning may have been deleted up to a point past the progress: the gate will see that gap.
    """
    known = [progress for progress in (found.stored, found.committed) if progress is not None]
    best = max(known, default=None)
    if best is not None and best.offset <= found.high:
        return Start(best._replace(offset=max(best.offset, found.low)), found.ahead)
    if best is None and found.high == 0:
        return Start(Progress(0, 0, 0))
    if start is None:
        raise InputError(_refusal(found, best))
    if start == "end" and found.low < found.high:
        return Peek(max(found.low, found.high - PEEK_MESSAGES), found.high)
    if start == "beginning" and 0 < found.low < found.high:
        return Peek(found.low, min(found.high, found.low + PEEK_MESSAGES))
    return Start(Progress(0, 0, found.low), anew=True)


def finish(found: Found, start: From, stamps: Sequence[Stamp]) -> Start:
    """Where to begin, once the messages that `decide` asked for are known. Raises `InputError` if none is stamped."""
    if not stamps:
        raise InputError(
            f"{found.topic} partition {found.partition}: the {PEEK_MESSAGES} messages at its {start} are no "
            "transitions; is this the topic that the worker writes?"
        )
    if start == "end":
        return Start(Progress(*max(stamps), found.high), anew=True)
    epoch, seq = stamps[0]
    return Start(Progress(epoch, seq - 1, found.low), anew=True)


def _refusal(found: Found, best: Progress | None) -> str:
    place = f"{found.topic} partition {found.partition}"
    choice = "start with --from beginning to send all that is in it, or --from end to send only what comes from now on"
    if best is None:
        return f"{place} holds transitions, and neither Redis nor the consumer group knows which were sent: {choice}"
    return (
        f"{place} ends at offset {found.high}, but progress is at {best.offset}: "
        f"the topic was replaced or cut; {choice}"
    )
