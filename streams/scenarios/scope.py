"""What the parts of one scenario are read against: its start, its contacts, and the definitions' names."""

from __future__ import annotations

from dataclasses import dataclass, field

from streams.scenarios.findings import Findings, Path
from streams.scenarios.moments import Moment
from streams.segmentation import Definitions


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

    def instant(self, moment: Moment | None, path: Path) -> int | None:
        """The instant of a moment; None where there is none, or where it has no instant, which is noted."""
        if moment is None:
            return None
        try:
            return moment.resolve(self.start_ms)
        except ValueError as error:
            self.findings.add(path, None, str(error))
            return None

    def knows_segment(self, name: str, path: Path) -> bool:
        """Whether a segment is defined; noted where it is not."""
        if name in self.segments:
            return True
        self.findings.unknown(path, name, self.segments, "the name of a segment")
        return False

    def whom(self, contact: str | None, path: Path) -> str:
        """The contact of an expectation; one of whom nothing is given is noted."""
        contact_id = contact or self.contact
        known = self.contacts.union(*self.definitions.lists.values())
        if contact_id not in known:
            where = (*path, "contact") if contact else path
            self.findings.unknown(where, contact_id, sorted(known), "a contact of whom something is given")
        return contact_id
