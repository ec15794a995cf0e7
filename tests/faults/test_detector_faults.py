"""What may befall a detector between a finding and the broker's ack: each is written, and has its effect once."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from schemas.errors import EXIT_UNAVAILABLE
from tests.conftest import Kafka
from tests.faults.detector import POINTS
from tests.live.detectors import IN, OUT, QUICK, Mailing, repeated
from tests.live.workers import Place, metric
from tests.support.brokers import Broker
from tests.support.processes import Commands, StartedCommand
from tests.support.waiting import wait_until

BURST = {f"scanner-email_click-{link}" for link in "abc"}


def _halting(mailing: Mailing, directory: Path, point: str, **environment: str) -> StartedCommand:
    """A detector that has found a burst and stands still at a point of its writing."""
    detector = mailing.place.commands.start_module(
        "tests.faults.detector", str(directory), point, environment=QUICK | environment
    )
    wait_until(lambda: metric(detector, "segue_detector_partitions") > 0, 60, "partitions of the detector")
    mailing.click("scanner", "a")
    assert mailing.moves() == {"scanner": [IN]}
    mailing.click("scanner", "b", "c")
    wait_until((directory / "reached").exists, 60, f"the point {point}")
    return detector


@pytest.mark.parametrize("point", POINTS)
def test_a_detector_killed_while_it_writes_loses_no_finding_and_none_counts_twice(
    place: Place, tmp_path: Path, point: str
) -> None:
    mailing = Mailing(place)
    _halting(mailing, tmp_path, point).kill()
    assert len(mailing.corrections()) == {"found": 0, "partly": 1, "written": 3}[point]
    mailing.detector()
    corrections = mailing.wait_for_corrections(3)
    assert {one.corrects for one in corrections} == BURST
    assert repeated(corrections) == 0
    assert mailing.moves() == {"scanner": [IN, OUT]}


def test_a_detector_that_hung_while_another_took_over_writes_what_counts_once(place: Place, tmp_path: Path) -> None:
    mailing = Mailing(place)
    hanging = _halting(mailing, tmp_path, "found")
    hanging.pause()
    mailing.detector()
    mailing.wait_for_corrections(3)
    assert mailing.moves() == {"scanner": [IN, OUT]}
    (tmp_path / "go").touch()
    hanging.resume()
    wait_until(lambda: len(mailing.corrections()) == 6, 60, "the corrections of the one that hung")
    assert len({one.event_id for one in mailing.corrections()}) == 3
    mailing.click("person", "a")
    assert mailing.moves() == {"scanner": [IN, OUT], "person": [IN]}
    assert hanging.terminate() == 0


@pytest.fixture
def place(commands: Commands, kafka: Kafka, redis_url: str, namespace: str, tmp_path: Path) -> Place:
    """On the shared pair."""
    return Place(commands, kafka.bootstrap_servers, redis_url, namespace, tmp_path)


@pytest.fixture
def own_place(commands: Commands, own_kafka: Broker, redis_url: str, namespace: str, tmp_path: Path) -> Place:
    """On a broker of the test's own."""
    commands.environment["SEGUE_KAFKA_BOOTSTRAP_SERVERS"] = own_kafka.bootstrap_servers
    return Place(commands, own_kafka.bootstrap_servers, redis_url, namespace, tmp_path)


def test_a_broker_that_hangs_is_waited_for_and_one_that_stays_away_ends_the_detector_which_begins_anew(
    own_place: Place, own_kafka: Broker, tmp_path: Path
) -> None:
    mailing = Mailing(own_place)
    detector = _halting(mailing, tmp_path, "found")
    own_kafka.pause()
    (tmp_path / "go").touch()
    since = time.monotonic()
    wait_until(lambda: time.monotonic() - since > 5, 10, "5 s with a broker that hangs")
    own_kafka.resume()
    corrections = mailing.wait_for_corrections(3)
    assert ({one.corrects for one in corrections}, repeated(corrections)) == (BURST, 0)
    assert mailing.moves() == {"scanner": [IN, OUT]}
    assert detector.terminate() == 0

    more = tmp_path / "more"
    more.mkdir()
    impatient = mailing.place.commands.start_module(
        "tests.faults.detector", str(more), "found", environment=QUICK | {"SEGUE_DETECT_PUBLISH_TIMEOUT_MS": "2000"}
    )
    wait_until(lambda: metric(impatient, "segue_detector_partitions") > 0, 60, "partitions of the detector")
    mailing.click("other", "a", "b", "c")
    wait_until((more / "reached").exists, 60, "the other burst found")
    own_kafka.pause()
    (more / "go").touch()
    assert impatient.wait(60) == EXIT_UNAVAILABLE
    assert "did not take a record" in impatient.stderr
    own_kafka.resume()
    mailing.detector()
    wait_until(lambda: len({one.corrects for one in mailing.corrections()}) == 6, 60, "both bursts corrected")
    assert mailing.moves() == {"scanner": [IN, OUT], "other": [IN, OUT]}


def test_a_detector_that_is_asked_to_end_while_it_waits_for_the_broker_ends_in_order(
    own_place: Place, own_kafka: Broker, tmp_path: Path
) -> None:
    mailing = Mailing(own_place)
    detector = _halting(mailing, tmp_path, "found", SEGUE_DETECT_PUBLISH_TIMEOUT_MS="3000")
    own_kafka.pause()
    (tmp_path / "go").touch()
    detector.signal(signal.SIGTERM)
    assert detector.wait(60) == EXIT_UNAVAILABLE, "what it found is not written, and is found again"
    own_kafka.resume()
