"""What a worker shows of itself over HTTP."""

from __future__ import annotations

import json
import urllib.error
import urllib.request

import pytest

from schemas.errors import InputError
from schemas.metrics import Meters
from streams.probes import Health, ProbeServer


def _get(url: str) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(url, timeout=10) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def test_metrics_and_health_are_served_on_a_free_port() -> None:
    meters = Meters("worker")
    meters.counter("segue_ticks_total").inc(3)
    health = [Health(True, 3, 1)]
    probes = ProbeServer("127.0.0.1", 0, meters.registry, lambda: health[0])
    probes.start()
    try:
        status, body = _get(f"{probes.url}/metrics")
        assert status == 200
        assert b"segue_ticks_total 3.0" in body
        status, body = _get(f"{probes.url}/healthz")
        assert (status, json.loads(body)) == (200, {"well": True, "serving": 3, "loading": 1})
        health[0] = Health(False, 0, 0)
        assert _get(f"{probes.url}/healthz")[0] == 503
        assert _get(f"{probes.url}/")[0] == 404
    finally:
        probes.close()


def test_a_port_that_is_taken_is_refused_in_a_sentence() -> None:
    first = ProbeServer("127.0.0.1", 0, Meters("worker").registry, lambda: Health(True, 0, 0))
    port = int(first.url.rpartition(":")[2])
    try:
        with pytest.raises(InputError, match=f"SEGUE_METRICS_PORT: 127.0.0.1:{port}: Address already in use"):
            ProbeServer("127.0.0.1", port, Meters("worker").registry, lambda: Health(True, 0, 0))
    finally:
        first.close()
