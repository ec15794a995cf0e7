"""The transitions of a run of records, found by looking at every instant that may matter."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import tests.oracle.trait_conditions  # noqa: F401 - registers its kinds of conditions
from tests.oracle import scores
from tests.oracle.correcting import Correction
from tests.oracle.history import Erasure, History, clock_of
from tests.oracle.language import File, closure, conditions_of, meaning, order, scores_used, watched_leaves
from tests.oracle.linking import Links, applied_at
from tests.oracle.notation import duration_ms, instant_ms
from tests.oracle.view import View, next_look, truth

MAX_PASSED_OVER = 100
"""Flips that change nothing, after which the search for the next transition ends."""
LAST_INSTANT = 253_402_300_799_999
"""The last millisecond of the year 9999: what holds longer holds for good."""
_CAUSES = {
    "track": "event",
    "identify": "traits",
    "consent": "consent",
    "list": "list",
    "correction": "correction",
    "erase": "erasure",
}


@dataclass(frozen=True)
class Change:
    """A transition as the semantics have it; `identity` is all that its id is a function of."""

    type: str
    contact_id: str
    segment: str
    tags: tuple[str, ...]
    sequence: int
    effective_at: int
    detected_at: int
    cause: dict[str, str]
    scores: dict[str, float]
    valid_until: int | None
    identity: tuple[Any, ...]
    meaning: str
    """What the hash of its definition is a function of."""


@dataclass
class Contact:
    """One contact: its history, where it is in each segment, and when to look again."""

    history: History
    now: int
    members: dict[str, bool]
    sequences: dict[str, int] = field(default_factory=dict)
    """Transitions so far in each segment that it was ever in, also under a name that no segment has any more."""
    since: dict[str, int] = field(default_factory=dict)
    """When it last came into each segment or left it."""


@dataclass
class Step:
    """One step of one contact: when it takes effect and why."""

    effective_at: int
    cause: dict[str, str]


class Oracle:
    """Applies records of one partition and collects what changes.

    `offset` numbers the records; the clock is theirs. Every contact's history is kept whole, and so are all records.
    """

    def __init__(self, file: File, partition: int = 0, *, at_once: bool = True) -> None:
        """`at_once`: what contacts send to one another arrives at once; else the log says when it does."""
        self.file = file
        self.opening = file
        """What held at first: its lists are those of which no record tells."""
        self.partition = partition
        self.taken: list[tuple[dict[str, Any], int]] = []
        self.order = order(file)
        self.horizon_ms = duration_ms(file.get("deduplicate", "48h"))
        self.correction = Correction(file, self.horizon_ms)
        self.contacts: dict[str, Contact] = {}
        self.erasures: dict[str, Erasure] = {}
        self.links = Links(self, at_once=at_once)
        self.lists = {name: set(ids) for name, ids in file.get("lists", {}).items()}
        self.changes: list[Change] = []
        self.clock = 0

    def take(self, body: dict[str, Any], offset: int) -> str:
        """Time moves on to the record, then the record is applied. Says what became of it."""
        self.move_on(max(self.clock, clock_of(body)), offset)
        if body["type"] == "definitions":
            self._change(body, offset)
        self.taken.append((body, offset))
        if body["type"] in ("tick", "definitions"):
            return str(body["type"])
        if body["type"] == "forward":
            return "forward" if self.links.at_once else self.links.take(body, offset)
        result = self._apply(body, offset)
        if result == "applied":
            told = instant_ms(body["occurred_at"])
            result += " late" * (told < self.clock) + " future" * (told > self.clock)
        return result

    def move_on(self, clock: int, offset: int) -> None:
        """The clock is moved on, and every contact's timers up to there fire."""
        self.clock = max(self.clock, clock)
        fired: list[tuple[int, bytes, list[Change]]] = []
        for contact in self.contacts.values():
            while (look := self._next_look(contact, self.order)) is not None and look <= self.clock:
                changes = self._step(contact, Step(look, {"kind": "timer", "position": self._position(offset)}))
                fired.append((look, contact.history.contact_id.encode(), changes))
        for _, _, changes in sorted(fired, key=lambda each: each[:2]):
            self.changes += changes

    def next_look(self) -> int | None:
        """The next instant at which something of any contact may flip by time alone."""
        looks = [self._next_look(contact, self.order) for contact in self.contacts.values()]
        return min((look for look in looks if look is not None), default=None)

    def _change(self, body: dict[str, Any], offset: int) -> None:
        """From here on other definitions hold; contacts are where those say of all records that they are."""
        told = Rehearsal(
            json.loads(body["definitions"]) | {"lists": self.opening.get("lists", {})},
            self.partition,
            at_once=self.links.at_once,
        )
        for earlier in self.taken:
            told.take(*earlier)
        told.move_on(self.clock, offset)
        step = Step(self.clock, {"kind": "definition", "position": self._position(offset)})
        if body.get("silent"):
            step.cause["kind"] = "backfill"
        changes = {contact_id: list[Change]() for contact_id in (*self.contacts, *told.contacts)}
        for contact_id, old in self.contacts.items():
            left = () if contact_id not in told.contacts else told.order
            stays = {name: member and name in left for name, member in old.members.items()}
            changes[contact_id] += self._changes(old, stays, step, bare=True)
        before, self.contacts = self.contacts, told.contacts
        self.erasures, self.lists, self.horizon_ms = told.erasures, told.lists, told.horizon_ms
        self.links.adopt(told.links)
        self.file, self.order, self.correction = told.file, told.order, told.correction
        for contact_id, new in self.contacts.items():
            changes[contact_id] += self._go_on(new, before.get(contact_id), step)
        for contact_id in sorted(changes, key=str.encode):
            self.changes += changes[contact_id]

    def _go_on(self, contact: Contact, before: Contact | None, step: Step) -> list[Change]:
        """A contact as its records make it goes on from how it stood."""
        wanted, since = contact.members, contact.since
        contact.sequences, contact.since, stood = {}, {}, dict[str, bool]()
        if before is not None:
            contact.sequences, contact.since, stood = before.sequences, before.since, before.members
        contact.members = {name: stood.get(name, False) for name in self.order}
        changes = self._changes(contact, wanted, step)
        for change in changes:
            if change.type == "segment.entered":
                contact.since[change.segment] = since[change.segment]
        return changes

    def _position(self, offset: int) -> str:
        return f"tracking-{self.partition}@{offset}"

    def _apply(self, body: dict[str, Any], offset: int) -> str:
        contact_id, time = body["contact_id"], min(instant_ms(body["occurred_at"]), self.clock)
        if self.was_erased(contact_id, time):
            return "erased"
        if body["type"] in ("erase", "link") or contact_id in self.links.linked:
            return self.links.turn(body, offset)
        contact = self.contacts.get(contact_id)
        if contact is not None and contact.history.is_duplicate(body["event_id"], self.clock, self.horizon_ms):
            return "duplicate"
        if body["type"] == "correction":
            return "unknown" if contact is None else self._correct(contact, body, offset)
        counts = self.apply_to(contact_id, [body], self.cause(body, offset), body["event_id"])
        return "applied" if counts else "unknown"

    def _correct(self, contact: Contact, body: dict[str, Any], offset: int) -> str:
        result = self.correction.take(body, contact.history, self.clock)
        if result in ("applied", "unknown"):
            contact.history.said.append(body)
            contact.history.remember(body["event_id"], self.clock)
            self.changes += self._step(contact, Step(self.clock, self.cause(body, offset)))
        return result

    def was_erased(self, contact_id: str, time: int) -> bool:
        """Whether what happened at `time` is covered by an erasure of the contact."""
        erasure = self.erasures.get(contact_id)
        return erasure is not None and self.clock - erasure.clock <= self.horizon_ms and time <= erasure.time

    def apply_to(
        self,
        contact_id: str,
        bodies: list[dict[str, Any]],
        cause: dict[str, str],
        made_by: str,
        since: int | None = None,
    ) -> bool:
        """Apply those records that count to a contact, in one step; whether there is one.

        `since`: it is known at least since that clock, and there is a step in any case.
        """
        contact = self.contacts.get(contact_id)
        known = contact is not None or since is not None
        if contact is None:
            put_on = frozenset(name for name, ids in self.lists.items() if contact_id in ids)
            history = History(contact_id, put_on, created_by=made_by, known_since=self.clock)
            contact = Contact(history, self.clock, dict.fromkeys(self.order, False))
        counted = [body for body in bodies if self._add(contact, body, known=known)]
        if not counted and since is None:
            return False
        self.contacts[contact_id] = contact
        if since is not None:
            contact.history.known_since = min(contact.history.known_since, since)
        self.changes += self._step(contact, Step(self.clock, cause))
        return True

    def _add(self, contact: Contact, body: dict[str, Any], *, known: bool) -> bool:
        """Put a record into a history; whether it counts. `known`: of a contact that exists whatever it says."""
        told, time = contact.history, min(instant_ms(body["occurred_at"]), self.clock)
        if self.was_erased(told.contact_id, time) or told.is_duplicate(body["event_id"], self.clock, self.horizon_ms):
            return False
        if body.get("if_known") and body["type"] == "list" and not (known or told.applied or told.put_on):
            return False
        if body["type"] == "correction":
            if not told.applied or self.correction.take(body, told, self.clock) not in ("applied", "unknown"):
                return False
            told.remember(body["event_id"], self.clock)
        else:
            told.add(applied_at(self.correction.awaited(body, told, self.clock), self.clock))
        told.said.append(body)
        return True

    def cause(self, body: dict[str, Any], offset: int) -> dict[str, str]:
        """Why a record's own step is taken."""
        cause = {"kind": _CAUSES[body["type"]], "event_id": body["event_id"]} | self.place(offset)
        if body.get("backfill"):
            cause["kind"] = "backfill"
        elif body["type"] == "track":
            cause["event"] = body["event"]
        return cause

    def place(self, offset: int) -> dict[str, str]:
        """Where the record of a cause lies."""
        return {"position": self._position(offset)}

    def forget(self, contact_id: str, time: int, cause: dict[str, str], offset: int) -> None:
        """Nothing is left of a contact but that it was erased."""
        self.erasures[contact_id] = Erasure(self.clock, time)
        for ids in self.lists.values():
            ids.discard(contact_id)
        self.end(contact_id, cause, offset)

    def end(self, contact_id: str, cause: dict[str, str], offset: int) -> None:
        """A contact leaves everything and is no more."""
        contact = self.contacts.pop(contact_id, None)
        if contact is not None:
            outside = dict.fromkeys(self.order, False)
            self.changes += self._changes(contact, outside, Step(self.clock, cause | self.place(offset)), bare=True)

    def _view(self, contact: Contact) -> View:
        return View(self.file, contact.history, contact.now, contact.members)

    def _next_look(self, contact: Contact, segments: list[str]) -> int | None:
        """The first instant after the contact's last step at which something may flip in these segments."""
        view = self._view(contact)
        looks = [next_look(each, view) for segment in segments for each in conditions_of(self.file, segment)]
        return min((look for look in looks if look is not None), default=None)

    def _members(self, view: View, segments: list[str]) -> dict[str, bool]:
        """Who is in what after a step at the view's instant; the view has who was in what before it."""
        members = dict(view.members)
        for segment in segments:
            now = replace(view, members=members)
            written = self.file["segments"][segment]
            when = truth(written["when"], now)
            out = truth(written["exit_when"], now) if "exit_when" in written else not when
            members[segment] = not out if members[segment] else when and not out
        return members

    def _step(self, contact: Contact, step: Step) -> list[Change]:
        contact.now = step.effective_at
        return self._changes(contact, self._members(self._view(contact), self.order), step)

    def _changes(
        self, contact: Contact, members: Mapping[str, bool], step: Step, *, bare: bool = False
    ) -> list[Change]:
        changed = [segment for segment in self.order if members[segment] != contact.members[segment]]
        contact.members = dict(members)
        contact.now = step.effective_at
        changes = []
        for segment in changed:
            sequence = contact.sequences[segment] = contact.sequences.get(segment, 0) + 1
            contact.since[segment] = step.effective_at
            contact_id, created_by = contact.history.contact_id, contact.history.created_by
            view, meant = self._view(contact), meaning(self.file, segment)
            changes.append(
                Change(
                    type="segment.entered" if members[segment] else "segment.exited",
                    contact_id=contact_id,
                    segment=segment,
                    tags=tuple(self.file["segments"][segment].get("tags", [])),
                    sequence=sequence,
                    effective_at=step.effective_at,
                    detected_at=self.clock,
                    cause=step.cause,
                    scores={}
                    if bare
                    else {name: float(scores.reading(name, view)) for name in scores_used(self.file, segment)},
                    valid_until=None if bare else self._valid_until(contact, segment),
                    identity=(contact_id, segment, meant, sequence, step.effective_at, created_by),
                    meaning=meant,
                )
            )
        return changes

    def _valid_until(self, contact: Contact, segment: str) -> int | None:
        """When the segment changes next if only the clock moves."""
        segments, watched = closure(self.file, segment), watched_leaves(self.file, segment)
        ahead = Contact(contact.history, contact.now, dict(contact.members))
        truths = [truth(each, self._view(ahead)) for each in watched]
        passed_over = 0
        while passed_over < MAX_PASSED_OVER:
            look = self._next_look(ahead, segments)
            if look is None or look > LAST_INSTANT:
                return None
            ahead.now = look
            ahead.members = self._members(self._view(ahead), segments)
            if ahead.members[segment] != contact.members[segment]:
                return look
            truths_before, truths = truths, [truth(each, self._view(ahead)) for each in watched]
            passed_over += truths != truths_before
        return None


class Rehearsal(Oracle):
    """What would have been under definitions that do not hold yet: only who is where counts, and since when."""

    def _change(self, body: dict[str, Any], offset: int) -> None:
        """Its definitions hold all the time."""

    def _changes(
        self, contact: Contact, members: Mapping[str, bool], step: Step, *, bare: bool = False
    ) -> list[Change]:
        del bare  # nobody is told how a segment was left
        for segment in self.order:
            if members[segment] != contact.members[segment]:
                contact.since[segment] = step.effective_at
        contact.members, contact.now = dict(members), step.effective_at
        return []
