"""Sends dead letters again, one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
from pydantic import ValidationError

from consumers.webhook.dead_letters import DeadLetter, DeadLetters
from consumers.webhook.policy import Answer, Verdict, judge
from consumers.webhook.sender import Sender
from consumers.webhook.signature import webhook_body
from schemas.errors import InputError, UnavailableError
from schemas.transitions import decode_transition


class Replayed(NamedTuple):
    """What became of a replay."""

    delivered: int
    rejected: int
    """Rejected again, or no valid transition: they stay in the list."""
    left: int
    """Not tried, because the endpoint is in trouble."""
    trouble: str | None

    def raise_for_trouble(self) -> None:
        """Raises `UnavailableError` when some were not tried, `InputError` when some were rejected."""
        if self.trouble is not None:
            raise UnavailableError(f"the endpoint is in trouble ({self.trouble}): {self.left} left, try again later")
        if self.rejected:
            raise InputError(f"{self.rejected} stay in the list: `segue consumer webhook dead list` says why")


async def replay_all(chosen: Sequence[DeadLetter], letters: DeadLetters, sender: Sender) -> Replayed:
    """Send `chosen` in order; stops at the first answer that says the endpoint is in trouble, or gone."""
    delivered = rejected = 0
    for index, letter in enumerate(chosen):
        answer = await _send(letter, sender)
        verdict = Verdict.REJECTED if answer is None else judge(answer)
        if verdict is Verdict.DELIVERED:
            await letters.remove([letter.transition_id])
            delivered += 1
        elif verdict is Verdict.REJECTED:
            if answer is not None:
                await letters.push(msgspec.structs.replace(letter, status=answer.status, detail=answer.detail))
            rejected += 1
        else:
            assert answer is not None, "no answer is a rejection"
            said = answer.detail if answer.status is None else f"it answered {answer.status}"
            return Replayed(delivered, rejected, len(chosen) - index, said)
    return Replayed(delivered, rejected, 0, None)


async def _send(letter: DeadLetter, sender: Sender) -> Answer | None:
    """The answer, or None where there is no valid transition to send."""
    try:
        transition = decode_transition(letter.value)
    except (msgspec.DecodeError, ValidationError, RecursionError):
        return None
    return await sender.post(letter.transition_id, webhook_body(transition, letter.value))
