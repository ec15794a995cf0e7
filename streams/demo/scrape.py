"""Reads the programs' own metrics, as Prometheus would."""

from __future__ import annotations

from collections import defaultdict

import httpx
from prometheus_client.parser import text_string_to_metric_families

_TIMEOUT_S = 5.0


class Metrics:
    """The samples of one scrape."""

    def __init__(self, text: str = "") -> None:
        self._samples: defaultdict[str, list[tuple[dict[str, str], float]]] = defaultdict(list)
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                self._samples[sample.name].append((sample.labels, sample.value))

    def total(self, name: str, **labels: str) -> int:
        """The sum of a metric over all of its series that carry `labels`; 0 where there is none."""
        wanted = labels.items()
        return int(sum(value for found, value in self._samples.get(name, ()) if wanted <= found.items()))


async def scrape(client: httpx.AsyncClient, url: str) -> Metrics | None:
    """The metrics that a program serves at `url`; None where it does not answer in time."""
    try:
        answer = await client.get(f"{url}/metrics", timeout=_TIMEOUT_S)
    except httpx.TransportError:
        return None
    return Metrics(answer.text) if answer.status_code == httpx.codes.OK else None
