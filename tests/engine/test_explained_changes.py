"""A contact is explained from a log in which definitions change: as the worker tells of it, and as it stores it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from rich.console import Console

from schemas.errors import InputError
from schemas.transitions import cause_body
from streams.adapters.redis.inspect import StoredContact
from streams.cli.explaining import check_segment
from streams.cli.stored_contact import compared
from streams.explaining.log_replay import replay_log
from streams.explaining.replay import Replay
from streams.explaining.text import tree
from streams.explaining.view import segment_view
from streams.ports import RawRecord
from streams.segmentation import SEMANTICS_VERSION, contact_key
from tests.engine.stories import EVER, HOUR, MINUTE, OFTEN, LogWriter, changing_log, definitions_value, edited, story
from tests.engine.test_changing import moves, whole


class Log:
    """A log that counts how often it is read."""

    def __init__(self, records: Sequence[RawRecord]) -> None:
        self._records = records
        self.readings = 0

    def __call__(self) -> Iterable[RawRecord]:
        self.readings += 1
        return iter(self._records)


def replayed(records: Sequence[RawRecord], contact_id: str) -> Replay:
    return replay_log(Log(records), contact_id, "tracking", 0, 1)


def told(records: Sequence[RawRecord], contact_id: str, segment: str) -> dict[str, Any]:
    """A segment's part of the explanation as data."""
    return segment_view(replayed(records, contact_id).explainer().segment(segment))


def contacts_in(records: Sequence[RawRecord]) -> list[str]:
    return sorted({record.key.decode() for record in records if record.key is not None} - {"somebody-else"})


@pytest.mark.parametrize("seed", range(4))
@story
async def test_a_replay_ends_with_the_very_bytes_that_the_worker_stores(seed: int) -> None:
    records = changing_log(seed, 300)
    contents, _ = await whole(records)
    stored = contents["0"]["contacts"]
    for contact_id in contacts_in(records):
        replay = replayed(records, contact_id)
        contact = replay.contact
        if contact is not None:
            assert replay.core.encode(contact) == stored[contact_key(contact_id)], contact_id
    assert len(stored) > 20


@pytest.mark.parametrize("seed", range(4))
@story
async def test_every_membership_has_the_cause_of_the_transition_that_told_of_it(seed: int) -> None:
    records = changing_log(seed, 300)
    _, published = await whole(records)
    last = {(move.contact_id, move.segment): move for move in moves(published)}
    by_change = 0
    for contact_id in contacts_in(records):
        replay = replayed(records, contact_id)
        if replay.contact is None:
            continue
        for explained in replay.explainer().segments():
            if not explained.sequence:
                continue  # it was never there, or was erased since
            move, since = last[contact_id, explained.segment], explained.since
            assert explained.sequence == move.sequence
            assert since.cause is not None
            assert cause_body(since.cause) == cause_body(move.cause)
            assert (since.told_ms or since.at_ms) == move.effective_at
            by_change += since.cause.kind == "definition"
            assert since.told_ms is None or (explained.member and since.at_ms < since.told_ms)
    assert by_change > 0


def a_change(*, silent: bool = False) -> LogWriter:
    """Ann goes on, Bob leaves, and Eve comes by a change, an hour after her cart."""
    writer = LogWriter()
    writer.track("cart_add", "eve", MINUTE)
    for contact, opens in (("ann", 3), ("bob", 2)):
        for _ in range(opens):
            writer.track("email_open", contact, after_ms=1)
    writer.append(None, definitions_value(edited(active=OFTEN, ever=EVER, hot=None), number=2, silent=silent), MINUTE)
    return writer


def test_who_stays_keeps_its_since_and_who_leaves_or_comes_by_a_change_says_so() -> None:
    records = a_change().records
    change = {"kind": "definition", "position": "tracking-0@7"}
    ann = told(records, "ann", "active")
    assert (ann["member"], ann["sequence"], ann["since"]["cause"]["event_id"]) == (True, 1, "e3")
    assert ann["since"]["told_at"] is None
    assert ann["when"]["since"]["cause"]["event_id"] == "e4", "under the new ones it takes one more"
    bob = told(records, "bob", "active")
    assert (bob["member"], bob["sequence"]) == (False, 2)
    assert bob["since"] == {"at": "2026-03-01T00:02:00.005Z", "cause": change, "told_at": None}
    eve = told(records, "eve", "ever")
    assert (eve["member"], eve["sequence"]) == (True, 1)
    assert eve["since"] == {"at": "2026-03-01T00:01:00.000Z", "cause": change, "told_at": "2026-03-01T00:02:00.005Z"}
    assert eve["when"]["evidence"]["newest"][0]["event_id"] == "e1"
    assert eve["when"]["since"]["cause"]["kind"] == "event", "its history is told by its conditions"


@pytest.mark.parametrize("silent", [False, True])
def test_people_read_which_record_brought_the_definitions_and_when_it_was_told(silent: bool) -> None:
    records = a_change(silent=silent).records
    console = Console(width=120, color_system=None)
    with console.capture() as captured:
        console.print(tree(replayed(records, "eve").explainer().segment("ever")))
    assert captured.get().startswith(
        "✓ ever: in it since 2026-03-01T00:01:00Z (by the definitions at tracking-0@7, told 2026-03-01T00:02:00.005Z)"
    )


def test_what_comes_after_a_change_is_told_by_its_own_cause() -> None:
    writer = a_change()
    writer.track("email_open", "bob", MINUTE)
    writer.tick(HOUR)
    assert told(writer.records[:-1], "bob", "active")["since"]["cause"]["event_id"] == "e8"
    assert told(writer.records, "bob", "active")["since"]["cause"] == {"kind": "timer", "position": "tracking-0@9"}
    assert told(writer.records, "bob", "active")["sequence"] == 4


def test_a_log_is_read_once_and_once_more_however_often_definitions_change() -> None:
    log = Log(a_change().records[:-1])
    replay_log(log, "eve", "tracking", 0, 1)
    assert log.readings == 1
    log = Log(changing_log(1, 300))
    replay_log(log, "contact-0", "tracking", 0, 1)
    assert log.readings == 2


def test_a_segment_is_asked_for_among_those_that_there_are_in_the_end() -> None:
    records = a_change().records

    def asked(segment: str) -> None:
        replay_log(Log(records), "eve", "tracking", 0, 1, lambda definitions: check_segment(definitions, segment))

    asked("ever")
    with pytest.raises(InputError, match="there is no segment hot"):
        asked("hot")


@story
async def test_a_state_under_other_definitions_than_the_logs_is_another() -> None:
    records = a_change().records
    contents, _ = await whole(records)
    replay, definitions = replayed(records, "ann"), contents["0"]["definitions"][0]
    stored = StoredContact(
        contents["0"]["contacts"][contact_key("ann")], None, 0, definitions, len(records), SEMANTICS_VERSION
    )
    assert compared(stored, replay) == "same"
    assert compared(stored._replace(definitions=definitions.replace("ever", "once")), replay) == "different"
