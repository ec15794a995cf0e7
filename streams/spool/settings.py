"""Where a collector's spool is, and how large it may become."""

from __future__ import annotations

from pydantic import Field

from schemas.settings import CommonSettings, OptionalFile


class SpoolSettings(CommonSettings):
    """The spool of a collector; `segue doctor` and `segue status` look at it, too."""

    collector_spool_dir: OptionalFile = Field(
        default=None,
        description="Directory that no other collector has, on a disk that lasts, for records that come in while Kafka "
        "is away, and for a copy of the keys to start with then. Not set: calls are answered 503 then.",
    )
    collector_spool_bytes: int = Field(
        default=1024**3,
        ge=32 * 1024**2,
        le=1024**4,
        description="Bytes of the spool on disk; batches may fill half of it. Past it 503.",
    )
