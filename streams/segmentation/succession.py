"""What a contact keeps when definitions change: how it stands with each segment, by the segment's name.

All else that the new definitions know of it comes out of its history. How often it was in a segment, and that it is
known to be in it, is what was told under the definitions before.
"""

from __future__ import annotations

from typing import NamedTuple

from streams.segmentation.contact import Standing
from streams.segmentation.core import Core
from streams.segmentation.definitions import Definitions
from streams.segmentation.steps import Step, moved, transition
from streams.segmentation.stored import StoredHeir, decode_stored, encode_stored


class Settled(NamedTuple):
    """A contact's state under new definitions, which goes on from how it stood under those before."""

    raw: bytes | None
    """The state; None where nothing is left of the contact."""
    kept: list[tuple[str, int]]
    """Memberships of before, with the instants since when they hold."""
    left: list[tuple[int, int]]
    """Segments that are no more and that it leaves: their place among those of before, and the sequence."""
    turned: list[int]
    """Segments that it enters or leaves."""
    who: tuple[str, str]
    """Its id, and that of the event that made it, as they were known before; empty where it was not known."""

    @property
    def differs(self) -> bool:
        """Whether a step is to tell of it."""
        return bool(self.left or self.turned)


class Succession:
    """From one set of definitions to the next."""

    def __init__(self, former: Definitions, core: Core) -> None:
        """`core` is that of the new definitions; its history was folded by a `RehearsingCore` for the same ones."""
        self._labels = [segment.label() for segment in former.segments]
        self._places = {label.name: place for place, label in enumerate(self._labels)}
        self._core = core
        self._segments = core.program.segments
        self._indexes = {segment.name: segment.index for segment in self._segments}

    def settle(self, raw: bytes | None, former: bytes | None, at_ms: int) -> Settled:
        """A contact at the instant `at_ms` of the change.

        `raw` is what its history makes of it under the new definitions, `former` its state under those before; either
        is None where there is none.
        """
        told, who = self._told(former)
        heir = None if raw is None else decode_stored(raw)
        if heir is None or heir.contact_id is None:
            left = [(self._places[name], each.sequence + 1) for name, each in told.items() if each.sequence & 1]
            return Settled(raw, [], sorted(left), [], who)
        kept, turned = self._meet(heir, told)
        left = []
        retired: dict[str, tuple[int, int]] = {}
        for name, (sequence, since_ms) in told.items():  # in all that are left it is none by its history
            index = self._indexes.get(name)
            stood = sequence, since_ms - heir.known_since_ms
            if sequence & 1:
                stood = sequence + 1, at_ms - heir.known_since_ms
                if index is None:
                    left.append((self._places[name], sequence + 1))
                else:
                    turned.append(index)
            if index is None:
                retired[name] = stood
            else:
                heir.moves[index] = stood
        heir.moves = dict(sorted(heir.moves.items()))
        heir.retired = dict(sorted(retired.items()))
        return Settled(encode_stored(heir), kept, sorted(left), sorted(turned), who)

    def tell(self, key: str, settled: Settled, step: Step) -> None:
        """Emit what differs: first it leaves segments that are no more, in the order in which they were evaluated,
        then it leaves and enters others in order of evaluation."""
        for place, sequence in settled.left:
            step.emitted.append(transition(settled.who, self._labels[place], sequence, step, {}, None))
        if not settled.turned:
            return
        assert settled.raw is not None, "who has left all that is of nothing is left has turned nowhere"
        contact = self._core.decode(key, settled.raw)
        for index in settled.turned:
            step.emitted.append(moved(contact, self._segments[index], step))

    def _told(self, former: bytes | None) -> tuple[dict[str, Standing], tuple[str, str]]:
        if former is None:
            return {}, ("", "")
        stored = decode_stored(former)
        since_ms = stored.known_since_ms
        told = {name: Standing(each[0], since_ms + each[1]) for name, each in stored.retired.items()}
        for index, each in stored.moves.items():
            told[self._labels[index].name] = Standing(each[0], since_ms + each[1])
        return told, (stored.contact_id or "", stored.created_by)

    def _meet(self, heir: StoredHeir, told: dict[str, Standing]) -> tuple[list[tuple[str, int]], list[int]]:
        """Let its memberships go on from what was told of them, which is taken out of `told`."""
        kept: list[tuple[str, int]] = []
        turned: list[int] = []
        # Where it was settled before, and that was cut short, it may have left already what it is no member of.
        heir.moves = {index: move for index, move in heir.moves.items() if move[0] & 1}
        for index, (_, after_ms) in heir.moves.items():
            name = self._segments[index].name
            standing = told.pop(name, None)
            sequence = 0 if standing is None else standing.sequence
            if standing is not None and sequence & 1:
                heir.moves[index] = sequence, standing.since_ms - heir.known_since_ms
                kept.append((name, standing.since_ms))
            else:
                heir.moves[index] = sequence + 1, after_ms
                turned.append(index)
        return kept, turned
