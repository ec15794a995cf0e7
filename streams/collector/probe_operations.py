"""What the OpenAPI document says of what operators ask."""

from __future__ import annotations

from pydantic import BaseModel

from streams.collector.http.operations import Answer, Operation


class Health(BaseModel):
    """How the collector is."""

    status: str
    reason: str | None = None


HEALTHZ = Operation("Whether the process answers.", {200: Answer("It does.", Health)}, tag="operations")
READYZ = Operation(
    "Whether calls should be sent here.",
    {200: Answer("They should.", Health), 503: Answer("They should not; `reason` says why.", Health)},
    tag="operations",
)
METRICS = Operation("The meters, for Prometheus.", {200: Answer("In its text form.", "text/plain")}, tag="operations")
