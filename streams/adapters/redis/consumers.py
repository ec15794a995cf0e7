"""What consumers keep in Redis, as far as others than they need to know of it: progress, and deliveries given up."""

from __future__ import annotations

import re
from importlib import resources
from typing import Any, NamedTuple

from schemas.topics import Names

_AT_ONCE = 1_000
_SAVE = resources.files("consumers").joinpath("lua", "save_progress.lua").read_text()


class ConsumerProgress(NamedTuple):
    """How far a consumer has settled a partition of `transitions`."""

    role: str
    partition: int
    epoch: int
    seq: int
    offset: int


def read_progress(client: Any, names: Names) -> list[ConsumerProgress]:
    """The progress of every consumer, in order."""
    pattern = names.key(0, "consumer", "*").replace("{tracking-0}", "{tracking-*}")
    found = []
    for key in client.scan_iter(match=pattern, count=_AT_ONCE):
        parts = _KEY.search(key.decode())
        if parts is None:
            continue
        epoch, seq, offset = client.hmget(key, "epoch", "seq", "offset")
        if None not in (epoch, seq, offset):
            partition, role = parts.groups()
            found.append(ConsumerProgress(role, int(partition), int(epoch), int(seq), int(offset)))
    return sorted(found)


def count_dead_letters(client: Any, names: Names) -> dict[str, int]:
    """Deliveries that were given up and wait, by consumer."""
    found = {}
    for key in client.scan_iter(match=names.shared_key("{consumer-*}", "dead_letters"), count=_AT_ONCE):
        parts = _DEAD_LETTERS.search(key.decode())
        if parts is not None:
            found[parts.group(1)] = int(client.hlen(key))
    return found


def bring_back_consumers(source: Any, target: Any, names: Names) -> int:
    """Move progress forward to what a snapshot knows, never back: what was settled then is settled.

    Deliveries that had been given up come back where the target does not hold them: some may have been replayed
    since, but none may vanish. Returns how many of those came back.
    """
    for progress in read_progress(source, names):
        key = names.key(progress.partition, "consumer", progress.role)
        ahead = source.zrange(f"{key}:ahead", 0, -1)
        for start in range(0, max(1, len(ahead)), _AT_ONCE):
            target.eval(_SAVE, 2, key, f"{key}:ahead", *progress[2:], *ahead[start : start + _AT_ONCE])
    back = 0
    for role in count_dead_letters(source, names):
        key = names.shared_key(f"{{consumer-{role}}}", "dead_letters")
        for transition_id, letter in source.hscan_iter(key, count=_AT_ONCE):
            back += int(target.hsetnx(key, transition_id, letter))
    return back


_KEY = re.compile(r"\{tracking-(\d+)\}:consumer:([^:]+)$")
_DEAD_LETTERS = re.compile(r"\{consumer-([^:}]+)\}:dead_letters$")
