"""What of the libraries' words reaches the log."""

from __future__ import annotations

import logging

import pytest

from schemas.log_lines import Seldom
from streams.logs import REPEATED


def _record(name: str, message: str) -> logging.LogRecord:
    return logging.LogRecord(name, logging.ERROR, "file", 1, message, (), None)


def test_a_client_that_says_the_same_at_every_attempt_is_heard_once_in_ten_seconds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [100.0]
    monkeypatch.setattr("schemas.log_lines.time.monotonic", lambda: now[0])
    seldom = Seldom(*REPEATED)
    assert seldom.filter(_record("aiokafka.conn", "cannot connect, attempt 1"))
    assert not seldom.filter(_record("aiokafka.conn", "cannot connect, attempt 2"))
    assert seldom.filter(_record("aiokafka.conn", "connected"))
    assert seldom.filter(_record("segue.kafka", "cannot connect, attempt 1"))
    now[0] = 110.0
    assert seldom.filter(_record("aiokafka.conn", "cannot connect, attempt 90"))


def test_a_collector_that_cannot_write_says_so_once_in_ten_seconds_and_not_for_every_call() -> None:
    seldom = Seldom(*REPEATED)
    told = [seldom.filter(_record("streams.collector.writing", "a call was not written: away")) for _ in range(500)]
    assert told.count(True) == 1


def test_our_own_words_are_always_heard() -> None:
    seldom = Seldom(*REPEATED)
    assert all(seldom.filter(_record("segue.worker", "partition 1: away")) for _ in range(5))
