"""What the parts of one scenario are read against: its start, its contacts, and the definitions' names."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from streams.scenarios.moments import Moment
from streams.segmentation import Definitions
from streams.segmentation.names import nearest, told
from streams.segmentation.problems import Findings, join
from streams.segmentation.refusals import ABSENT


@dataclass(slots=True)
class Scope:
    """The surroundings of an item of a scenario; what is wrong goes to `findings`."""

    definitions: Definitions
    findings: Findings
    start_ms: int | None
    contact: str
    """Whom an item is about that names nobody."""
    contacts: set[str] = field(default_factory=set)
    """Everybody of whom something is given."""

    @property
    def segments(self) -> tuple[str, ...]:
        """Names of all segments, in order of evaluation."""
        return tuple(segment.name for segment in self.definitions.segments)

    def unknown(self, path: str, name: str, known: Iterable[str], what: str) -> None:
        """Note a name that nobody knows, with the one that may have been meant."""
        names = list(known)
        self.findings.add(path, name, f"expected {what}: {told(names) or 'there is none'}", nearest(name, names))

    def instant(self, moment: Moment | None, path: str) -> int | None:
        """The instant of a moment; None where there is none, or where it has no instant, which is noted."""
        if moment is None:
            return None
        try:
            return moment.resolve(self.start_ms)
        except ValueError as error:
            self.findings.add(path, ABSENT, str(error))
            return None

    def knows_segment(self, name: str, path: str) -> bool:
        """Whether a segment is defined; noted where it is not."""
        if name in self.segments:
            return True
        self.unknown(path, name, self.segments, "the name of a segment")
        return False

    def meet(self, item: Any) -> None:
        """Know of the contact that an item of `given` is about, also where other things are wrong with it."""
        named = item.get("contact") if isinstance(item, dict) else None
        self.contacts.add(named if isinstance(named, str) else self.contact)

    def whom(self, contact: str | None, path: str) -> str:
        """The contact of an expectation; one of whom nothing is given is noted."""
        contact_id = contact or self.contact
        known = self.contacts.union(*self.definitions.lists.values())
        if contact_id not in known:
            where = join(path, "contact") if contact else path
            self.unknown(where, contact_id, sorted(known), "a contact of whom something is given")
        return contact_id
