"""What the OpenAPI document says of the calls of tracking SDKs."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel

from streams.collector.calls import shapes
from streams.collector.http.operations import Answer, Operation

UNKNOWN_KEY = Answer("No write key, or none of ours.", shapes.Refused)
ANSWERS: Mapping[int, Answer] = {
    200: Answer("Kafka has every event.", shapes.Taken),
    400: Answer("`rejected` says which events are wrong and why; all others are written.", shapes.Refused),
    401: UNKNOWN_KEY,
    403: Answer("The key, or the site that the call comes from, may not do this.", shapes.Refused),
    404: Answer("The key is disabled.", shapes.Refused),
    408: Answer("The body did not come in time.", shapes.Refused),
    413: Answer("Too large: over 32 KiB an event, 500 KiB or 2,500 events a batch.", shapes.Refused),
    415: Answer("A `Content-Encoding` other than gzip.", shapes.Refused),
    429: Answer("Too much at once from this source: try again after `Retry-After` seconds.", shapes.Refused),
    503: Answer(
        "Kafka is away, or not ready: try again after `Retry-After` seconds with the same `messageId`s.", shapes.Refused
    ),
}


def _call(model: type[BaseModel], description: str = "") -> Operation:
    summary = (model.__doc__ or "").split(":")[0].strip().rstrip(".") + "."
    return Operation(summary, ANSWERS, body=model, description=description, security="body")


SINGLE: Mapping[str, Operation] = {
    "track": _call(shapes.Track),
    "page": _call(shapes.Page, "Becomes the event `page_view`; `name` and `category` are among its properties."),
    "screen": _call(shapes.Screen, "Becomes the event `screen_view`; `name` and `category` are among its properties."),
    "identify": _call(shapes.Identify, "A trait that is null is removed."),
    "group": _call(shapes.Group, "Sets the traits `group_id` and `group` of the contact, each as a whole."),
    "alias": _call(shapes.Alias, "What was done under the anonymous id counts for the known contact."),
}
BATCH = Operation("Many calls in one.", ANSWERS, body=shapes.Batch, security="body")
IMPORT = Operation(
    "Events of the past, in batches.",
    ANSWERS,
    body=shapes.Batch,
    security="body",
    description="Each event needs its `timestamp`, which is kept as it is. What it changes has the cause `backfill`.",
)
BEACON = Operation(
    "A batch sent as a page closes.",
    ANSWERS,
    body=shapes.Batch,
    security="query",
    description="For senders that can set no header and put the key in the address.",
)
