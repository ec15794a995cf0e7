"""The audit of a stage finds what is missing, and points do what they are told to."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from schemas.errors import UnavailableError
from schemas.record_models import Machine
from schemas.records import Correction, encode_record
from schemas.topics import DEAD_LETTER_OFFSET
from streams.adapters.memory import MemoryLogs
from streams.ports import Message, RawRecord
from tests.audit import PartitionLog
from tests.engine.stories import definitions_value, story
from tests.faults.auditing import misled, missing
from tests.faults.detecting import bursts, corrected, wrongly_found
from tests.faults.failpoints import FailingTails, Failpoints, Trap, Traps
from tests.faults.load import Acknowledged

LOG = PartitionLog(0, 1, [RawRecord(0, 1, None, definitions_value()), RawRecord(1, 2, b"c", b"{")])


def _letter(origin: int, value: bytes = b"{") -> Message:
    return Message("dead_letter", 0, b"c", value, ((DEAD_LETTER_OFFSET, b"%d" % origin),))


def test_an_acknowledged_record_that_the_log_does_not_hold_is_lost() -> None:
    log = [Message("tracking", 0, None, b"a", offset=0), Message("tracking", 0, None, b"b", offset=1)]
    assert missing([Acknowledged(0, 0, b"a"), Acknowledged(0, 1, b"b")], [log]) == []
    assert "lost: 1" in missing([Acknowledged(0, 0, b"a"), Acknowledged(0, 1, b"c")], [log])[0]
    assert "lost: 1" in missing([Acknowledged(0, 2, b"c")], [log])[0]


def test_a_burst_that_was_not_taken_back_is_lost_and_any_other_event_that_was_is_made_up() -> None:
    whole = [Acknowledged(0, link, _click("c", f"burst-7-{link}")) for link in range(3)]
    of_erased = [Acknowledged(0, link, _click("gone", f"burst-9-{link}")) for link in range(3)]
    cut = [Acknowledged(0, 6, _click("c", "burst-8-0")), Acknowledged(0, 7, _click("c", "e9"))]
    values = [b"{", _correction("burst-7-0"), b'{"type": "erase", "contact_id": "gone"}']
    log = [[Message("tracking", 0, b"c", value) for value in values]]
    wanted = bursts([*whole, *whole, *of_erased, *cut], log)
    assert wanted == {"burst-7-0", "burst-7-1", "burst-7-2"}
    assert corrected(log) == {"burst-7-0"}
    assert wrongly_found(wanted, wanted | {"burst-8-0"}) == []
    assert "lost: 2 clicks" in wrongly_found(wanted, corrected(log))[0]
    assert "made up: 1 events" in wrongly_found(wanted, {*wanted, "e9"})[0]


def _click(contact_id: str, event_id: str) -> bytes:
    return b'{"type": "track", "contact_id": "%b", "event_id": "%b"}' % (contact_id.encode(), event_id.encode())


def _correction(event_id: str) -> bytes:
    machine = Machine(suspected=True, reasons=["burst"])
    return encode_record(
        Correction.model_construct(
            type="correction", event_id="x", contact_id="c", occurred_at=0, corrects=event_id, machine=machine
        )
    )


def test_dead_letters_lost_doubled_and_changed_are_told() -> None:
    assert misled(LOG, [_letter(1)], zombies=False) == []
    assert "lost: 1" in misled(LOG, [], zombies=False)[0]
    assert "doubled: 1" in misled(LOG, [_letter(1), _letter(1)], zombies=False)[0]
    assert misled(LOG, [_letter(1), _letter(1)], zombies=True) == []
    assert "made up: 1" in misled(LOG, [_letter(1), _letter(0)], zombies=True)[0]
    assert "is not the record" in misled(LOG, [_letter(1, b"}")], zombies=True)[0]


@story
async def test_a_trap_is_sprung_at_its_passing_and_noted(tmp_path: Path) -> None:
    notes = tmp_path / "sprung"
    told = Traps((Trap("tail.answered", "away", 2), Trap("dead_letter_tail.asked", "bug", 1)), 1, str(notes))
    points = Failpoints(Traps.told(told.environment()))
    tails = FailingTails(MemoryLogs(), points)
    assert await tails.tail("transitions", 0, 1) == []
    with pytest.raises(UnavailableError, match=r"tail\.answered"):
        await tails.tail("transitions", 0, 1)
    with pytest.raises(RuntimeError):
        await tails.tail("tracking.dead_letter", 0, 1)
    assert await tails.tail("transitions", 0, 1) == []
    assert notes.read_text() == "tail.answered away\ndead_letter_tail.asked bug\n"


@story
async def test_a_write_that_fails_on_its_way_is_left_to_itself(tmp_path: Path) -> None:
    points = Failpoints(Traps((Trap("commit.sent", "away", 1),), 1, str(tmp_path / "sprung")))
    written = []

    async def write() -> None:
        written.append("begun")
        await asyncio.sleep(0)

    with pytest.raises(UnavailableError):
        await points.write("commit", write())
    await points.write("commit", write())
    assert written[-1] == "begun"
    await asyncio.sleep(0)
