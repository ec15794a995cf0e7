"""What contacts of one partition send to those of another must lie in the other's log, every record of it."""

from __future__ import annotations

from collections.abc import Sequence

from schemas.records import Forward
from tests.audit.folded import Folded
from tests.audit.log import PartitionLog, counted_records


def audit_crossing(logs: Sequence[PartitionLog]) -> list[str]:
    """Every problem found: what was not sent on, or was sent by nobody."""
    arrived: set[tuple[int, int, int]] = set()
    wanted: set[tuple[int, int, int]] = set()
    for log in logs:
        for sending in Folded(log).sent:
            wanted |= _records(log.partition, sending.offset, sending.first, len(sending.records))
        for each in counted_records(log):
            if isinstance(each.record, Forward):
                origin = each.record.origin
                arrived |= _records(origin.partition, origin.offset, origin.first, len(each.record.records))
    problems = []
    if lost := wanted - arrived:
        problems.append(f"lost: {len(lost)} records never came to whom they count for, such as {min(lost)}")
    if made_up := arrived - wanted:
        problems.append(f"made up: {len(made_up)} records were sent by nobody, such as {min(made_up)}")
    return problems


def _records(partition: int, offset: int, first: int, count: int) -> set[tuple[int, int, int]]:
    """One entry for each record, and one for the word that there is none."""
    return {(partition, offset, place) for place in range(first, first + max(1, count))}
