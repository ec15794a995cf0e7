"""A partition's contacts and timers in memory, while its log is folded.

At every cursor Redis holds all timers; in memory are only those that matter before the next commit: the due ones
that were loaded, and those that the batch itself brings. So memory does not grow with the future.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterable
from typing import NamedTuple

from schemas.errors import BugError
from schemas.forwards import Taken
from streams.ports import Loaded
from streams.segmentation import Contact, Core, Fold

_NEVER = 1 << 62


class Changes(NamedTuple):
    """What a commit writes of contacts."""

    states: dict[str, bytes | None]
    timers: dict[str, int | None]


class Workspace:
    """The fold of a partition, and the contacts that it works on, least recently used first."""

    def __init__(self, core: Core, partition: int, clock_ms: int, contacts_max: int, taken: Taken) -> None:
        """`contacts_max` bounds the contacts that are kept between batches; `taken` is what was of others' forwards."""
        self.core = core
        self.fold = Fold(core, partition, clock_ms)
        self.fold.taken = {source: (offset, count) for source, offset, count in taken}
        self.horizon_ms = _NEVER
        """From this instant on timers may be due that are not loaded."""
        self.until: tuple[int, str] | None = None
        """The last timer before the horizon; None where all that matter are loaded."""
        self._contacts_max = contacts_max
        self._contacts: OrderedDict[str, Contact] = OrderedDict()
        self.fold.contacts = self._contacts
        self._stored_due: dict[str, int | None] = {}  # of contacts that the coming commit may write
        self._needed: Collection[str] = ()

    def begin(self, keys: Collection[str]) -> list[str]:
        """Turn to a batch about these contacts; returns those that are to be loaded."""
        contacts, missing = self._contacts, []
        self._needed = keys
        self._stored_due = stored_due = {}
        for key in keys:
            contact = contacts.get(key)
            if contact is None:
                missing.append(key)
            else:
                contacts.move_to_end(key)
                stored_due[key] = contact.next_due
        return missing

    def take_in(self, loaded: Loaded, limit: int) -> None:
        """Know what was loaded; `limit` is how many timers were asked for at most."""
        contacts, fold = self._contacts, self.fold
        for key, raw in loaded.contacts.items():
            if key not in contacts:
                contact = contacts[key] = self.core.decode(key, raw)
                self._stored_due[key] = contact.next_due
        for due_ms, key in loaded.timers:
            known = contacts.get(key)
            if known is None or known.next_due != due_ms:
                raise BugError(f"contact {key} is stored with a timer at {due_ms} that its state does not have")
            self._stored_due[key] = due_ms
            fold.schedule(due_ms, key)
        self.until = loaded.timers[-1] if len(loaded.timers) == limit else None
        self.horizon_ms = _NEVER if self.until is None else self.until[0]

    @property
    def taken(self) -> Taken:
        """What of others' forwards was taken by now."""
        return tuple((source, *self.fold.taken[source]) for source in sorted(self.fold.taken))

    def changes(self) -> Changes:
        """States and timers that differ from what is stored."""
        contacts, stored_due, encode = self._contacts, self._stored_due, self.core.encode
        changes = Changes({}, {})
        for key in self.fold.changed:
            contact = contacts[key]
            changes.states[key] = encode(contact)
            if contact.next_due != stored_due.get(key):
                changes.timers[key] = contact.next_due
        return changes

    def settle(self, changes: Changes) -> None:
        """The changes are stored now."""
        for key, state in changes.states.items():
            if state is None:
                del self._contacts[key]
        self._stored_due.update(changes.timers)
        self.fold.changed.clear()
        self.fold.forget_timers()
        self.until, self.horizon_ms = None, _NEVER

    def trim(self, *, between_batches: bool) -> None:
        """Forget the contacts that were not used for longest; while a batch is folded, none that it needs."""
        contacts, most = self._contacts, self._contacts_max
        if len(contacts) <= most:
            return
        if not between_batches:
            self._use(self._needed)
            most = max(most, len(self._needed))
        while len(contacts) > most:
            contacts.popitem(last=False)

    def _use(self, keys: Iterable[str]) -> None:
        for key in keys:
            if key in self._contacts:
                self._contacts.move_to_end(key)
