"""From the JSON of tracking SDKs to records: one event in, one record out, or all that is wrong with it.

A record leaves here only after it was read back by the decoder that the worker uses, so that what the collector
takes is never a dead letter.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

import msgspec

from schemas.instants import MAX_INSTANT_MS, MIN_INSTANT_MS, format_instant, parse_instant
from schemas.records import InvalidRecordError, decode_record
from streams.collector.event_names import event_name
from streams.ports import Entry

ANONYMOUS_PREFIX = "anon:"
CONTACT_CHARACTERS_MAX = 256
MESSAGE_ID_CHARACTERS_MAX = 128
CLOCK_SKEW_MS = 5_000
"""How far `sentAt` may lie from our clock before the sender's clock is held to be wrong."""

JsonObject: TypeAlias = dict[str, Any]
_received_at = lru_cache(maxsize=16)(format_instant)  # the same for all events of a call


class Problem(NamedTuple):
    """One thing that is wrong: where, and what was expected there."""

    path: str
    expected: str


class PayloadError(Exception):
    """An event cannot become a record; carries everything that is wrong with it."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(f"{problem.path}: {problem.expected}" for problem in problems))
        self.problems = problems


class Arrival(NamedTuple):
    """What the collector knows of a call: shared by all of its events."""

    source: str
    received_at_ms: int
    new_id: Callable[[], str]
    context: JsonObject  # of the whole batch; an event's own goes over it
    sent_at_ms: int | None = None  # of the whole batch; an event's own counts before it


class Accepted(NamedTuple):
    """A record ready to be written."""

    type: str
    entry: Entry


class _Fields:
    """Reads the fields of one event and gathers the problems met on the way."""

    def __init__(self, body: JsonObject) -> None:
        self._body = body
        self.problems: list[Problem] = []

    def problem(self, path: str, expected: str) -> None:
        self.problems.append(Problem(path, expected))

    def text(self, name: str, characters_max: int) -> str | None:
        value = self._body.get(name)
        if value is None:
            return None
        if isinstance(value, str) and 1 <= len(value) <= characters_max:
            return value
        self.problem(name, f"expected a string of 1 to {characters_max} characters")
        return None

    def has(self, name: str) -> bool:
        return self._body.get(name) is not None

    def mapping(self, name: str) -> JsonObject:
        value = self._body.get(name)
        if value is None or isinstance(value, dict):
            return value or {}
        self.problem(name, "expected a JSON object")
        return {}

    def instant(self, name: str) -> int | None:
        value = self._body.get(name)
        if value is None:
            return None
        try:
            return parse_sdk_instant(value)
        except ValueError as error:
            self.problem(name, str(error))
            return None

    def get(self, name: str) -> object:
        return self._body.get(name)


def parse_sdk_instant(value: object) -> int:
    """Milliseconds of a time in a payload. Raises `ValueError` with what was expected."""
    if isinstance(value, str):
        return parse_instant(value)
    raise ValueError("expected an RFC 3339 time as a string")


def accept(kind: str | None, event: object, arrival: Arrival) -> Accepted:
    """The record of one event. `kind` is what the route says it is; None: the event itself says.

    Raises `PayloadError` with everything that is wrong.
    """
    if not isinstance(event, dict):
        raise PayloadError([Problem("", "expected a JSON object")])
    fields = _Fields(event)
    record_type = _record_type(fields, kind)
    contact_id = _contact_id(fields)
    body: JsonObject = {
        "type": record_type,
        "event_id": fields.text("messageId", MESSAGE_ID_CHARACTERS_MAX) or arrival.new_id(),
        "contact_id": contact_id,
        "occurred_at": format_instant(_occurred_at(fields, arrival)),
        "received_at": _received_at(arrival.received_at_ms),
    }
    if record_type is not None:
        body |= _KINDS[record_type](fields, arrival)
    if fields.problems:
        raise PayloadError(fields.problems)
    assert record_type is not None
    assert contact_id is not None
    return encode(body)


def encode(body: JsonObject) -> Accepted:
    """The bytes of a record. Raises `PayloadError` where the worker would not take it."""
    try:
        value = msgspec.json.encode(body)
        decode_record(value)
    except InvalidRecordError as error:
        raise PayloadError([Problem("", error.detail)]) from None
    except RecursionError:
        raise PayloadError([Problem("", "expected fewer levels of nesting")]) from None
    return Accepted(body["type"], Entry(body["contact_id"], value))


def _record_type(fields: _Fields, kind: str | None) -> str | None:
    given = fields.get("type")
    if kind is not None:
        if given is not None and given != kind:
            fields.problem("type", f"expected {kind}, as the path says, or nothing")
        return kind
    if isinstance(given, str) and given in _KINDS:
        return given
    fields.problem("type", f"expected one of {', '.join(_KINDS)}")
    return None


def _contact_id(fields: _Fields) -> str | None:
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
        fields.problem("userId", "expected userId or anonymousId")
    return None


def _occurred_at(fields: _Fields, arrival: Arrival) -> int:
    """`timestamp`, moved by the sender's clock error where `sentAt` shows one; without a timestamp, now.

    A `sentAt` within `CLOCK_SKEW_MS` of our clock is taken for the time on the way, and the timestamp is kept
    as it is, so that a sender with a right clock finds the instants that it sent.
    """
    timestamp, own_sent_at = fields.instant("timestamp"), fields.instant("sentAt")
    sent_at = arrival.sent_at_ms if own_sent_at is None else own_sent_at
    if timestamp is None:
        return arrival.received_at_ms
    skew = 0 if sent_at is None else arrival.received_at_ms - sent_at
    if abs(skew) <= CLOCK_SKEW_MS:
        return timestamp
    if MIN_INSTANT_MS <= timestamp + skew <= MAX_INSTANT_MS:
        return timestamp + skew
    fields.problem("timestamp", "expected a time from 1970 to 2199 once corrected by sentAt")
    return arrival.received_at_ms


def _track(fields: _Fields, arrival: Arrival) -> JsonObject:
    given = fields.get("event")
    name = event_name(given) if isinstance(given, str) else None
    if name is None:
        fields.problem("event", "expected a name of ASCII words, at most 64 characters, beginning with a letter")
    return {
        "event": name,
        "properties": fields.mapping("properties"),
        "context": {**arrival.context, **fields.mapping("context")},
        "source": arrival.source,
    }


def _identify(fields: _Fields, arrival: Arrival) -> JsonObject:  # noqa: ARG001 - one signature for all kinds
    return {"traits": fields.mapping("traits")}


_KINDS: dict[str, Callable[[_Fields, Arrival], JsonObject]] = {"track": _track, "identify": _identify}
"""Call → what it adds to the record. A new kind of call is one function and one line here."""
