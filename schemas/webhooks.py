"""The body of a webhook, by the Standard Webhooks specification."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from schemas.record_models import Instant
from schemas.transition_models import Transition, TransitionType


class WebhookBody(BaseModel):
    """A transition on its way to an endpoint."""

    model_config = ConfigDict(extra="ignore", strict=True)

    type: TransitionType
    timestamp: Instant = Field(description="The transition's `effective_at`.")
    data: Transition
