"""Every way into a collector through an outage: what was taken is in the log, once, and what was not comes again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.errors import EXIT_DONE
from tests.faults.amazon import Amazon
from tests.faults.callers import STOPS, Callers, collector_environment
from tests.faults.open_loop import log_events, metric
from tests.live.workers import Place
from tests.support.brokers import Broker
from tests.support.processes import Commands, StartedCommand
from tests.support.run_directory import free_port
from tests.support.waiting import wait_until

COME_AGAIN = {"sendgrid": 503, "mailgun": 503, "postmark": 503, "ses": 503, "brevo": 429}
"""What each provider is answered, so that it comes again."""


class Outage:
    """A collector with a spool, a broker that can be taken from it, and all its callers."""

    def __init__(self, place: Place, broker: Broker, directory: Path) -> None:
        self._place = place
        self.broker = broker
        self.port = free_port()
        self.amazon = Amazon(directory)
        self._environment = collector_environment(directory) | self.amazon.environment
        self.collector = self._start()
        self.callers = Callers(f"http://127.0.0.1:{self.port}")
        wait_until(lambda: self.callers.client.get("/readyz").json() == {"status": "ready"}, 30, "it to be ready")

    def begin(self) -> None:
        """The broker goes away, and the collector has noticed."""
        self.broker.kill()
        self.callers.track()
        wait_until(lambda: self.callers.client.get("/readyz").json()["status"] == "spooling", 30, "Kafka missed")

    def kill_collector(self) -> None:
        self.collector.kill()
        self.collector = self._start()

    def end(self) -> None:
        """The broker is back, and has all of the spool."""
        self.broker.start()
        wait_until(lambda: metric(self.port, "segue_collector_spool_bytes") == 0, 120, "the spool to be empty")

    def contacts(self) -> Counter[str]:
        """Who is in the log, and with how many events, each counted once."""
        assert self.collector.terminate() == EXIT_DONE
        lies = log_events(self._place.servers, self._place.names.tracking, self._place.partitions)
        return Counter(event.contact for event in lies.values())

    def _start(self) -> StartedCommand:
        collector = self._place.commands.start("collector", "--port", str(self.port), environment=self._environment)
        collector.wait_for_output("collector listens on")
        return collector


@pytest.fixture
def outage(commands: Commands, own_kafka: Broker, redis_url: str, namespace: str, tmp_path: Path) -> Iterator[Outage]:
    """Topics on a broker of the test's own, with definitions in them, and a collector that is ready."""
    commands.environment["SEGUE_KAFKA_BOOTSTRAP_SERVERS"] = own_kafka.bootstrap_servers
    place = Place(commands, own_kafka.bootstrap_servers, redis_url, namespace, tmp_path)
    place.prepare("append")
    outage = Outage(place, own_kafka, tmp_path)
    yield outage
    outage.callers.client.close()
    outage.amazon.close()


def _all_ways(callers: Callers, times: int) -> None:
    for _ in range(times):
        callers.track()
        callers.form()
        callers.open()
        callers.batch()
        callers.providers_tell()


def test_webhooks_forms_opens_and_batches_are_answered_through_an_outage_and_are_in_the_log_once(
    outage: Outage,
) -> None:
    callers = outage.callers
    _all_ways(callers, 2)
    outage.begin()
    _all_ways(callers, 4)
    outage.kill_collector()
    _all_ways(callers, 4)
    outage.end()
    _all_ways(callers, 2)
    assert {status for _, status in callers.statuses} == {200}
    assert callers.waiting == []
    assert outage.contacts() == Counter(callers.taken | callers.opened)
    assert outage.amazon.asked == 2, "once by each collector, which keeps it"


def test_a_full_spool_turns_batches_away_first_then_all_and_what_was_refused_comes_again_by_its_sender_s_rule(
    outage: Outage,
) -> None:
    callers = outage.callers
    outage.begin()
    kept: list[list[str]] = []
    while not kept:
        answer, contacts = callers.batch()
        kept += [contacts] * (answer.status_code != 200)
    assert (answer.status_code, answer.headers["retry-after"], answer.json()["code"]) == (503, "5", "spool_full")
    assert 10 < callers.statuses["batch", 200] < 40, "half of 32 MiB"

    assert callers.track().status_code == 200, "what nobody sends again has the other half"
    assert callers.form().status_code == 200
    callers.providers_tell()
    assert callers.waiting == []
    assert outage.callers.client.get("/readyz").json()["status"] == "spooling"

    for padding in (30_000, 300, 0):
        while callers.track(padding).status_code == 200:
            pass
    assert callers.form().status_code == 503
    assert callers.open().status_code == 200
    callers.providers_tell()
    assert {provider: callers.statuses[provider, status] for provider, status in COME_AGAIN.items()} == dict.fromkeys(
        STOPS, 1
    )
    assert len(callers.waiting) == len(STOPS)
    assert callers.client.get("/readyz").status_code == 503
    assert metric(outage.port, 'segue_collector_lost_total{route="open"}') == 1

    outage.end()
    assert callers.batch(kept[0])[0].status_code == 200
    callers.providers_tell()
    assert callers.waiting == []
    assert outage.contacts() == Counter(callers.taken), "nothing of what was refused and did not come again"
