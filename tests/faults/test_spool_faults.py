"""A collector with a spool amid faults: whatever it acknowledged reaches the log, once the broker is there again."""

from __future__ import annotations

import json
import random
import resource
from pathlib import Path

import httpx
import pytest

from schemas.errors import EXIT_BAD_INPUT, EXIT_DONE
from tests.faults.open_loop import KEYS, OpenLoop, again, log_events, metric, problems_of
from tests.live.workers import Place
from tests.support.brokers import Broker
from tests.support.processes import StartedCommand
from tests.support.run_directory import free_port
from tests.support.waiting import wait_until

AWAY_EVENTS = 9_000
"""What comes in during half a minute without a broker."""
SPOOLED, REPLAYED = "segue_collector_spooled_total", "segue_collector_spool_replayed_total"


@pytest.fixture
def place(spooling_place: Place) -> Place:
    """Topics on a broker of the test's own, for collectors that spool."""
    return spooling_place


def _start(place: Place, port: int) -> StartedCommand:
    collector = place.commands.start("collector", "--port", str(port), environment=KEYS)
    collector.wait_for_output("collector listens on")
    return collector


def _empty(port: int) -> None:
    """Wait until the spool has gone to Kafka."""
    wait_until(lambda: metric(port, "segue_collector_spool_bytes") == 0, 90, "the spool to be empty")


def _audit(place: Place, load: OpenLoop) -> None:
    """All that was acknowledged is there, in the order of its contact; what lies there twice is the same twice."""
    lies = log_events(place.servers, place.names.tracking, place.partitions)
    assert problems_of(load, lies) == []
    print(  # noqa: T201 - the measure
        f"{len(load.acknowledged)} acknowledged, answers {dict(load.statuses)}, {load.unanswered} without one, the "
        f"slowest after {load.slowest_s:.2f} s; {len(lies)} in the log, {again(lies)} times again"
    )


def test_no_call_is_refused_while_the_broker_is_away_and_every_event_is_in_the_log_in_order_afterwards(
    place: Place, own_kafka: Broker
) -> None:
    port = free_port()
    collector = _start(place, port)
    wait_until(lambda: httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == 200, 30, "a collector that is ready")
    with OpenLoop(port) as load:
        load.wait_for_more(300)
        assert metric(port, SPOOLED) == 0
        own_kafka.kill()
        load.wait_for_more(AWAY_EVENTS)
        assert httpx.get(f"http://127.0.0.1:{port}/readyz").json()["status"] == "spooling"
        assert metric(port, REPLAYED) == 0
        own_kafka.start()
        _empty(port)
        load.wait_for_more(300)
    assert set(load.statuses) == {200}
    assert load.slowest_s < 5
    assert collector.terminate() == EXIT_DONE
    _audit(place, load)


def test_a_collector_killed_at_any_instant_while_the_broker_comes_and_goes_loses_nothing(
    place: Place, own_kafka: Broker
) -> None:
    chance, port = random.Random(120), free_port()
    collector = _start(place, port)

    def kill() -> None:
        nonlocal collector
        collector.kill()
        collector = _start(place, port)

    with OpenLoop(port) as load:
        for _ in range(3):
            for act in (own_kafka.kill, kill, kill, own_kafka.start, kill, kill):
                load.wait_for_more(chance.randrange(20, 300))
                act()
        _empty(port)
        load.wait_for_more(200)
    assert set(load.statuses) <= {200, 503}, "503 until the topics were looked at"
    assert collector.terminate() == EXIT_DONE
    _audit(place, load)


@pytest.mark.parametrize("hangs", [True, False])
def test_a_broker_that_is_away_for_a_moment_again_and_again_changes_no_order(
    place: Place, own_kafka: Broker, hangs: bool
) -> None:
    leave, come_back = (own_kafka.pause, own_kafka.resume) if hangs else (own_kafka.kill, own_kafka.start)
    port = free_port()
    collector = _start(place, port)
    with OpenLoop(port) as load:
        for events in (100, 400, 700):
            load.wait_for_more(300)
            leave()
            load.wait_for_more(events)
            come_back()
            load.wait_for_more(50)
        _empty(port)
    assert set(load.statuses) <= {200, 503}
    assert collector.terminate() == EXIT_DONE
    _audit(place, load)


def test_a_disk_that_is_full_refuses_calls_and_loses_none_that_it_took(place: Place, own_kafka: Broker) -> None:
    port = free_port()
    collector = _start(place, port)
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with OpenLoop(port) as load:
        load.wait_for_more(100)
        own_kafka.kill()
        load.wait_for_more(300)
        # No file grows past 20 KB, so each segment fails amid a write; then none takes a byte; then there is room.
        resource.prlimit(collector.pid, resource.RLIMIT_FSIZE, (20_000, hard))
        wait_until(lambda: load.statuses[503] > 3, 60, "calls refused")
        load.wait_for_more(100)
        resource.prlimit(collector.pid, resource.RLIMIT_FSIZE, (0, hard))
        refused = load.statuses[503]
        wait_until(lambda: load.statuses[503] > refused + 20, 60, "all calls refused")
        taken = len(load.acknowledged)
        wait_until(lambda: httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == 503, 30, "it to tell")
        assert metric(port, 'segue_collector_rejected_total{reason="spool_failed"}') > 20
        assert len(load.acknowledged) <= taken + 4, "no more than were under way"
        resource.prlimit(collector.pid, resource.RLIMIT_FSIZE, (hard, hard))
        load.wait_for_more(300)
        own_kafka.start()
        _empty(port)
        load.wait_for_more(100)
    assert set(load.statuses) == {200, 503}
    assert collector.terminate() == EXIT_DONE
    _audit(place, load)


def test_a_file_of_the_spool_that_changed_on_the_disk_costs_its_record_alone_and_is_kept(
    place: Place, own_kafka: Broker, tmp_path: Path
) -> None:
    port = free_port()
    own_kafka.kill()
    collector = _start(place, port)
    with OpenLoop(port) as load:
        load.wait_for_more(300)
    collector.kill()
    (segment,) = (tmp_path / "spool").glob("*.spool")
    content = bytearray(segment.read_bytes())
    content[len(content) // 2] ^= 1
    segment.write_bytes(content)
    own_kafka.start()
    collector = _start(place, port)
    wait_until(lambda: metric(port, "segue_collector_spool_records") == 0, 60, "the rest in Kafka")
    assert metric(port, "segue_collector_spool_damaged_total") == 1
    lies = log_events(place.servers, place.names.tracking, place.partitions)
    (lost,) = load.acknowledged - lies.keys()
    (kept,) = (tmp_path / "spool").glob("*.damaged")
    assert lost.encode() in kept.read_bytes()
    assert f"{segment.name}: " in collector.stderr
    assert "the file is kept" in collector.stderr
    looked = place.commands.run("doctor", "--quiet", "--json")
    (told,) = [each for each in json.loads(looked.stdout)["findings"] if each["about"] == "set aside by the spool"]
    assert (told["level"], "1 files with damage" in told["found"]) == ("error", True)
    status = json.loads(place.command("status", "--json").stdout)["spool"]
    assert (status["files"], status["damaged_files"]) == (0, 1)
    assert "; 1 damaged files set aside" in place.command("status").stdout
    assert collector.terminate() == EXIT_DONE


def test_what_is_in_the_spool_of_a_collector_that_was_stopped_is_sent_by_the_next_one(
    place: Place, own_kafka: Broker
) -> None:
    port = free_port()
    own_kafka.kill()
    collector = _start(place, port)
    with OpenLoop(port) as load:
        load.wait_for_more(300)
    assert set(load.statuses) == {200}
    other = place.commands.start("collector", "--port", "0", environment=KEYS)
    assert other.wait(30) == EXIT_BAD_INPUT
    assert "another collector has it" in other.stderr
    assert collector.terminate() == EXIT_DONE
    own_kafka.start()
    collector = _start(place, port)
    _empty(port)
    assert collector.terminate() == EXIT_DONE
    _audit(place, load)
