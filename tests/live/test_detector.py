"""A worker and `segue detect` on a real Kafka: who was no person leaves, and everybody else stays."""

from __future__ import annotations

import json
import time
import urllib.request

import pytest

from schemas.record_models import Correction
from schemas.records import Suspicion
from tests.live.detectors import DEFINITIONS, IN, OUT, QUICK, Mailing, repeated
from tests.live.workers import PARTITIONS, Place, metric
from tests.support.waiting import wait_until

HOUR_MS = 3_600_000


@pytest.fixture
def mailing(place: Place) -> Mailing:
    """Folded by a worker; nobody detects yet."""
    return Mailing(place)


def _reasons(corrections: list[Correction]) -> dict[str, list[str]]:
    return {one.corrects.split("-")[0]: one.machine.reasons for one in corrections}


def test_whoever_clicked_all_links_at_once_enters_and_leaves_by_a_correction(mailing: Mailing) -> None:
    detector = mailing.detector()
    mailing.click("scanner", "a")
    mailing.click("person", "a")
    assert mailing.moves() == {"scanner": [IN], "person": [IN]}, "nothing is known yet"
    mailing.click("scanner", "b", "c")
    mailing.track("person", "email_click", at_ms=30_000, link="b")
    mailing.track("person", "email_click", at_ms=60_000, link="c")
    corrections = mailing.wait_for_corrections(3)
    assert _reasons(corrections) == {"scanner": ["burst"]}
    assert mailing.moves() == {"scanner": [IN, OUT], "person": [IN]}
    wait_until(lambda: metric(detector, "segue_detector_corrections_total") == 3, 30, "corrections counted")

    assert (detector.terminate(), mailing.worker.terminate()) == (0, 0)


def test_a_delivery_that_is_told_of_late_and_a_trap_mark_what_came_before(mailing: Mailing) -> None:
    mailing.detector()
    mailing.track("gateway", "email_click", at_ms=500, link="a")
    mailing.track("reader", "email_click", at_ms=5_000, link="a")
    mailing.track("robot", "email_click", at_ms=5_000, link="a")
    assert mailing.moves() == {"gateway": [IN], "reader": [IN], "robot": [IN]}
    for contact in ("gateway", "reader", "robot"):
        mailing.track(contact, "email_delivered")
    trap = Suspicion(suspected=True, reasons=["honeypot"])
    mailing.track("robot", "email_click", at_ms=6_000, link="trap", machine=trap)
    assert _reasons(mailing.wait_for_corrections(2)) == {"gateway": ["after_delivery"], "robot": ["near_honeypot"]}
    assert mailing.moves() == {"gateway": [IN, OUT], "reader": [IN], "robot": [IN, OUT]}


def test_a_detector_that_begins_later_finds_what_lies_in_its_window_and_one_after_it_says_nothing_again(
    mailing: Mailing,
) -> None:
    mailing.click("scanner", "a", "b", "c")
    first = mailing.detector()
    found = mailing.wait_for_corrections(3)
    assert mailing.moves() == {"scanner": [IN, OUT]}
    first.kill()
    again = mailing.detector()
    mailing.click("other", "a", "b", "c")
    after = mailing.wait_for_corrections(6)
    assert repeated(after) == 0
    assert {one.event_id for one in found} < {one.event_id for one in after}
    assert again.terminate() == 0


def test_a_first_start_looks_at_nothing_that_is_older_than_the_window(place: Place) -> None:
    mailing = Mailing(place, "create")
    mailing.click("earlier", "a", "b", "c", at_ms=-HOUR_MS)
    mailing.click("scanner", "a", "b", "c")
    detector = mailing.detector()
    mailing.wait_for_corrections(3)
    wait_until(lambda: metric(detector, "segue_detector_records_total") == 3 + 3, 30, "its own corrections read, too")
    assert {one.contact_id for one in mailing.corrections()} == {"scanner"}
    assert metric(detector, "segue_detector_lag_records") == 0


def test_what_is_found_too_late_is_written_and_changes_nothing(place: Place) -> None:
    mailing = Mailing(place, definitions="version: 1\ncorrect: {within: 1s}\n" + DEFINITIONS.replace("version: 1", ""))
    mailing.click("scanner", "a", "b", "c")
    since = time.monotonic()
    wait_until(lambda: time.monotonic() - since > 1.1, 10, "the time for corrections over")
    mailing.detector()
    mailing.wait_for_corrections(3)
    assert mailing.moves() == {"scanner": [IN]}
    assert metric(mailing.worker, 'segue_record_outcomes_total{outcome="too_late"}') == 3


def test_two_detectors_share_the_partitions_and_one_takes_over_what_the_other_had(mailing: Mailing) -> None:
    contacts = [f"scanner{number}" for number in range(12)]
    one = mailing.detector()
    wait_until(lambda: metric(one, "segue_detector_partitions") == PARTITIONS, 60, "all partitions")
    for contact in contacts:
        mailing.click(contact, "a")
    two = mailing.detector()
    both = (one, two)
    wait_until(lambda: [metric(each, "segue_detector_partitions") for each in both] == [2, 2], 60, "both to share")
    for contact in contacts[:6]:
        mailing.click(contact, "b", "c")
    mailing.wait_for_corrections(18)
    one.kill()
    for contact in contacts[6:]:
        mailing.click(contact, "b", "c")
    corrections = mailing.wait_for_corrections(36)
    assert repeated(corrections) == 0
    assert mailing.moves() == dict.fromkeys(contacts, [IN, OUT])  # noqa: RUF024 - nobody changes it
    assert two.terminate() == 0


def test_it_tells_whether_it_is_well_and_what_is_wrong_with_its_settings(mailing: Mailing) -> None:
    detector = mailing.detector()
    url = detector.wait_for_output(r"(http://[\d.:]+)/healthz").group(1)

    def served() -> bool:
        with urllib.request.urlopen(f"{url}/healthz", timeout=10) as response:
            found: dict[str, object] = json.loads(response.read())
        return found == {"well": True, "serving": PARTITIONS, "loading": 0}

    wait_until(served, 30, "all partitions served")
    refused = mailing.place.commands.run("detect", environment={"SEGUE_DETECT_BURST_LINKS": "1"})
    assert refused.returncode == 1
    assert "SEGUE_DETECT_BURST_LINKS: Input should be greater than or equal to 2" in refused.stderr


def test_without_topics_it_says_which_are_missing(place: Place) -> None:
    refused = place.commands.run("detect", environment=QUICK)
    assert refused.returncode == 75
    assert f"no topic {place.names.tracking}" in refused.stderr
