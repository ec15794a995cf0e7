"""What the headers of Segue's messages say, as models. All values are text in UTF-8, numbers in decimal."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from schemas import topics
from schemas.metrics import DEAD_LETTER_REASONS

Decimal = Annotated[str, StringConstraints(pattern=r"^(0|[1-9][0-9]{0,18})$")]
"""A whole number from 0, below 2^63, in decimal."""


class TransitionHeaders(BaseModel):
    """Where a transition stands in its partition. Reading these is enough to pass it exactly once and in order."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    partition: Decimal = Field(
        alias=topics.HEADER_PARTITION, description="Partition of `tracking`, equal to that of `transitions`."
    )
    seq: Decimal = Field(
        alias=topics.HEADER_SEQ, description="Counts 1, 2, 3 per partition and epoch, without a gap or a repeat."
    )
    epoch: Decimal = Field(
        alias=topics.HEADER_EPOCH, description="Raised by an operator when a partition's log was replaced."
    )
    position: Annotated[str, StringConstraints(pattern=r"^(0|[1-9][0-9]{0,18})\.(0|[1-9][0-9]{0,18})$")] = Field(
        alias=topics.HEADER_POSITION,
        description="`OFFSET.INDEX`: the record of `tracking`, and the place among the transitions that it caused.",
    )
    transition_id: Annotated[str, StringConstraints(min_length=1)] = Field(
        alias=topics.HEADER_TRANSITION_ID, description="As in the value."
    )


class DeadLetterHeaders(BaseModel):
    """Where a dead letter came from and why. Its key and value are those of the record, byte for byte."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    original_topic: str = Field(alias=topics.DEAD_LETTER_TOPIC, description="Topic that the record lay in.")
    original_partition: Decimal = Field(
        alias=topics.DEAD_LETTER_PARTITION, description="Its partition, equal to the dead letter's own."
    )
    original_offset: Decimal = Field(alias=topics.DEAD_LETTER_OFFSET, description="Its offset.")
    original_timestamp: Decimal = Field(
        alias=topics.DEAD_LETTER_TIMESTAMP, description="Its Kafka timestamp, in milliseconds since 1970."
    )
    original_timestamp_type: Literal["CreateTime", "LogAppendTime"] = Field(
        alias=topics.DEAD_LETTER_TIMESTAMP_TYPE, description="Who had stamped it: the producer or the broker."
    )
    original_consumer_group: str = Field(
        alias=topics.DEAD_LETTER_GROUP, description="Group of the worker that could not read it."
    )
    reason: str = Field(
        alias=topics.DEAD_LETTER_REASON,
        description="One of few words, as in the metric.",
        json_schema_extra={"enum": list(DEAD_LETTER_REASONS)},
    )
    detail: str = Field(alias=topics.DEAD_LETTER_DETAIL, description="What was expected, for a person.")
    epoch: Decimal = Field(alias=topics.HEADER_EPOCH, description="Epoch of the log that the record lay in.")


class WebhookHeaders(BaseModel):
    """Headers of a delivery, by the Standard Webhooks specification."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    webhook_id: Annotated[str, StringConstraints(min_length=1)] = Field(
        alias="webhook-id",
        description="The `transition_id`: the same in every attempt, so deliver-once is yours to keep.",
    )
    webhook_timestamp: Decimal = Field(alias="webhook-timestamp", description="Seconds since 1970 of this attempt.")
    webhook_signature: Annotated[str, StringConstraints(pattern=r"^v1,\S+( v1,\S+)*$")] = Field(
        alias="webhook-signature",
        description="`v1,` and the base64 of HMAC-SHA256 over `ID.TIMESTAMP.BODY`; several while keys change.",
    )
