"""Plays time forward on a contact: what flips, and when, if nothing happens but that the clock moves."""

from __future__ import annotations

from collections.abc import Sequence

from schemas.instants import LAST_INSTANT_MS
from streams.segmentation.contact import Contact
from streams.segmentation.program import CompiledSegment
from streams.segmentation.quantities import NEVER
from streams.segmentation.units import Test, look

MAX_FLIPS_PASSED = 100
"""Flips without effect that a search passes over before it gives up."""


def valid_until(contact: Contact, segment: CompiledSegment) -> int | None:
    """When the contact's membership of the segment changes next if only the clock moves.

    None: never, or not within the flips that are searched.
    """
    bits, flips = contact.bits, contact.flips
    if min([flips[index] for index in segment.flips], default=NEVER) > LAST_INSTANT_MS:
        return None  # the common case, without a copy
    contact.flips = flips.copy()
    member, passed = bits & segment.bit, 0
    try:
        while passed < MAX_FLIPS_PASSED:
            before = contact.bits
            at_ms = _play_on(contact, segment)
            if at_ms is None or contact.bits & segment.bit != member:
                return at_ms
            passed += (before ^ contact.bits) & segment.leaf_mask != 0
    finally:
        contact.bits, contact.flips = bits, flips
    return None


def turns_ahead(contact: Contact, segment: CompiledSegment, tests: Sequence[Test]) -> list[int | None]:
    """When each test on the contact's bits first comes out otherwise, if only the clock moves.

    None: never, or not within the flips that are searched; they are those of the search for `valid_until`. The
    tests are about what the segment rests on.
    """
    bits, flips = contact.bits, contact.flips
    contact.flips = flips.copy()
    now = [test(bits) for test in tests]
    found: list[int | None] = [None] * len(tests)
    waiting, passed = list(range(len(tests))), 0
    try:
        while waiting and passed < MAX_FLIPS_PASSED:
            before = contact.bits
            at_ms = _play_on(contact, segment)
            if at_ms is None:
                break
            if contact.bits != before:
                for place in waiting:
                    if tests[place](contact.bits) != now[place]:
                        found[place] = at_ms
                waiting = [place for place in waiting if found[place] is None]
            passed += (before ^ contact.bits) & segment.leaf_mask != 0
    finally:
        contact.bits, contact.flips = bits, flips
    return found


def _play_on(contact: Contact, segment: CompiledSegment) -> int | None:
    """Play time forward to the next flip of what the segment rests on, and return its instant; None: there is none."""
    flips = contact.flips
    at_ms = min([flips[index] for index in segment.flips], default=NEVER)
    if at_ms > LAST_INSTANT_MS:
        return None
    before = contact.bits
    look(contact, [unit for unit in segment.units if flips[unit.index] == at_ms], at_ms)
    for other in (*segment.rests_on, segment):
        if not isinstance(other, CompiledSegment):
            if flips[other.index] == at_ms or other.reads & (before ^ contact.bits):
                look(contact, (other,), at_ms)
        elif other.member(contact.bits) != bool(contact.bits & other.bit):
            contact.bits ^= other.bit
    return at_ms
