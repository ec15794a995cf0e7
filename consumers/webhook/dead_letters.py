"""Deliveries that were given up, kept in Redis until a person replays or drops them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec

from consumers.redis_client import AnyRedis, redis_answers
from schemas.errors import InputError
from schemas.topics import Names

Reason: TypeAlias = Literal["rejected", "attempts", "invalid"]
"""`rejected` by a 4xx, `attempts` used up while the endpoint took others, or `invalid`: no valid transition."""

_PUSH = (Path(__file__).parent.parent / "lua" / "push_dead_letter.lua").read_text()


class DeadLetter(msgspec.Struct, frozen=True):
    """A delivery that was given up, with all that a replay needs."""

    transition_id: str
    partition: int
    offset: int
    epoch: int
    seq: int
    reason: Reason
    status: int | None
    detail: str
    endpoint: str
    dead_at: str
    value: bytes
    """The transition as it stands in Kafka."""

    @property
    def place(self) -> tuple[str, int, int]:
        """Orders dead letters by when they came, and within a partition as the transitions did."""
        return self.dead_at, self.partition, self.offset


def shared_tag(role: str, *parts: str) -> tuple[str, ...]:
    """Parts of a key of consumer `role`; the braces keep its keys in one slot of a cluster."""
    return f"{{consumer-{role}}}", *parts


class DeadLetters:
    """The list of one consumer, of at most `most` entries. All methods raise `UnavailableError`."""

    def __init__(self, client: AnyRedis, names: Names, role: str, most: int) -> None:
        self._client = client
        self._key = names.shared_key(*shared_tag(role, "dead_letters"))
        self._most = most

    async def push(self, letter: DeadLetter) -> int:
        """Keep a dead letter; the same one twice is one. Returns how many there are.

        Raises `InputError` when the list is full: none is ever dropped to make room.
        """
        with redis_answers():
            value = msgspec.json.encode(letter)
            length = int(await self._client.eval(_PUSH, 1, self._key, letter.transition_id, value, self._most))
        if length < 0:
            raise InputError(
                f"the dead-letter list is full ({self._most} deliveries): look at it with `segue consumer webhook dead "
                "list`, replay or drop what is in it, or raise SEGUE_WEBHOOK_DEAD_LETTERS_MAX; nothing was skipped"
            )
        return length

    async def count(self) -> int:
        """How many there are."""
        with redis_answers():
            return int(await self._client.hlen(self._key))

    async def all(self) -> list[DeadLetter]:
        """All of them, oldest first."""
        with redis_answers():
            values = await self._client.hvals(self._key)
        letters = [msgspec.json.decode(value, type=DeadLetter) for value in values]
        return sorted(letters, key=lambda letter: letter.place)

    async def choose(self, ids: Sequence[str]) -> list[DeadLetter]:
        """Those of `ids`, oldest first. Raises `InputError` naming the ids that are not in the list."""
        chosen = [letter for letter in await self.all() if letter.transition_id in ids]
        missing = sorted(set(ids) - {letter.transition_id for letter in chosen})
        if missing:
            raise InputError(f"not in the dead-letter list: {', '.join(missing)}")
        return chosen

    async def remove(self, transition_ids: Sequence[str]) -> int:
        """Forget some; returns how many of them there were."""
        if not transition_ids:
            return 0
        with redis_answers():
            return int(await self._client.hdel(self._key, *transition_ids))
