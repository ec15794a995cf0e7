"""From the JSON of tracking SDKs to records: one event in, one record out, or all that is wrong with it.

What the collector takes is never a dead letter: an event is made of checked fields alone, and every other record is
read back by the decoder that the worker uses.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import NamedTuple

import msgspec

from schemas.instants import MAX_INSTANT_MS, MIN_INSTANT_MS, format_instant
from schemas.record_models import ANONYMOUS_PREFIX, CONTACT_CHARACTERS_MAX
from schemas.records import MAX_DEPTH, InvalidRecordError, decode_record
from streams.collector.calls.consents import PREFERENCES_EVENT, one_each, preferences_of
from streams.collector.calls.fields import Arrival, Fields, JsonObject, PayloadError, Problem, parse_sdk_instant
from streams.collector.calls.kinds import KINDS
from streams.ports import Entry

__all__ = [
    "ALIAS", "ANONYMOUS_PREFIX", "Accepted", "Arrival", "JsonObject", "PayloadError", "Problem", "accept", "encode",
    "parse_sdk_instant",
]  # fmt: skip

MESSAGE_ID_CHARACTERS_MAX = 128
CLOCK_SKEW_MS = 5_000
"""How far `sentAt` may lie from our clock before the sender's clock is held to be wrong."""
ALIAS = "alias"
"""The call that says that two ids are one contact, and nothing else."""

_TOO_DEEP = Problem("", "expected fewer levels of nesting")

_json = msgspec.json.Encoder()
_received_at = lru_cache(maxsize=16)(format_instant)  # the same for all events of a call


class Accepted(NamedTuple):
    """A record ready to be written."""

    type: str
    entry: Entry
    more: tuple[Accepted, ...] = ()  # other records of the same event
    withheld: bool = False  # it is not written, for want of consent


def accept(kind: str | None, event: object, arrival: Arrival) -> Accepted:
    """The record of one event. `kind` is what the route says it is; None: the event itself says.

    Raises `PayloadError` with everything that is wrong.
    """
    if not isinstance(event, dict):
        raise PayloadError([Problem("", "expected a JSON object")])
    fields = Fields(event)
    kind = _kind(fields, kind)
    if kind == ALIAS:
        return encode(_alias(fields, arrival))
    body = _begun(fields, arrival)
    if kind is not None:
        body |= KINDS[kind](fields, arrival)
    if arrival.backfill:
        body["backfill"] = True
    if fields.problems:
        raise PayloadError(fields.problems)
    if body.get("event") == PREFERENCES_EVENT:
        body = _preferences(body)
    accepted = _admitted(body, event, arrival)
    device = fields.text("anonymousId", CONTACT_CHARACTERS_MAX - len(ANONYMOUS_PREFIX)) if kind == "identify" else None
    if device is None or not fields.has("userId") or accepted.withheld:
        return accepted
    link = _link(body, device, body["contact_id"])
    link["event_id"] = hashlib.blake2b(f"link:{body['event_id']}".encode(), digest_size=16).hexdigest()
    return accepted._replace(more=(*accepted.more, encode(link)))


def _link(body: JsonObject, device: str, to: str) -> JsonObject:
    """The record that says who an anonymous contact is, as of the call that told so."""
    told = {name: body[name] for name in ("event_id", "occurred_at", "received_at", "backfill") if name in body}
    return {"type": "link", "contact_id": ANONYMOUS_PREFIX + device, "to": to} | told


def erasure(event: object, arrival: Arrival) -> Accepted:
    """The record that says that a contact is to be forgotten. Raises `PayloadError`."""
    fields = Fields(event if isinstance(event, dict) else {})
    body = _begun(fields, arrival) | {"type": "erase"}
    if fields.problems:
        raise PayloadError(fields.problems)
    return encode(body)


def _begun(fields: Fields, arrival: Arrival) -> JsonObject:
    return {
        "event_id": fields.text("messageId", MESSAGE_ID_CHARACTERS_MAX) or arrival.new_id(),
        "contact_id": _contact_id(fields),
        "occurred_at": format_instant(_occurred_at(fields, arrival)),
        "received_at": _received_at(arrival.received_at_ms),
    }


def _preferences(track: JsonObject) -> JsonObject:
    try:
        return preferences_of(track)
    except ValueError as error:
        raise PayloadError([Problem("context.consent.categoryPreferences", str(error))]) from None


def _admitted(body: JsonObject, event: JsonObject, arrival: Arrival) -> Accepted:
    """The record, or a record each where the event is several decisions, as far as its key and consent allow."""
    screening = arrival.screening
    refusal = None if screening is None else screening.refusal(body)
    if refusal is not None:
        raise PayloadError([Problem(*refusal)])
    if body["type"] == "consent":
        first, *others = (encode(each) for each in one_each(body))
        return first._replace(more=tuple(others))
    if screening is None:
        return encode(body)
    screening.trim(body)
    accepted = _encode_event(body) if body["type"] == "track" else encode(body)
    withheld = screening.withholds(body, (arrival.context, event.get("context")))
    return accepted._replace(withheld=True) if withheld else accepted


def _encode_event(body: JsonObject) -> Accepted:
    """As `encode`, for an event whose every field was checked or made here: what is left to look at is its depth."""
    try:
        value = _json.encode(body)
    except RecursionError:
        raise PayloadError([_TOO_DEEP]) from None
    # Few have as many brackets as that; how deep those are, the decoder finds out.
    if value.count(b"{") + value.count(b"[") > MAX_DEPTH:
        return encode(body)
    return Accepted("track", Entry(body["contact_id"], value))


def encode(body: JsonObject) -> Accepted:
    """The bytes of a record. Raises `PayloadError` where the worker would not take it."""
    try:
        value = _json.encode(body)
        decode_record(value)
    except InvalidRecordError as error:
        raise PayloadError([Problem("", error.detail)]) from None
    except RecursionError:
        raise PayloadError([_TOO_DEEP]) from None
    return Accepted(body["type"], Entry(body["contact_id"], value))


def _kind(fields: Fields, kind: str | None) -> str | None:
    given = fields.get("type")
    if kind is not None:
        if given is not None and given != kind:
            fields.problem("type", f"expected {kind}, as the path says, or nothing")
        return kind
    if isinstance(given, str) and (given in KINDS or given == ALIAS):
        return given
    fields.problem("type", f"expected one of {', '.join([*KINDS, ALIAS])}")
    return None


def _alias(fields: Fields, arrival: Arrival) -> JsonObject:
    """An alias links: its `previousId` is taken for an anonymous one, since nobody becomes another customer."""
    device = fields.text("previousId", CONTACT_CHARACTERS_MAX - len(ANONYMOUS_PREFIX))
    if device is None and not fields.has("previousId"):
        fields.problem("previousId", "expected the id that the contact had while it was anonymous")
    if not fields.has("userId"):
        fields.problem("userId", "expected the id of a contact")
    body = _begun(fields, arrival)
    if fields.problems:
        raise PayloadError(fields.problems)
    assert device is not None
    if arrival.backfill:
        body["backfill"] = True
    return _link(body, device, body["contact_id"])


def _contact_id(fields: Fields) -> str | None:
    """`userId`, else `anon:` and `anonymousId`: a known contact can never pass for an anonymous one."""
    user_id = fields.text("userId", CONTACT_CHARACTERS_MAX)
    anonymous_id = fields.text("anonymousId", CONTACT_CHARACTERS_MAX - len(ANONYMOUS_PREFIX))
    if user_id is not None:
        if user_id.startswith(ANONYMOUS_PREFIX):
            fields.problem("userId", f"expected an id that does not begin with {ANONYMOUS_PREFIX!r}")
        return user_id
    if anonymous_id is not None:
        return ANONYMOUS_PREFIX + anonymous_id
    if not fields.has("userId") and not fields.has("anonymousId"):
        fields.problem("userId", "expected userId or anonymousId, and neither is there")
    return None


def _occurred_at(fields: Fields, arrival: Arrival) -> int:
    """`timestamp`, moved by the sender's clock error where `sentAt` shows one; without a timestamp, now.

    A `sentAt` within `CLOCK_SKEW_MS` of our clock is taken for the time on the way, and the timestamp is kept
    as it is, so that a sender with a right clock finds the instants that it sent. An import's times are none that the
    sender's clock told: they must be there, and are kept.
    """
    timestamp, own_sent_at = fields.instant("timestamp"), fields.instant("sentAt")
    if timestamp is None:
        # Some SDKs leave `timestamp` to the server, and send what their clock said under this name.
        timestamp = fields.instant("originalTimestamp")
    if timestamp is None:
        if arrival.backfill and not fields.has("timestamp"):
            fields.problem("timestamp", "expected the time of the event, since this is an import of history")
        return arrival.received_at_ms
    sent_at = arrival.sent_at_ms if own_sent_at is None else own_sent_at
    skew = 0 if sent_at is None or arrival.backfill else arrival.received_at_ms - sent_at
    if abs(skew) <= CLOCK_SKEW_MS:
        return timestamp
    if MIN_INSTANT_MS <= timestamp + skew <= MAX_INSTANT_MS:
        return timestamp + skew
    fields.problem("timestamp", "expected a time from 1970 to 2199 once corrected by sentAt")
    return arrival.received_at_ms
