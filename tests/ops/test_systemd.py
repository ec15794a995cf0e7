"""The units in `ops/systemd`, and what a process tells the service manager that starts it so."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.service_manager import Condition, ServiceManager
from streams.cli import COMMANDS
from tests.engine.stories import story
from tests.support.run_directory import CHECKOUT
from tests.support.waiting import wait_until_async

UNITS = sorted((CHECKOUT / "ops" / "systemd").glob("*.service"))
SERVING = Condition(serving=True, alive=True, status="2 partitions served, 0 loading")
LOADING = Condition(serving=False, alive=True, status="0 partitions served, 2 loading")


def _settings(unit: Path) -> dict[str, list[str]]:
    """What a unit sets, by section and name."""
    found: dict[str, list[str]] = {}
    section = ""
    for line in unit.read_text().splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif line and not line.startswith("#"):
            name, equals, value = line.partition("=")
            assert section, line
            assert equals, line
            found.setdefault(f"{section}.{name}", []).append(value)
    return found


def test_there_is_a_unit_for_every_program_that_stays() -> None:
    assert {unit.name for unit in UNITS} == {
        "worker@.service", "collector.service", "detector.service", "consumer-webhook.service",
    }  # fmt: skip


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_starts_a_command_that_there_is_and_lets_it_do_little_else(unit: Path) -> None:
    settings = _settings(unit)
    [start] = settings["Service.ExecStart"]
    program, command, *_ = start.split()
    assert program == "/opt/segue/bin/segue"
    assert command in COMMANDS
    assert settings["Service.Type"] == ["notify"]
    assert settings["Service.Restart"] == ["on-failure"]
    assert settings["Unit.StartLimitIntervalSec"] == ["0"], "what is away for long comes back"
    assert int(settings["Service.TimeoutStopSec"][0].removesuffix("s")) > 20, "longer than a program takes at most"
    for name in ("DynamicUser", "NoNewPrivileges", "PrivateTmp", "PrivateDevices", "MemoryDenyWriteExecute"):
        assert settings[f"Service.{name}"] == ["yes"]
    assert settings["Service.ProtectSystem"] == ["strict"]
    assert settings["Service.CapabilityBoundingSet"] == [""]


def test_a_collector_s_spool_lies_in_the_directory_that_systemd_keeps_for_it() -> None:
    settings = _settings(CHECKOUT / "ops" / "systemd" / "collector.service")
    (state,) = settings["Service.StateDirectory"]
    (variable,) = settings["Service.Environment"]
    name, _, directory = variable.partition("=")
    assert name == "SEGUE_COLLECTOR_SPOOL_DIR"
    assert Path(directory).parent == Path("/var/lib") / state
    assert settings["Service.StateDirectoryMode"] == ["0700"]
    assert settings["Service.ProtectSystem"] == ["strict"], "else it could lie anywhere"


def test_systemd_takes_the_units_where_there_is_one(tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    for unit in UNITS:
        text = unit.read_text().replace("/opt/segue/bin/segue", str(Path(sys.executable).with_name("segue")))
        (tmp_path / unit.name.replace("@.", "@1.")).write_text(text)
    command = ["true"] if analyze is None else [analyze, "verify", *map(str, sorted(tmp_path.iterdir()))]
    outcome = subprocess.run(command, capture_output=True, text=True, check=False)
    ours = [line for line in outcome.stderr.splitlines() if str(tmp_path) in line]
    assert (outcome.returncode, ours) == (0, [])


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[socket.socket]:
    """What listens at NOTIFY_SOCKET."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bound:
        bound.bind(str(tmp_path / "notify"))
        bound.setblocking(False)
        yield bound


def _told(listener: socket.socket) -> list[str]:
    told: list[str] = []
    while True:
        try:
            told += listener.recv(4_096).decode().split("\n")
        except BlockingIOError:
            return told


def _manager(listener: socket.socket, **variables: str) -> ServiceManager:
    return ServiceManager({"NOTIFY_SOCKET": listener.getsockname(), **variables})


def test_it_is_told_once_that_the_process_serves_and_each_time_that_its_state_is_new(listener: socket.socket) -> None:
    manager = _manager(listener)
    for condition in (LOADING, LOADING, SERVING, LOADING, SERVING):
        manager.tell(condition)
    manager.stopping()
    assert _told(listener) == [
        f"STATUS={LOADING.status}", "READY=1", f"STATUS={SERVING.status}", f"STATUS={LOADING.status}",
        f"STATUS={SERVING.status}", "STOPPING=1", "STATUS=ending: what is under way is finished",
    ]  # fmt: skip


def test_the_watchdog_is_told_only_while_the_process_gets_on(listener: socket.socket) -> None:
    manager = _manager(listener, WATCHDOG_USEC="30000000", WATCHDOG_PID=str(os.getpid()))
    manager.tell(SERVING)
    manager.tell(SERVING)
    assert _told(listener).count("WATCHDOG=1") == 2
    manager.tell(SERVING._replace(alive=False))
    assert _told(listener) == []


def test_a_watchdog_of_another_process_is_not_ours(listener: socket.socket) -> None:
    manager = _manager(listener, WATCHDOG_USEC="30000000", WATCHDOG_PID="1")
    manager.tell(SERVING)
    assert "WATCHDOG=1" not in _told(listener)


@pytest.mark.parametrize("address", ["", "/nowhere/at/all", "@segue-nobody-listens-here"])
def test_that_nobody_listens_harms_nothing(address: str) -> None:
    manager = ServiceManager({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "1000"})
    manager.tell(SERVING)
    manager.stopping()


@story
async def test_whoever_listens_at_an_abstract_address_is_told_again_and_again(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bound:
        name = f"segue-test-{os.getpid()}-{tmp_path.name}"
        bound.bind(f"\0{name}")
        bound.setblocking(False)
        manager = ServiceManager({"NOTIFY_SOCKET": f"@{name}", "WATCHDOG_USEC": "30000"})
        watching = asyncio.create_task(manager.watch(lambda: SERVING))
        told: list[str] = []

        def alive() -> bool:
            told.extend(_told(bound))
            return told.count("WATCHDOG=1") > 2

        await wait_until_async(alive, 10, "signs of life")
        watching.cancel()
        await asyncio.wait([watching])
    assert told.count("READY=1") == 1
