"""What of a partition has been handed on, and how far it is settled without a hole."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import NamedTuple


class Progress(NamedTuple):
    """Everything up to transition `seq` of `epoch` is settled; `offset` is the next message to read.

    Compares by epoch, then seq, then offset: the larger is the further.
    """

    epoch: int
    seq: int
    offset: int

    @property
    def metadata(self) -> str:
        """What the consumer group keeps beside the offset."""
        return f"{self.epoch}:{self.seq}"


def read_progress(offset: int, metadata: str | None) -> Progress | None:
    """The progress in a group's committed offset; None where another program committed it."""
    epoch, colon, seq = (metadata or "").partition(":")
    if offset < 0 or not colon or not (epoch.isascii() and epoch.isdigit() and seq.isascii() and seq.isdigit()):
        return None
    return Progress(int(epoch), int(seq), offset)


@dataclass(slots=True)
class _Entry:
    epoch: int
    seq: int
    offset: int
    settled: bool


class Window:
    """The transitions between the settled prefix and the newest one read.

    Transitions of different contacts settle in any order. `progress` moves over the contiguous settled prefix
    alone, so that a restart skips nothing; `ahead` names what was settled beyond it, so that a restart does not
    repeat that either.
    """

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self._entries: deque[_Entry] = deque()
        self._by_offset: dict[int, _Entry] = {}

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def ahead(self) -> list[int]:
        """Offsets that are settled beyond the prefix, ascending."""
        return [entry.offset for entry in self._entries if entry.settled]

    def add(self, epoch: int, seq: int, offset: int, *, settled: bool = False) -> None:
        """Note the next message; `settled` when there is nothing left to do about it."""
        entry = _Entry(epoch, seq, offset, settled)
        self._entries.append(entry)
        self._by_offset[offset] = entry
        self._advance()

    def settle(self, offset: int) -> None:
        """Nothing is left to do about the message at `offset`."""
        self._by_offset[offset].settled = True
        self._advance()

    def _advance(self) -> None:
        while self._entries and self._entries[0].settled:
            entry = self._entries.popleft()
            del self._by_offset[entry.offset]
            self.progress = Progress(entry.epoch, entry.seq, entry.offset + 1)
