"""What each kind of call of a tracking SDK says, as fields of a record."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from streams.collector.calls.consents import read_purposes
from streams.collector.calls.event_names import EventName, event_name
from streams.collector.calls.fields import Arrival, Fields, JsonObject
from streams.collector.calls.properties import DERIVED, derive

GROUP_ID_CHARACTERS_MAX = 256
CONSENT_CHARACTERS_MAX = 256
ORIGINAL_NAME = "event_name"
"""Where in a record's context the name is kept that an SDK sent, if Segue had to alter it to make one of its own."""

Kind: TypeAlias = Callable[[Fields, Arrival], JsonObject]


def _track(fields: Fields, arrival: Arrival) -> JsonObject:
    given = fields.get("event")
    name = event_name(given) if isinstance(given, str) else None
    if name is None:
        fields.problem("event", "expected the name of an event as a string that is not empty")
        name = EventName("")
    event = _event(name.text, fields.mapping("properties"), fields, arrival)
    if name.altered:
        event["context"][ORIGINAL_NAME] = given
    return event


def _page(fields: Fields, arrival: Arrival) -> JsonObject:
    return _event("page_view", _viewed(fields), fields, arrival)


def _screen(fields: Fields, arrival: Arrival) -> JsonObject:
    return _event("screen_view", _viewed(fields), fields, arrival)


def _identify(fields: Fields, arrival: Arrival) -> JsonObject:  # noqa: ARG001 - one signature for all kinds
    """RudderStack's SDKs put the traits into the context."""
    traits = fields.mapping("traits")
    if not fields.has("traits"):
        inside = fields.mapping("context").get("traits")
        if isinstance(inside, dict):
            traits = inside
        elif inside is not None:
            fields.problem("context.traits", "expected a JSON object")
    return {"type": "identify", "traits": traits}


def _group(fields: Fields, arrival: Arrival) -> JsonObject:  # noqa: ARG001 - one signature for all kinds
    """The group is a trait of the contact: `group_id`, and `group` with all that this call says of it.

    Both are set whole by each call, so that what was said of one group never shows under another.
    """
    group_id = fields.text("groupId", GROUP_ID_CHARACTERS_MAX)
    if group_id is None and not fields.has("groupId"):
        fields.problem("groupId", "expected the id of a group")
    return {"type": "identify", "traits": {"group_id": group_id, "group": fields.mapping("traits")}}


def _consent(fields: Fields, arrival: Arrival) -> JsonObject:  # noqa: ARG001 - one signature for all kinds
    decision: JsonObject = {"type": "consent"}
    for name in ("document", "method"):
        decision[name] = fields.text(name, CONSENT_CHARACTERS_MAX)
        if not fields.has(name):
            fields.problem(name, f"expected a string of 1 to {CONSENT_CHARACTERS_MAX} characters")
    try:
        decision["purposes"] = read_purposes({name: fields.get(name) for name in ("purposes", "purpose", "granted")})
    except ValueError as error:
        fields.problem("purposes" if fields.has("purposes") else "purpose", str(error))
    return decision


KINDS: dict[str, Kind] = {
    "track": _track,
    "identify": _identify,
    "page": _page,
    "screen": _screen,
    "group": _group,
    "consent": _consent,
}
"""Call → the fields it has in a record, its type among them. A new kind of call is one function and one line here."""


def _viewed(fields: Fields) -> JsonObject:
    properties = fields.mapping("properties")
    for name in ("name", "category"):
        value = fields.get(name)
        if isinstance(value, str):
            properties = {**properties, name: value}
        elif value is not None:
            fields.problem(name, "expected a string")
    return properties


def _event(name: str, properties: JsonObject, fields: Fields, arrival: Arrival) -> JsonObject:
    context = fields.mapping("context")  # decoded for this event alone, so it may be changed
    if arrival.context:
        context = {**arrival.context, **context}
    # The specification of e-mail events spells it in another way than all the others.
    if "user_agent" in context:
        user_agent = context.pop("user_agent")
        context.setdefault("userAgent", user_agent)
    event: JsonObject = {
        "type": "track",
        "event": name,
        "properties": derive(name, properties) if name in DERIVED else properties,
        "context": context,
        "source": arrival.source,
    }
    if arrival.suspected:
        event["machine"] = {"suspected": True, "reasons": list(arrival.suspected)}
    return event
