"""The example that README, compose file and newcomers start from."""

from __future__ import annotations

import base64
import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from consumers.webhook.signature import webhook_body, webhook_headers
from schemas.transitions import decode_transition
from tests.support.processes import SEGUE, base_environment
from tests.support.run_directory import CHECKOUT, RunDirectory

EXAMPLES = CHECKOUT / "ops" / "examples"
KEY = b"k" * 32
SECRET = "whsec_" + base64.b64encode(KEY).decode()
TRANSITION = (CHECKOUT / "schemas" / "examples" / "valid" / "transition.entered.json").read_bytes()


def segue(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [SEGUE, *arguments], cwd=CHECKOUT, env=base_environment(), capture_output=True, text=True, check=False
    )


def test_the_example_is_valid_without_a_warning() -> None:
    outcome = segue("check", "ops/examples/shop.yaml", "--json")
    assert outcome.returncode == 0, outcome.stderr
    assert json.loads(outcome.stdout)["warnings"] == []


def test_every_segment_of_the_example_is_entered_by_its_events() -> None:
    arguments = ("simulate", "ops/examples/shop.yaml", "ops/examples/events.jsonl", "--until", "2026-04-30T00:00:00Z")
    outcome = segue(*arguments, "--strict")
    assert outcome.returncode == 0, outcome.stderr
    transitions = [json.loads(line) for line in outcome.stdout.splitlines()]
    entered = {line["segment"] for line in transitions if line["type"] == "segment.entered"}
    assert entered == set(json.loads(segue("check", "ops/examples/shop.yaml", "--json").stdout)["segments"])


@pytest.fixture
def receiver_url(run_directory: RunDirectory, tmp_path: Path) -> Iterator[str]:
    with (tmp_path / "out").open("wb") as out:
        child = subprocess.Popen(
            [sys.executable, str(EXAMPLES / "receiver.py"), "--port", "0"],
            env=os.environ | {"SEGUE_WEBHOOK_SECRETS": SECRET},
            stdout=subprocess.PIPE,
            stderr=out,
            text=True,
            start_new_session=True,
        )
    run_directory.note_process(child.pid)
    assert child.stdout is not None
    yield child.stdout.readline().split()[-1]
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()


def post(url: str, body: bytes, headers: dict[str, str]) -> int:
    request = urllib.request.Request(url, data=body, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_the_example_receiver_takes_what_is_signed_and_nothing_else(receiver_url: str) -> None:
    body = webhook_body(decode_transition(TRANSITION), TRANSITION)
    now_s = int(time.time())
    right = webhook_headers("id-1", now_s, body, [KEY])
    assert post(receiver_url, body, right) == 204
    assert post(receiver_url, body, webhook_headers("id-1", now_s, body, [b"x" * 32])) == 401
    assert post(receiver_url, body + b" ", right) == 401
    assert post(receiver_url, body, webhook_headers("id-1", now_s - 3600, body, [KEY])) == 401
    assert post(receiver_url, body, {}) == 401
    assert post(receiver_url, b"x" * 100_000, right) == 413


def load_receiver() -> ModuleType:
    spec = importlib.util.spec_from_file_location("receiver", EXAMPLES / "receiver.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_example_receiver_accepts_either_secret_while_they_change() -> None:
    receiver = load_receiver()
    headers = webhook_headers("id-1", 1_000, b"{}", [b"old" * 10, b"new" * 10])
    for keys in ([b"old" * 10], [b"new" * 10], [b"new" * 10, b"old" * 10]):
        assert receiver.is_signed(keys, headers, b"{}", 1_000)
    assert not receiver.is_signed([b"another" * 5], headers, b"{}", 1_000)
