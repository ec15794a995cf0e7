"""Plays time forward on a contact: what flips, and when, if nothing happens but that the clock moves."""

from __future__ import annotations

from collections.abc import Sequence

from schemas.instants import LAST_INSTANT_MS
from streams.segmentation.contact import Contact
from streams.segmentation.program import CompiledSegment
from streams.segmentation.quantities import NEVER
from streams.segmentation.units import Test, look_ahead

MAX_FLIPS_PASSED = 100
"""Flips without effect that a search passes over before it gives up."""


def valid_until(contact: Contact, segment: CompiledSegment) -> int | None:
    """When the contact's membership of the segment changes next if only the clock moves.

    None: never, or not within the flips that are searched.
    """
    bits, flips = contact.bits, contact.flips
    at_ms = _next_flip(contact, segment)
    if at_ms > LAST_INSTANT_MS:
        return None  # the common case, without a copy
    contact.flips = flips.copy()
    member, passed = bits & segment.bit, 0
    try:
        while at_ms <= LAST_INSTANT_MS and passed < MAX_FLIPS_PASSED:
            changed = _play_on(contact, segment, at_ms)
            if changed:
                if contact.bits & segment.bit != member:
                    return at_ms
                passed += changed & segment.leaf_mask != 0
            at_ms = _next_flip(contact, segment)
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
            at_ms = _next_flip(contact, segment)
            if at_ms > LAST_INSTANT_MS:
                break
            changed = _play_on(contact, segment, at_ms)
            if changed:
                for place in waiting:
                    if tests[place](contact.bits) != now[place]:
                        found[place] = at_ms
                waiting = [place for place in waiting if found[place] is None]
            passed += changed & segment.leaf_mask != 0
    finally:
        contact.bits, contact.flips = bits, flips
    return found


def _next_flip(contact: Contact, segment: CompiledSegment) -> int:
    """The next instant at which something may flip that the segment rests on; past the last instant: never."""
    flips = contact.flips
    return min([flips[index] for index in segment.flips if index in flips], default=NEVER)


def _play_on(contact: Contact, segment: CompiledSegment, at_ms: int) -> int:
    """Play time forward to the next flip of what the segment rests on; the bits that changed."""
    flips, before, wanted = contact.flips, contact.bits, segment.all_read
    # A unit may serve other segments too, whose flips are no stops of this search.
    changed = look_ahead(contact, [unit for unit in segment.units if flips.get(unit.index) == at_ms], at_ms, wanted)
    for other in segment.rests_on:
        if not isinstance(other, CompiledSegment):
            if flips.get(other.index) == at_ms or other.reads & changed:
                look_ahead(contact, (other,), at_ms, wanted)
                changed = before ^ contact.bits
        elif other.reads & changed and other.member(contact.bits) != bool(contact.bits & other.bit):
            contact.bits ^= other.bit
            changed = before ^ contact.bits
    if segment.reads & changed and segment.member(contact.bits) != bool(contact.bits & segment.bit):
        contact.bits ^= segment.bit
    return before ^ contact.bits
