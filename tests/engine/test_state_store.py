"""What every state store promises, held in memory and on a real Redis alike."""

from __future__ import annotations

from dataclasses import replace

import pytest

from schemas.errors import InputError
from schemas.records import definitions_hash
from streams.ports import (
    Commit,
    Cursor,
    CursorMismatchError,
    Fence,
    FenceLostError,
    LogIdentity,
    MembershipChange,
    OutboxEntry,
)
from streams.versions import Version
from tests.engine.stories import story
from tests.engine.world import FENCE, LOG, StoreOpener

START = Cursor(0, 0)
NEXT = Cursor(1, 0)
VERSION = Version(1, definitions_hash("{}"), 0, 5, "ann", "the first")
K1, K2, K3 = "1" * 32, "2" * 32, "3" * 32


def entry(seq: int, offset: int = 0, index: int = 0) -> OutboxEntry:
    return OutboxEntry(seq, offset, index, 1, f"id-{seq}", f"contact-{seq}", b'{"n":%d}' % seq)


def commit(before: Cursor = START, after: Cursor = NEXT, **fields: object) -> Commit:
    known = Commit(
        fence=FENCE, before=before, after=after, index=0, clock_ms=5, seq=0, contacts={}, timers={}, outbox=()
    )
    return replace(known, **fields)  # type: ignore[arg-type] # any field of the dataclass


@story
async def test_what_was_committed_is_loaded_again(worlds: StoreOpener) -> None:
    async with worlds() as world:
        store = world.store
        assert (await store.take(0, FENCE, LOG)).cursor == START
        earliest = await store.commit(
            0,
            commit(
                contacts={K1: b"\x00one\xff", K2: b"two"},
                timers={K1: 1_764_000_000_001, K2: 1_764_000_000_000},
                clock_ms=1_763_999_999_999,
                seq=2,
                index=0,
                outbox=[entry(1), entry(2, index=1)],
                definitions="{}",
                versions=(VERSION,),
            ),
        )
        assert earliest == 1_764_000_000_000
        meta = await store.take(0, FENCE, LOG)
        assert (meta.cursor, meta.clock_ms, meta.seq, meta.index) == (Cursor(1, 0), 1_763_999_999_999, 2, 0)
        assert (meta.definitions, meta.definitions_number, meta.epoch, meta.log) == ("{}", 1, 1, LOG)
        assert meta.versions == (VERSION,)
        loaded = await store.load(0, Cursor(1, 0), [K1, K3], 1_764_000_000_000, 10)
        assert loaded.contacts == {K1: b"\x00one\xff", K2: b"two"}
        assert loaded.timers == [(1_764_000_000_000, K2)]
        assert loaded.earliest_due_ms == 1_764_000_000_000
        assert await store.outbox(0, 0, 10) == [entry(1), entry(2, index=1)]


@story
async def test_a_stale_owner_cannot_commit(worlds: StoreOpener) -> None:
    async with worlds() as world:
        await world.store.take(0, FENCE, LOG)
        await world.store.take(0, Fence(2, "member-2"), LOG)
        before = world.contents()
        with pytest.raises(FenceLostError) as lost:
            await world.store.commit(0, commit(contacts={K1: b"stale"}, timers={K1: 1}))
        assert lost.value.found == Fence(2, "member-2")
        assert world.contents() == before


@story
async def test_another_member_of_the_same_generation_is_refused(worlds: StoreOpener) -> None:
    async with worlds() as world:
        await world.store.take(0, Fence(3, "a"), LOG)
        with pytest.raises(FenceLostError, match="segue fence reset"):
            await world.store.take(0, Fence(3, "b"), LOG)


@story
async def test_a_lower_generation_is_refused(worlds: StoreOpener) -> None:
    async with worlds() as world:
        await world.store.take(0, Fence(3, "a"), LOG)
        with pytest.raises(FenceLostError):
            await world.store.take(0, Fence(2, "a"), LOG)
        assert (await world.store.take(0, Fence(3, "a"), LOG)).cursor == START


@story
async def test_the_same_member_takes_its_own_fence_again(worlds: StoreOpener) -> None:
    async with worlds() as world:
        await world.store.take(0, FENCE, LOG)
        await world.store.commit(0, commit())
        assert (await world.store.take(0, FENCE, LOG)).cursor == Cursor(1, 0)
        await world.store.commit(0, commit(before=Cursor(1, 0), after=Cursor(2, 0)))


@story
async def test_a_commit_from_another_cursor_changes_nothing_and_says_where_the_state_is(worlds: StoreOpener) -> None:
    async with worlds() as world:
        await world.store.take(0, FENCE, LOG)
        await world.store.commit(0, commit(after=Cursor(7, 3)))
        before = world.contents()
        for wrong in (START, Cursor(7, 0), Cursor(7, 4), Cursor(8, 3)):
            with pytest.raises(CursorMismatchError) as mismatch:
                await world.store.commit(0, commit(before=wrong, after=Cursor(9, 0), contacts={K1: b"x"}))
            assert mismatch.value.found == Cursor(7, 3)
        assert world.contents() == before


@story
async def test_a_load_at_another_cursor_is_refused(worlds: StoreOpener) -> None:
    async with worlds() as world:
        await world.store.take(0, FENCE, LOG)
        await world.store.commit(0, commit(contacts={K1: b"x"}))
        with pytest.raises(CursorMismatchError) as mismatch:
            await world.store.load(0, START, [K1], None, 0)
        assert mismatch.value.found == Cursor(1, 0)


@story
async def test_a_commit_of_a_generation_that_the_store_has_forgotten_is_no_fence_loss(worlds: StoreOpener) -> None:
    """Redis was set back to an older owner: the state must be read again, nobody has taken the partition."""
    async with worlds() as world:
        await world.store.take(0, FENCE, LOG)
        with pytest.raises(CursorMismatchError) as mismatch:
            await world.store.commit(0, commit(fence=Fence(2, "member-2")))
        assert mismatch.value.found is None


@story
async def test_timers_come_in_order_of_instant_and_key_and_at_most_as_many_as_asked_for(worlds: StoreOpener) -> None:
    async with worlds() as world:
        await world.store.take(0, FENCE, LOG)
        due = {f"{n:032x}": 1_000 + n % 3 for n in range(9)}
        await world.store.commit(0, commit(contacts=dict.fromkeys(due, b"s"), timers=dict(due)))
        expected = sorted((instant, key) for key, instant in due.items())
        at = Cursor(1, 0)
        assert (await world.store.load(0, at, [], 1_001, 100)).timers == expected[:6]
        loaded = await world.store.load(0, at, [], 9_999, 4)
        assert loaded.timers == expected[:4]
        assert set(loaded.contacts) == {key for _, key in expected[:4]}
        assert (await world.store.load(0, at, [], 999, 100)).timers == []
        nothing = await world.store.load(0, at, [], None, 100)
        assert (nothing.timers, nothing.earliest_due_ms) == ([], 1_000)


@story
async def test_contacts_and_timers_are_deleted(worlds: StoreOpener) -> None:
    async with worlds() as world:
        await world.store.take(0, FENCE, LOG)
        await world.store.commit(0, commit(contacts={K1: b"a", K2: b"b"}, timers={K1: 10, K2: 20}))
        gone = commit(Cursor(1, 0), Cursor(2, 0), contacts={K1: None, K3: None}, timers={K1: None, K3: None})
        assert await world.store.commit(0, gone) == 20
        assert (await world.store.load(0, Cursor(2, 0), [K1, K2], 99, 9)).contacts == {K2: b"b"}


@story
async def test_a_commit_may_be_large(worlds: StoreOpener) -> None:
    async with worlds() as world:
        await world.store.take(0, FENCE, LOG)
        keys = [f"{n:032x}" for n in range(5_003)]
        large = commit(
            contacts={key: key.encode() * 3 for key in keys},
            timers={key: 50 + n for n, key in enumerate(keys)},
            outbox=[entry(n + 1, index=n) for n in range(3_001)],
            seq=3_001,
            memberships=[MembershipChange("s", key, True, 7) for key in keys],
        )
        assert await world.store.commit(0, large) == 50
        loaded = await world.store.load(0, Cursor(1, 0), keys, 10_000, 10_000)
        assert loaded.contacts == large.contacts
        assert len(loaded.timers) == len(keys)
        assert await world.store.outbox(0, 0, 5_000) == list(large.outbox)
        gone = commit(
            Cursor(1, 0),
            Cursor(2, 0),
            contacts=dict.fromkeys(keys),
            timers=dict.fromkeys(keys),
            memberships=[MembershipChange("s", key, False, 8) for key in keys],
        )
        assert await world.store.commit(0, gone) is None
        assert world.contents()["0"]["contacts"] == {}
        assert world.contents()["0"]["members"] == {}
        assert world.contents()["0"]["sizes"] == {"s": 0}


@story
async def test_sizes_and_members_follow_transitions(worlds: StoreOpener) -> None:
    async with worlds() as world:
        await world.store.take(0, FENCE, LOG)
        changes = [
            MembershipChange("vip", "ann", True, 10),
            MembershipChange("vip", "bob", True, 11),
            MembershipChange("vip", "ann", False, 12),
            MembershipChange("hot", "ann", True, 13),
            MembershipChange("hot", "ann", False, 14),
            MembershipChange("vip", "ann", True, 15),
        ]
        await world.store.commit(0, commit(memberships=changes))
        stored = world.contents()["0"]
        assert stored["sizes"] == {"vip": 2, "hot": 0}
        assert stored["members"] == {"vip": {"ann": 15, "bob": 11}}
        assert (await world.store.take(0, FENCE, LOG)).sizes == {"vip": 2, "hot": 0}


@story
async def test_trimming_the_outbox_twice_or_too_late_takes_nothing_more(worlds: StoreOpener) -> None:
    async with worlds() as world:
        await world.store.take(0, FENCE, LOG)
        await world.store.commit(0, commit(outbox=[entry(n) for n in range(1, 6)], seq=5))
        for acked in (3, 3, 1):
            await world.store.trim(0, acked)
        assert [one.seq for one in await world.store.outbox(0, 0, 10)] == [4, 5]
        assert [one.seq for one in await world.store.outbox(0, 4, 10)] == [5]
        assert [one.seq for one in await world.store.outbox(0, 0, 1)] == [4]


@story
async def test_partitions_do_not_touch_each_other(worlds: StoreOpener) -> None:
    async with worlds() as world:
        await world.store.take(1, FENCE, LOG)
        await world.store.take(11, Fence(9, "other"), LOG)
        await world.store.commit(1, commit(contacts={K1: b"one"}, timers={K1: 3}))
        meta = await world.store.take(11, Fence(9, "other"), LOG)
        assert meta.cursor == START
        assert (await world.store.load(11, START, [K1], 99, 9)).contacts == {}


@pytest.mark.parametrize(
    "other",
    [LogIdentity("cluster-2", "topic-1", 1), LogIdentity("cluster-1", "topic-2", 1), LOG._replace(partitions=2)],
)
@story
async def test_the_state_of_another_log_is_refused(worlds: StoreOpener, other: LogIdentity) -> None:
    async with worlds() as world:
        await world.store.take(0, FENCE, LOG)
        await world.store.commit(0, commit())
        with pytest.raises(InputError, match=r"another log|partitions"):
            await world.store.take(0, Fence(2, "b"), other)
        # … and nothing was taken:
        await world.store.commit(0, commit(before=Cursor(1, 0), after=Cursor(2, 0)))


@story
async def test_a_log_of_which_less_is_known_is_the_same_one(worlds: StoreOpener) -> None:
    async with worlds() as world:
        await world.store.take(0, FENCE, LogIdentity("cluster-1", ""))
        await world.store.commit(0, commit())
        assert (await world.store.take(0, FENCE, LOG)).log == LOG
        assert (await world.store.take(0, FENCE, LogIdentity("", "", 0))).log == LOG


@story
async def test_a_state_into_which_nothing_was_folded_belongs_to_no_log(worlds: StoreOpener) -> None:
    async with worlds() as world:
        await world.store.take(0, FENCE, LogIdentity("cluster-0", "topic-0", 4))
        assert (await world.store.take(0, FENCE, LOG)).log == LOG


@story
async def test_starting_over_leaves_nothing_but_the_fence_and_the_new_epoch(worlds: StoreOpener) -> None:
    async with worlds() as world:
        await world.store.take(0, FENCE, LOG)
        await world.store.take(1, FENCE, LOG)
        full = commit(
            contacts={K1: b"a"},
            timers={K1: 10},
            outbox=[entry(1)],
            seq=1,
            memberships=[MembershipChange("s", "ann", True, 1)],
            definitions="{}",
            versions=(VERSION,),
        )
        for partition in (0, 1):
            await world.store.commit(partition, full)
        neighbour = world.contents()["1"]
        meta = await world.store.start_over(0, FENCE, 4)
        assert (meta.cursor, meta.seq, meta.clock_ms, meta.epoch, meta.definitions) == (START, 0, 0, 4, None)
        assert meta.sizes == {}
        assert await world.store.outbox(0, 0, 10) == []
        assert (await world.store.load(0, START, [K1], 99, 9)).contacts == {}
        assert world.contents()["0"]["contacts"] == {}
        assert world.contents()["1"] == neighbour
        await world.store.commit(0, full)
        assert await world.store.outbox(0, 0, 10) == [entry(1)]


@story
async def test_only_the_owner_starts_over(worlds: StoreOpener) -> None:
    async with worlds() as world:
        await world.store.take(0, Fence(2, "b"), LOG)
        with pytest.raises(FenceLostError):
            await world.store.start_over(0, FENCE, 2)
