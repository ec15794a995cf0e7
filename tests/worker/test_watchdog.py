"""What the watchdog takes for a stall."""

from __future__ import annotations

import threading

from streams.pipeline.watchdog import Sign, StallDetector, Watchdog

BEHIND_AT_5 = {"partition 0": Sign(True, 5)}


def _look_for(detector: StallDetector, seconds: range, signs: dict[str, Sign]) -> str | None:
    for second in seconds:
        stalled = detector.look(float(second), signs)
        if stalled is not None:
            return stalled
    return None


def test_being_behind_without_progress_for_longer_than_the_time_out_is_a_stall() -> None:
    detector = StallDetector(30)
    assert _look_for(detector, range(31), BEHIND_AT_5) is None
    assert detector.look(31.0, BEHIND_AT_5) == "partition 0"


def test_progress_is_no_stall_however_far_behind() -> None:
    detector = StallDetector(30)
    assert all(detector.look(float(second), {"partition 0": Sign(True, second // 20)}) is None for second in range(200))


def test_having_nothing_to_do_is_no_stall() -> None:
    detector = StallDetector(30)
    assert _look_for(detector, range(100), {"partition 0": Sign(False, 5)}) is None
    assert _look_for(detector, range(100, 130), BEHIND_AT_5) is None, "the time begins when there is something to do"


def test_one_partition_may_stall_while_others_move() -> None:
    detector = StallDetector(30)
    found = [detector.look(float(second), {"0": Sign(True, second), "1": Sign(True, 7)}) for second in range(40)]
    assert found[31] == "1"


def test_a_partition_that_was_lost_is_forgotten() -> None:
    detector = StallDetector(30)
    _look_for(detector, range(25), BEHIND_AT_5)
    detector.look(25.0, {})
    assert _look_for(detector, range(26, 50), BEHIND_AT_5) is None


def test_a_pause_of_the_whole_process_is_no_stall() -> None:
    detector = StallDetector(30)
    _look_for(detector, range(10), BEHIND_AT_5)
    assert detector.look(600.0, BEHIND_AT_5) is None
    assert _look_for(detector, range(601, 630), BEHIND_AT_5) is None


def test_the_thread_reports_a_stall_once() -> None:
    reported: list[str] = []
    done = threading.Event()

    def on_stall(name: str) -> None:
        reported.append(name)
        done.set()

    watchdog = Watchdog(80, lambda: BEHIND_AT_5, on_stall)
    watchdog.start()
    assert done.wait(10)
    watchdog.stop()
    assert reported == ["partition 0"]
