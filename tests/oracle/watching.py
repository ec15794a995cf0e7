"""The oracle, watching every condition of every segment: since when it comes out as it does, and until when."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from schemas.instants import LAST_INSTANT_MS
from tests.oracle.driving import Body
from tests.oracle.language import File, closure, conditions_of, watched_leaves
from tests.oracle.timeline import MAX_PASSED_OVER, Change, Contact, Oracle, Step
from tests.oracle.view import Condition, View, truth

Path = tuple[Any, ...]
"""A segment, then places: 0 is `when`, 1 is `exit_when`, and so on down."""


@dataclass(frozen=True)
class Turned:
    """When something came out otherwise, and the cause of that step."""

    at: int
    cause: dict[str, str]


def nodes(condition: Condition, path: Path) -> Iterator[tuple[Path, Condition]]:
    """The condition and all below it."""
    yield path, condition
    ((name, inner),) = condition.items()
    if name in ("all", "any"):
        for place, part in enumerate(inner):
            yield from nodes(part, (*path, place))
    elif name == "not":
        yield from nodes(inner, (*path, 0))


def nodes_of(file: File, segment: str) -> dict[Path, Condition]:
    """All conditions of a segment by their place."""
    return {
        path: condition
        for place, root in enumerate(conditions_of(file, segment))
        for path, condition in nodes(root, (segment, place))
    }


class WatchingOracle(Oracle):
    """Notes after every step what came out otherwise."""

    def __init__(self, file: File) -> None:
        super().__init__(file)
        self._nodes = {path: node for segment in self.order for path, node in nodes_of(file, segment).items()}
        self._turned: dict[str, tuple[Contact, dict[Path, bool], dict[Path, Turned]]] = {}

    def turned(self, contact: Contact) -> dict[Path, Turned]:
        """Since when each condition, and under a path of one name each membership, comes out as it does."""
        return self._turned[contact.history.contact_id][2]

    def truths(self, contact: Contact) -> dict[Path, bool]:
        """What comes out how now."""
        view = self.view(contact)
        members = {(segment,): member for segment, member in contact.members.items()}
        return members | {path: truth(node, view) for path, node in self._nodes.items()}

    def view(self, contact: Contact) -> View:
        """The contact at the instant of its last step."""
        return self._view(contact)

    def _step(self, contact: Contact, step: Step) -> list[Change]:
        changes = super()._step(contact, step)
        contact_id, now = contact.history.contact_id, self.truths(contact)
        known, before, turned = self._turned.get(contact_id, (None, {}, {}))
        if known is not contact:  # it is new, perhaps once more
            before, turned = {}, {}
        turned |= {path: Turned(step.effective_at, step.cause) for path in now if now[path] != before.get(path)}
        self._turned[contact_id] = contact, now, turned
        return changes

    def ahead(self, contact: Contact, segment: str) -> dict[Path, int | None]:
        """When each condition of a segment, and the membership, first comes out otherwise if only the clock moves."""
        segments, watched = closure(self.file, segment), watched_leaves(self.file, segment)
        paths = [(segment,), *nodes_of(self.file, segment)]
        ahead = Contact(contact.history, contact.now, dict(contact.members))
        first = self.truths(ahead)
        found: dict[Path, int | None] = dict.fromkeys(paths)
        leaves, passed_over = [truth(each, self._view(ahead)) for each in watched], 0
        while passed_over < MAX_PASSED_OVER and None in found.values():
            look = self._next_look(ahead, segments)
            if look is None or look > LAST_INSTANT_MS:
                break
            ahead.now = look
            ahead.members = self._members(self._view(ahead), segments)
            now = self.truths(ahead)
            for path in paths:
                if found[path] is None and now[path] != first[path]:
                    found[path] = look
            before, leaves = leaves, [truth(each, self._view(ahead)) for each in watched]
            passed_over += leaves != before
        return found


def watched(file: File, bodies: list[Body], until: int | None) -> WatchingOracle:
    """The oracle after all records, and a last move of the clock."""
    oracle = WatchingOracle(file)
    for offset, body in enumerate(bodies):
        oracle.take(body, offset)
    oracle.move_on(until or 0, len(bodies))
    return oracle
