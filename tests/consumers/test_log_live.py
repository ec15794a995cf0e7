"""`segue consumer log` on a real Kafka and a real Redis."""

from __future__ import annotations

import os
import re
import subprocess

import pytest

from tests.conftest import Kafka
from tests.consumers.transitions import TransitionLog, make
from tests.support.processes import SEGUE, Commands
from tests.support.run_directory import free_port
from tests.support.waiting import wait_until


@pytest.fixture
def transitions(kafka: Kafka, namespace: str) -> TransitionLog:
    return TransitionLog(kafka.bootstrap_servers, namespace, partitions=2)


def test_each_transition_is_one_line_as_it_stands_in_kafka(commands: Commands, transitions: TransitionLog) -> None:
    made = [make(seq, f"c{seq % 3}", partition=number) for seq in range(1, 101) for number in (0, 1)]
    transitions.append(made[:100])
    first = commands.start("consumer", "log", "--from", "beginning")
    wait_until(lambda: len(first.stdout.splitlines()) == 100, 30, "100 lines")
    assert first.terminate() == 0
    transitions.append([*made[90:100], *made[100:]])
    second = commands.start("consumer", "log")
    wait_until(lambda: len(second.stdout.splitlines()) == 100, 30, "100 more lines")
    assert second.terminate() == 0
    lines = first.stdout.splitlines() + second.stdout.splitlines()
    for number in (0, 1):
        expected = [each.value.decode() for each in made if each.partition == number]
        assert [line for line in lines if f"tracking-{number}@" in line] == expected


def test_a_gap_stops_the_log_of_its_partition(commands: Commands, transitions: TransitionLog) -> None:
    transitions.append([make(1), make(3), make(1, partition=1)])
    consumer = commands.start("consumer", "log", "--from", "beginning")
    consumer.wait_for_output("partition 0 stopped at offset 1: expected transition 2 of epoch 1, found 3")
    wait_until(lambda: len(consumer.stdout.splitlines()) == 2, 30, "two lines")
    assert consumer.terminate() == 1


def test_logs_of_different_names_have_progress_of_their_own(commands: Commands, transitions: TransitionLog) -> None:
    transitions.append([make(1)])
    for name in ("one", "two"):
        consumer = commands.start("consumer", "log", "--name", name, "--from", "beginning")
        consumer.wait_for_output(r"^\{.*p0e1s1")
        assert consumer.terminate() == 0
    assert commands.run("consumer", "log", "--name", "No").returncode == 2


def test_a_reader_that_goes_away_ends_it_without_a_traceback(commands: Commands, transitions: TransitionLog) -> None:
    transitions.append([make(seq) for seq in range(1, 4)])
    reading, writing = os.pipe()
    os.close(reading)
    ended = subprocess.run(
        [SEGUE, "consumer", "log", "--from", "beginning"],
        stdout=writing,
        stderr=subprocess.PIPE,
        env=commands.environment,
        timeout=60,
        check=False,
    )
    os.close(writing)
    assert ended.returncode == 75
    assert b"standard output was closed by its reader" in ended.stderr
    assert b"Traceback" not in ended.stderr


def test_a_kafka_that_is_away_at_the_start_is_said_and_not_over_and_over(commands: Commands) -> None:
    away = {"SEGUE_KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{free_port()}", "SEGUE_CONSUMER_KAFKA_TIMEOUT_MS": "3000"}
    consumer = commands.start("consumer", "log", environment=away)
    assert consumer.wait(60) == 75
    *before, last = consumer.stderr.strip().splitlines()
    assert re.match(r"segue: Kafka at \S+ does not answer: ", last)
    refused = [line for line in before if "Connect to ipv4#127.0.0.1" in line and "Connection refused" in line]
    assert len(refused) == 1, consumer.stderr
    assert len(before) <= 5, consumer.stderr
