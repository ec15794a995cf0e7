"""SDKs of servers, as they are published, against a collector: only its address and a write key are theirs to know."""

from __future__ import annotations

import json
import time
from functools import partial
from pathlib import Path

import httpx
import pytest

from tests.clients.conftest import run_node, run_python
from tests.clients.python_sdk import PACKAGES
from tests.clients.stage import KEY, Stage, check_story
from tests.live.workers import published
from tests.support.waiting import wait_until


@pytest.mark.parametrize("package", PACKAGES)
def test_every_call_of_a_python_sdk_ends_as_the_right_record(stage: Stage, client_python: Path, package: str) -> None:
    run_python(client_python, package, stage.url, KEY, "c1")
    check_story(stage.by_event_id(8), "c1")


def test_every_call_of_the_node_sdk_ends_as_the_right_record(stage: Stage, node_modules: Path) -> None:
    run_node(node_modules, stage.url, KEY, "c1")
    check_story(stage.by_event_id(8), "c1")


@pytest.mark.parametrize("package", PACKAGES)
def test_a_python_sdk_with_a_wrong_key_gives_up_at_once(stage: Stage, client_python: Path, package: str) -> None:
    began = time.monotonic()
    with pytest.raises(AssertionError, match="unauthorized"):
        run_python(client_python, package, stage.url, "another-write-key", "c1")
    assert time.monotonic() - began < 20, "it would go on for minutes"
    assert stage.records() == []


@pytest.mark.parametrize("sdk", [*PACKAGES, "node"])
def test_an_sdk_whose_key_is_disabled_drops_its_events_at_once(
    stage: Stage, client_python: Path, node_modules: Path, sdk: str
) -> None:
    made = json.loads(stage.place.command("keys", "create", "website", "--json").stdout)
    stage.place.command("keys", "disable", made["id"])
    wait_until(lambda: _answered(stage, made["secret"]) == 404, 30, "the key to be known as disabled")
    began = time.monotonic()
    run = partial(run_node, node_modules) if sdk == "node" else partial(run_python, client_python, sdk)
    with pytest.raises(AssertionError, match="404" if sdk == "node" else "source_disabled"):
        run(stage.url, made["secret"], "c1")
    assert time.monotonic() - began < 20, "it would go on for minutes"
    assert stage.records() == []


def _answered(stage: Stage, secret: str) -> int:
    event = {"userId": "c1", "event": " "}
    return httpx.post(f"{stage.url}/v1/track", json=event, auth=(secret, "")).status_code


def test_calls_of_each_sdk_lead_to_the_right_transitions(stage: Stage, client_python: Path, node_modules: Path) -> None:
    stage.start_worker()
    contacts = [*PACKAGES, "node"]
    for package in PACKAGES:
        run_python(client_python, package, stage.url, KEY, package)
    run_node(node_modules, stage.url, KEY, "node")
    expected = {
        moved for contact in contacts for moved in ((contact, "teams", "m-group"), (contact, "buyers", "m-purchase"))
    }
    wait_until(lambda: len(stage.transitions()) >= len(expected), 60, "the transitions")
    assert stage.transitions() == expected


def test_an_import_of_history_says_so_in_what_it_changes(stage: Stage) -> None:
    stage.start_worker()
    purchase = {"type": "track", "userId": "old", "event": "Order Completed", "properties": {"total": "99.50"}}
    batch = {"batch": [purchase | {"messageId": "m1", "timestamp": "2024-05-01T08:00:00Z"}]}
    assert httpx.post(f"{stage.url}/v1/import", json=batch, auth=(KEY, "")).json()["accepted"] == 1
    wait_until(stage.transitions, 60, "the transition")
    assert stage.transitions() == {("old", "buyers", "m1")}
    (transition,) = published(stage.place.output())
    assert transition["cause"]["kind"] == "backfill"
