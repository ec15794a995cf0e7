"""Settings of the detector: from where on something is suspected, and its bounds."""

from __future__ import annotations

from pydantic import Field

from streams.detecting.rules import Thresholds
from streams.settings import ProbeSettings


class DetectorSettings(ProbeSettings):
    """Settings of `segue detect`."""

    detect_burst_links: int = Field(
        default=3, ge=2, le=100, description="So many different links of one e-mail, followed at once, are a burst."
    )
    detect_burst_ms: int = Field(
        default=1_000,
        ge=0,
        le=60_000,
        description="How long a burst takes at most, in milliseconds; 0 looks for none.",
    )
    detect_after_delivery_ms: int = Field(
        default=2_000,
        ge=0,
        le=60_000,
        description="An open or a click so near to the delivery is a machine's, in milliseconds; 0 suspects none.",
    )
    detect_near_honeypot_ms: int = Field(
        default=10_000,
        ge=0,
        le=60_000,
        description="An open or a click so near to a click on a trap link is the same machine's, in milliseconds; 0 "
        "suspects none.",
    )
    detect_window_ms: int = Field(
        default=900_000,
        ge=60_000,
        le=172_800_000,
        description="How long an event is remembered, in milliseconds: as long as it can be corrected, "
        "`correct.within` of the definition file.",
    )
    detect_events_max: int = Field(
        default=250_000, ge=1_000, le=50_000_000, description="Most opens, clicks and deliveries remembered."
    )
    detect_session_timeout_ms: int = Field(
        default=10_000,
        ge=1_000,
        le=300_000,
        description="A detector that the group does not hear of for this long loses its partitions.",
    )
    detect_publish_timeout_ms: int = Field(
        default=20_000, ge=1_000, le=240_000, description="Time in which Kafka must take a correction, else we stop."
    )

    @property
    def thresholds(self) -> Thresholds:
        """From where on something is suspected."""
        return Thresholds(
            self.detect_burst_links, self.detect_burst_ms, self.detect_after_delivery_ms, self.detect_near_honeypot_ms
        )
