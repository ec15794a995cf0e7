"""What a started consumer says of itself over HTTP."""

from __future__ import annotations

import json
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tests.support.processes import StartedCommand


class Monitoring:
    """The metrics and the readiness of a consumer that listens."""

    def __init__(self, consumer: StartedCommand) -> None:
        self._url = consumer.wait_for_output(r"listening on (http://\S+)").group(1)

    def metric(self, name: str, **labels: str) -> float | None:
        """The value of a series, or None."""
        for family in text_string_to_metric_families(httpx.get(f"{self._url}/metrics").text):
            for sample in family.samples:
                if sample.name == name and sample.labels == labels:
                    return float(sample.value)
        return None

    def probe(self, path: str) -> tuple[int, dict[str, Any]]:
        """Status and body of `/healthz` or `/readyz`."""
        answer = httpx.get(f"{self._url}{path}")
        return answer.status_code, json.loads(answer.text)
