"""From what providers tell to records: the same properties, whoever sent the e-mail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from schemas.instants import format_instant
from schemas.record_models import CONTACT_CHARACTERS_MAX
from streams.collector.calls.payloads import Accepted, PayloadError, Problem, encode
from streams.collector.emails.machine_signs import Followed, MachineSigns
from streams.collector.emails.machines import suspicion
from streams.collector.guarding.addresses import Address, Written, parse_address, written_address
from streams.collector.providers.provider import READERS_EVENTS, HookSettings, Occurrence
from streams.collector.settings import EVENT_BYTES_MAX

TAGS_MAX = 50
TAG_CHARACTERS_MAX = 128
VARIABLES_MAX = 50
VARIABLE_NAME_CHARACTERS_MAX = 64
VARIABLE_CHARACTERS_MAX = 1_000
CAMPAIGN = "campaign_id"
MACHINE_REASON = "provider_mark"
"""The provider itself says that a machine fetched the image."""

_FOLLOWED: dict[str, Followed] = {"email_open": "open", "email_click": "click"}


class NoContactError(PayloadError):
    """An event does not say whose it is."""


class Recording:
    """Makes records of what providers tell, by what the collector knows of machines and keeps of addresses."""

    def __init__(self, signs: MachineSigns, written: Written) -> None:
        """`written`: how much of a reader's address records keep."""
        self._signs = signs
        self._written = written

    def record_of(self, occurrence: Occurrence, settings: HookSettings, source: str, received_at_ms: int) -> Accepted:
        """The record of one event of a provider. Raises `PayloadError`, `NoContactError`."""
        event = occurrence.meaning.event
        assert event is not None, "what is passed over is no occurrence"
        body: dict[str, Any] = {
            "type": "track",
            "event_id": occurrence.event_id,
            "contact_id": _contact_id(occurrence, settings),
            "event": event,
            "occurred_at": format_instant(occurrence.occurred_at_ms),
            "received_at": format_instant(received_at_ms),
            "properties": _properties(occurrence, settings),
            "context": {},
            "source": source,
        }
        if event in READERS_EVENTS:
            address = written_address(_address(occurrence), self._written)
            given = {"userAgent": occurrence.user_agent, "ip": address}
            body["context"] = {name: value for name, value in given.items() if value}
        reasons = self._reasons(occurrence)
        if reasons:
            body["machine"] = {"suspected": True, "reasons": reasons}
        record = encode(body)
        if len(record.entry.value) > EVENT_BYTES_MAX:
            raise PayloadError([Problem("", f"expected an event of at most {EVENT_BYTES_MAX} bytes as a record")])
        return record

    def _reasons(self, occurrence: Occurrence) -> list[str]:
        followed = _FOLLOWED.get(occurrence.meaning.event or "")
        if followed is None:
            return []
        headers = {"user-agent": occurrence.user_agent} if occurrence.user_agent else {}
        reasons = [MACHINE_REASON] if occurrence.meaning.machine else []
        return reasons + suspicion(self._signs, followed, headers, _address(occurrence))


def _address(occurrence: Occurrence) -> Address | None:
    return parse_address(occurrence.ip) if occurrence.ip else None


def _contact_id(occurrence: Occurrence, settings: HookSettings) -> str:
    name = settings.contact_field
    if settings.contact != "email":
        value = occurrence.variables.get(name)
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        if isinstance(value, str) and 1 <= len(value) <= CONTACT_CHARACTERS_MAX:
            return value
        if value not in (None, ""):
            expected = f"expected a string of 1 to {CONTACT_CHARACTERS_MAX} characters, or a whole number"
            raise NoContactError([Problem(name, expected)])
    if settings.contact != "field" and occurrence.recipient is not None:
        return occurrence.recipient
    expected = (
        "expected the contact's id" if settings.contact == "field" else "expected a contact's id or one recipient"
    )
    raise NoContactError([Problem("recipient" if settings.contact == "email" else name, expected)])


def _properties(occurrence: Occurrence, settings: HookSettings) -> dict[str, Any]:
    variables = _variables(occurrence.variables, settings.contact_field)
    campaign = variables.pop(CAMPAIGN, None)
    given = {
        CAMPAIGN: occurrence.campaign_id if campaign is None else campaign,
        "email_id": occurrence.email_id,
        "link_url": occurrence.link_url,
        "bounce_type": occurrence.meaning.bounce_type,
        "reason": occurrence.reason if occurrence.meaning.event in ("email_bounce", "spam_complaint") else None,
        "provider_type": occurrence.provider_type,
        "tags": _tags(occurrence.tags),
        "variables": variables,
    }
    return {name: value for name, value in given.items() if value not in (None, [], {})}


def _variables(variables: Mapping[str, Any], contact_field: str) -> dict[str, Any]:
    """What the sender put into the mail, as far as it is one value of moderate length, without the contact's id."""
    kept: dict[str, Any] = {}
    for name, value in variables.items():
        if name == contact_field or len(name) > VARIABLE_NAME_CHARACTERS_MAX or len(kept) == VARIABLES_MAX:
            continue
        if isinstance(value, int | float) or (isinstance(value, str) and len(value) <= VARIABLE_CHARACTERS_MAX):
            kept[name] = value
    return kept


def _tags(tags: Sequence[object]) -> list[str]:
    return [tag[:TAG_CHARACTERS_MAX] for tag in tags if isinstance(tag, str) and tag][:TAGS_MAX]
