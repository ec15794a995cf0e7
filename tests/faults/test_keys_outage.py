"""A collector that starts while the broker is away: it knows the keys of the topic by the copy in its spool."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest

from schemas.errors import EXIT_DONE
from schemas.topics import partition_of
from tests.faults.open_loop import OpenLoop, log_events, metric, problems_of
from tests.live.workers import Place
from tests.load.topics import read_log
from tests.support.brokers import Broker
from tests.support.processes import StartedCommand
from tests.support.run_directory import free_port
from tests.support.waiting import wait_until

QUICK = {"SEGUE_COLLECTOR_CHECK_INTERVAL_MS": "200", "SEGUE_COLLECTOR_DELIVERY_TIMEOUT_MS": "2000"}
UNKNOWN = "a-key-that-nobody-made"


class Door:
    """A collector that knows no key but those of the topic."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.port = free_port()
        self.collector = self._start()

    def die(self) -> None:
        self.collector.kill()

    def start(self) -> None:
        """As a supervisor would."""
        self.collector = self._start()

    def answer(self, secret: str, event_id: str = "call-0") -> int:
        """To an event that is sent with this key."""
        event = {"userId": "caller", "event": "Page Viewed", "messageId": event_id}
        url = f"http://127.0.0.1:{self.port}/v1/track"
        return httpx.post(url, json=event, auth=(secret, ""), timeout=30).status_code

    def ready(self) -> dict[str, str]:
        """What it says of itself, once it wants calls."""
        url = f"http://127.0.0.1:{self.port}/readyz"
        wait_until(lambda: httpx.get(url).status_code == 200, 60, "a collector that wants calls")
        told: dict[str, str] = httpx.get(url).json()
        return told

    def make_key(self, source: str) -> dict[str, str]:
        made: dict[str, str] = json.loads(self.place.command("keys", "create", source, "--json").stdout)
        wait_until(lambda: self.answer(made["secret"]) == 200, 30, "the key to be known")
        return made

    def kept(self, secrets: int) -> None:
        """Wait until the copy has so many keys."""

        def as_told() -> bool:
            spool = json.loads(self.place.command("status", "--json").stdout)["spool"]
            return spool is not None and spool["keys"] == secrets

        wait_until(as_told, 30, f"a copy of {secrets} keys")

    def emptied(self) -> None:
        """Wait until all of the spool is in Kafka."""
        wait_until(lambda: metric(self.port, "segue_collector_spool_records") == 0, 90, "the spool to be empty")

    def _start(self) -> StartedCommand:
        collector = self.place.commands.start("collector", "--port", str(self.port), environment=QUICK)
        collector.wait_for_output("collector listens on")
        return collector


@pytest.fixture
def door(spooling_place: Place) -> Door:
    """A collector with a spool and its callers, on a broker of the test's own."""
    return Door(spooling_place)


def test_a_collector_killed_and_started_in_an_outage_takes_events_with_keys_of_the_topic_and_loses_none(
    door: Door, own_kafka: Broker, tmp_path: Path
) -> None:
    made = [door.make_key("website") for _ in range(2)]
    door.kept(2)
    secrets = [each["secret"] for each in made]
    with OpenLoop(door.port, secrets=secrets) as load:
        load.wait_for_more(200)
        own_kafka.kill()
        load.wait_for_more(300)
        for _ in range(2):
            door.die()
            door.start()
            load.wait_for_more(300)
        told = door.ready()
        assert told["status"] == "spooling"
        assert "2 keys as of " in told["reason"]
        assert "by the copy in the spool's directory" in told["reason"]
        assert "keys are taken from before: 2 keys as of " in door.collector.stderr
        assert metric(door.port, "segue_collector_keys_timestamp_seconds") > 0
        assert door.answer(UNKNOWN) == 503, (
            "it may have been made meanwhile, and a sender gives up what is answered 401"
        )
        own_kafka.start()
        wait_until(lambda: door.answer(UNKNOWN) == 401, 60, "the topic to be read")
        door.emptied()
        load.wait_for_more(100)
    assert set(load.statuses) <= {200, 503}, "503 for the moment that Kafka's own word is waited for"
    assert door.collector.terminate() == EXIT_DONE
    place = door.place
    lies = log_events(place.servers, place.names.tracking, place.partitions)
    assert problems_of(load, {name: event for name, event in lies.items() if event.contact != "caller"}) == []
    logs = read_log(place.servers, place.names.tracking, place.partitions)
    keyed = [(partition, message.key()) for partition, messages in logs.items() for message in messages]
    wrong = [each for each in keyed if each[1] and partition_of(each[1].decode(), place.partitions) != each[0]]
    assert wrong == [], "the collectors of the outage never saw how many partitions there are"
    kept = (tmp_path / "spool" / "keys").read_bytes()
    assert not any(secret.encode() in kept for secret in secrets)
    assert (tmp_path / "spool" / "keys").stat().st_mode & 0o777 == 0o600


def test_a_key_revoked_before_a_start_in_an_outage_counts_until_the_broker_is_back_and_no_longer(
    door: Door, own_kafka: Broker
) -> None:
    leaked, kept = door.make_key("website"), door.make_key("app")
    door.kept(2)
    door.die()
    door.place.command("keys", "revoke", leaked["id"], "--yes")
    own_kafka.kill()
    door.start()
    wait_until(lambda: door.answer(leaked["secret"], "call-1") == 200, 30, "the key to be taken by the copy")
    own_kafka.start()
    wait_until(lambda: door.answer(leaked["secret"], "call-2") == 401, 60, "the revoked key to be refused")
    assert door.answer(kept["secret"], "call-3") == 200
    door.emptied()
    assert door.ready() == {"status": "ready"}
    lies = log_events(own_kafka.bootstrap_servers, door.place.names.tracking, door.place.partitions)
    assert {"call-1", "call-3"} <= lies.keys()
    own_kafka.kill()
    door.die()
    door.start()
    wait_until(lambda: door.answer(kept["secret"], "call-4") == 200, 30, "the other key to be taken by the copy")
    assert door.answer(leaked["secret"], "call-5") == 503, "the copy has the revocation by now"
    assert door.collector.terminate() == EXIT_DONE


def test_a_copy_that_was_torn_is_passed_over_and_written_again_when_the_broker_is_back(
    door: Door, own_kafka: Broker, tmp_path: Path
) -> None:
    made = door.make_key("website")
    door.kept(1)
    path = tmp_path / "spool" / "keys"
    door.die()
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    own_kafka.kill()
    door.start()
    passed_over = f"the copy of the keys is passed over: {path}: is damaged, or was not written to its end"
    wait_until(lambda: passed_over in door.collector.stderr, 30, "it to say so")
    assert door.answer(made["secret"]) == 503
    assert httpx.get(f"http://127.0.0.1:{door.port}/readyz").status_code == 503
    own_kafka.start()
    wait_until(lambda: door.answer(made["secret"]) == 200, 60, "the key to be known")
    door.kept(1)
    assert door.collector.terminate() == EXIT_DONE
