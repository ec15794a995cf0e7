"""Holds what came out of a partition against what its log must yield."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

from consumers.gate import Gate, Passage
from schemas.topics import HEADER_EPOCH, HEADER_PARTITION, HEADER_POSITION, HEADER_SEQ, HEADER_TRANSITION_ID
from schemas.transitions import Transition, decode_transition
from streams.ports import Message
from tests.audit.expected import Expected, expected_of
from tests.audit.folded import Folded, comparable
from tests.audit.log import PartitionLog
from tests.oracle.driving import row_of_change, row_of_transition
from tests.oracle.timeline import Change

_PROBLEMS_TOLD_MAX = 20


def audit_partition(log: PartitionLog, output: Sequence[Message], contents: dict[str, Any] | None) -> list[str]:
    """Every problem found, none where all is right.

    `output` is all of the same partition of `transitions`, in order of its log; `contents` is what the store holds of
    the partition (None leaves that out), with the whole log folded.
    """
    expected = expected_of(log)
    passed, problems = past_the_gate(output)
    problems += _compare_output(log.partition, passed, expected.changes)
    if contents is not None:
        problems += _compare_state(log, comparable(contents), expected)
    return [f"partition {log.partition}: {problem}" for problem in problems[:_PROBLEMS_TOLD_MAX]]


def past_the_gate(output: Sequence[Message]) -> tuple[list[Message], list[str]]:
    """What a consumer gets to see, of the highest epoch; and what its gate would stop at."""
    gate, passed, problems = Gate(0, 0), [], []
    ids: dict[tuple[int, int], bytes] = {}
    for message in output:
        headers = dict(message.headers)
        stamp = (int(headers[HEADER_EPOCH]), int(headers[HEADER_SEQ]))
        gate, passage = gate.judge(*stamp)
        if passage is Passage.GAP:
            problems.append(f"lost: a gap before seq {stamp[1]} of epoch {stamp[0]} at offset {message.offset}")
        known = ids.setdefault(stamp, headers[HEADER_TRANSITION_ID])
        if passage is Passage.SEEN and known != headers[HEADER_TRANSITION_ID]:
            problems.append(f"seq {stamp[1]} of epoch {stamp[0]} names two transitions")
        if passage is Passage.NEXT:
            passed.append((stamp, message))
    return [message for (epoch, _), message in passed if epoch == gate.epoch], problems


def _compare_output(partition: int, passed: Sequence[Message], changes: Sequence[Change]) -> list[str]:
    problems = []
    ids: dict[str, tuple[Any, ...]] = {}
    names: dict[tuple[Any, ...], str] = {}
    indexes: dict[int, int] = {}
    for seq, (message, change) in enumerate(zip_longest(passed, changes), start=1):
        if message is None:
            problems.append(f"lost: {len(changes) - seq + 1} transitions from seq {seq} on, the first is {change}")
            break
        found = decode_transition(message.value or b"")
        if change is None:
            problems.append(f"doubled or made up: {len(passed) - seq + 1} transitions from seq {seq} on, {found}")
            break
        row, wanted = row_of_transition(found), row_of_change(change)
        if row != wanted:
            problems.append(f"seq {seq}: expected {wanted}, found {row}")
            break
        offset = int(change.cause["position"].partition("@")[2])
        index = indexes[offset] = indexes.get(offset, -1) + 1
        problems += _misstamped(partition, message, found, (seq, f"{offset}.{index}"))
        known = ids.setdefault(found.transition_id, change.identity), names.setdefault(change.identity, "")
        if known[0] != change.identity or known[1] not in ("", found.transition_id):
            problems.append(f"seq {seq}: the transition id is no function of what it stands for")
        names[change.identity] = found.transition_id
    return problems


def _misstamped(partition: int, message: Message, found: Transition, place: tuple[int, str]) -> list[str]:
    wanted = {
        HEADER_PARTITION: str(partition).encode(),
        HEADER_SEQ: str(place[0]).encode(),
        HEADER_POSITION: place[1].encode(),
        HEADER_TRANSITION_ID: found.transition_id.encode(),
    }
    headers = {name: value for name, value in message.headers if name != HEADER_EPOCH}
    problems = []
    if headers != wanted:
        problems.append(f"seq {place[0]}: expected the headers {wanted}, found {headers}")
    if message.key != found.contact_id.encode():
        problems.append(f"seq {place[0]}: its key is not its contact")
    return problems


def _compare_state(log: PartitionLog, found: dict[str, Any], expected: Expected) -> list[str]:
    folded = Folded(log)
    wanted = folded.contents()
    problems = [
        f"the stored {part} differ from those of an uninterrupted fold: {_difference(wanted[part], found[part])}"
        for part in ("at", "definitions", "contacts", "timers", "sizes", "members")
        if found[part] != wanted[part]
    ]
    return problems + _compare_standing(folded, found, expected)


def _difference(wanted: Any, found: Any) -> str:
    if isinstance(wanted, dict) and isinstance(found, dict):
        keys = [key for key in wanted.keys() | found.keys() if wanted.get(key) != found.get(key)]
        parts = [f"{key}: expected {wanted.get(key)!r}, found {found.get(key)!r}" for key in sorted(keys)[:3]]
        return f"{len(keys)} of them, " + "; ".join(parts)
    return f"expected {wanted!r}, found {found!r}"[:1_000]


def _compare_standing(folded: Folded, found: dict[str, Any], expected: Expected) -> list[str]:
    """Memberships, sequences and scores of every stored contact against the oracle's."""
    core, clock_ms = folded.core, found["at"][2]
    problems, seen = [], set()
    for key, raw in found["contacts"].items():
        contact = core.decode(key, raw)
        if not contact.exists:
            continue
        assert contact.contact_id is not None
        seen.add(contact.contact_id)
        standing = expected.contacts.get(contact.contact_id)
        if standing is None:
            problems.append(f"contact {contact.contact_id} is stored and must not exist")
            continue
        sequences = {segment.name: contact.sequences.get(segment.index, 0) for segment in core.program.segments}
        members = {name: bool(count & 1) for name, count in sequences.items()}
        sequences |= {name: standing.sequence for name, standing in contact.retired.items()}
        readings = {
            score.name: repr(float(score.reading(contact, clock_ms) / 1000))
            for segment in core.program.segments
            for score in segment.scores
        }
        wanted = {name: standing.readings[name] for name in readings}
        if (members, {n: c for n, c in sequences.items() if c}, readings) != (
            standing.members, standing.sequences, wanted,
        ):  # fmt: skip
            problems.append(f"contact {contact.contact_id} stands at {members} {readings}, expected {standing}")
    missing = expected.contacts.keys() - seen
    if missing:
        problems.append(f"{len(missing)} contacts are not stored, such as {min(missing)}")
    return problems
