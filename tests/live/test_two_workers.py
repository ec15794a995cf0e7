"""Live against the simulator: workers on a real Kafka and Redis that begin anew, and that were dispossessed."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.errors import EXIT_BAD_INPUT
from tests.live import history
from tests.live.workers import PARTITIONS, Place, comparable, past_the_gate, published
from tests.support.waiting import wait_until

SMALL_STEPS = {"SEGUE_BATCH_RECORDS_MAX": "25", "SEGUE_TIMERS_PER_COMMIT_MAX": "7"}
"""So that a death lies amid the work."""


@pytest.fixture
def events(tmp_path: Path) -> Path:
    """A history of 8,000 records."""
    path = tmp_path / "events.jsonl"
    history.write(path, records=8_000, contacts=200, seed=20260301)
    return path


def test_replaying_from_the_start_gives_the_same_bytes_of_state_and_output(place: Place, events: Path) -> None:
    place.prepare("create")
    place.load_history(events)
    worker = place.worker()
    place.wait_until_folded()
    assert worker.terminate() == 0
    state, output = place.state(), past_the_gate(place.output())
    assert len(state) > 200

    # Redis is lost: everything is folded again, nothing is published again.
    place.forget_state()
    worker = place.worker(**SMALL_STEPS)
    place.wait_until_folded()
    assert worker.terminate() == 0
    assert place.state() == state
    assert past_the_gate(place.output()) == output

    # The output is lost too: every byte of it comes again.
    place.forget_state()
    place.forget_output()
    workers = [place.worker(), place.worker()]
    place.wait_until_folded()
    assert [worker.terminate() for worker in workers] == [0, 0]
    assert place.state() == state
    assert past_the_gate(place.output()) == output


def test_a_worker_whose_partitions_another_owner_took_commits_nothing_more_and_says_why(
    place: Place, events: Path
) -> None:
    place.prepare("create")
    expected = comparable(place.simulated(events))
    worker = place.worker(**SMALL_STEPS)
    place.wait_until_folded()
    place.load_history(events)
    total = sum(place.log_ends().values())
    wait_until(lambda: place.folded() > total // 10, 60, "a tenth of the log folded")
    for partition in range(PARTITIONS):
        meta = place.names.key(partition, "meta")
        place.redis.hset(meta, mapping={"fence_generation": 1_000, "fence_member": "another owner"})
    offsets = place.offsets()
    assert sum(offsets.values()) < total, "taken amid its work"
    assert worker.wait(60) == EXIT_BAD_INPUT, "its group is in order, so it would be refused for ever"
    assert "segue fence reset" in worker.stderr.splitlines()[-1]
    assert place.offsets() == offsets
    place.command("fence", "reset", "--yes")
    worker = place.worker()
    place.wait_until_folded()
    assert comparable(published(place.output())) == expected
    assert worker.terminate() == 0
