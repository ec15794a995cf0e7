"""Reads the programs' own metrics, as Prometheus would."""

from __future__ import annotations

import httpx
from prometheus_client.parser import text_string_to_metric_families

WANTED = (
    "segue_records_total",
    "segue_records_late_total",
    "segue_record_outcomes_total",
    "segue_lag_records",
    "segue_consumer_gaps_total",
    "segue_webhook_dead_letters",
)
"""What the demo looks at. The rest, histograms above all, is not worth parsing four times a second."""
_TIMEOUT_S = 5.0


class Metrics:
    """The samples of one scrape."""

    def __init__(self, text: str = "") -> None:
        lines = "".join(line for line in text.splitlines(keepends=True) if line.startswith(WANTED))
        self._samples = [sample for family in text_string_to_metric_families(lines) for sample in family.samples]

    def total(self, name: str, **labels: str) -> int:
        """The sum of one of `WANTED` over all of its series that carry `labels`; 0 where there is none."""
        assert name in WANTED, f"{name} is not looked at"
        wanted = labels.items()
        return int(sum(one.value for one in self._samples if one.name == name and wanted <= one.labels.items()))


async def scrape(client: httpx.AsyncClient, url: str) -> Metrics | None:
    """The metrics that a program serves at `url`; None where it does not answer in time."""
    try:
        answer = await client.get(f"{url}/metrics", timeout=_TIMEOUT_S)
    except httpx.TransportError:
        return None
    return Metrics(answer.text) if answer.status_code == httpx.codes.OK else None
