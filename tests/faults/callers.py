"""Whoever calls a collector and what they do with its answer: providers that come again, forms, SDKs, mail programs."""

from __future__ import annotations

import itertools
import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import httpx
from pydantic import SecretStr

from schemas.instants import format_instant
from streams.links import Link, LinkSigner
from tests.collector.providers.hooks import HOOKS, Call, brevo, mailgun, postmark, sendgrid, ses

FORMS = """
forms:
  news:
    contact: email
    fields: {email: {type: email, required: true}}
"""
STOPS = {
    "sendgrid": range(200, 300),
    "mailgun": (200, 406),
    "postmark": (200, 403),
    "ses": (*range(200, 429), *range(430, 500)),
    "brevo": (*range(200, 300), 400),
}
"""Answers after which a provider does not come again, by what it documents; at all others it does."""
_SIGNER = LinkSigner({"k1": SecretStr("a-long-signing-secret")})
_BATCH_EVENTS, _PADDING = 18, "x" * 26_000


def collector_environment(directory: Path) -> dict[str, str]:
    """What a collector needs to be called in all these ways; a spool in `directory`, the smallest there may be."""
    forms = directory / "forms.yaml"
    forms.write_text(FORMS)
    return {
        "SEGUE_WRITE_KEYS": '{"website": "website-write-key"}',
        "SEGUE_LINK_KEYS": '{"k1": "a-long-signing-secret"}',
        "SEGUE_HOOKS": json.dumps(HOOKS),
        "SEGUE_FORMS": str(forms),
        "SEGUE_COLLECTOR_CHECK_INTERVAL_MS": "200",
        "SEGUE_COLLECTOR_SPOOL_DIR": str(directory / "spool"),
        "SEGUE_COLLECTOR_SPOOL_BYTES": str(32 * 1024**2),
    }


class Told(NamedTuple):
    """A call of a provider that waits to be made again, or to be made."""

    provider: str
    contact: str
    call: Call


class Callers:
    """All ways in, each call with contacts of its own; `taken` are those of calls that were answered with success."""

    def __init__(self, url: str) -> None:
        self.client = httpx.Client(base_url=url, timeout=30)
        self._numbers = itertools.count()
        self.taken: set[str] = set()
        self.refused: set[str] = set()
        """Of calls that were refused and that nobody makes again."""
        self.opened: set[str] = set()
        self.statuses: Counter[tuple[str, int]] = Counter()
        self.waiting: list[Told] = []

    def track(self, padding: int = 0) -> httpx.Response:
        """A single event; who sent it gives up at a refusal."""
        contact = self._contact("track")
        event = {**_event(contact), "properties": {"padding": "x" * padding}}
        return self._note("track", [contact], self._post("/v1/track", json=event))

    def form(self) -> httpx.Response:
        """A form that somebody sends, who does not fill it in a second time."""
        contact = f"{self._contact('form')}@example.org"
        answer = self._post("/v1/form/news", data={"email": contact}, headers={"Accept": "application/json"})
        return self._note("form", [contact], answer)

    def open(self) -> httpx.Response:
        """An e-mail is opened; the picture is shown whatever becomes of the event."""
        contact = self._contact("open")
        answer = self.client.get(f"/o/{_SIGNER.make('open', Link(contact, 'welcome'))}.gif")
        self.opened.add(contact)
        self.statuses["open", answer.status_code] += 1
        return answer

    def batch(self, contacts: Sequence[str] | None = None) -> tuple[httpx.Response, list[str]]:
        """Half a megabyte of an SDK, which keeps it until it is taken: give the contacts back to send it again."""
        names = list(contacts or [self._contact("batch") for _ in range(_BATCH_EVENTS)])
        events = [{**_event(contact), "properties": {"padding": _PADDING}} for contact in names]
        answer = self._post("/v1/batch", json={"batch": events})
        self.statuses["batch", answer.status_code] += 1
        if answer.status_code == 200:
            self.taken.update(names)
        return answer, names

    def providers_tell(self) -> None:
        """Each provider has something new to tell, and calls with all that it still has to tell."""
        self.waiting += [Told(provider, contact, make(contact)) for provider, make in _PROVIDERS.items()
                         for contact in [self._contact(provider)]]  # fmt: skip
        waiting, self.waiting = self.waiting, []
        for told in waiting:
            answer = self.client.post(told.call.path, content=told.call.body, headers=told.call.headers)
            self.statuses[told.provider, answer.status_code] += 1
            if answer.is_success:
                self.taken.add(told.contact)
            if answer.status_code not in STOPS[told.provider]:
                self.waiting.append(told)

    def _contact(self, way: str) -> str:
        return f"{way}-{next(self._numbers)}"

    def _post(self, path: str, **more: Any) -> httpx.Response:
        return self.client.post(path, auth=("website-write-key", ""), **more)

    def _note(self, way: str, contacts: Sequence[str], answer: httpx.Response) -> httpx.Response:
        self.statuses[way, answer.status_code] += 1
        (self.taken if answer.is_success else self.refused).update(contacts)
        return answer


def _event(contact: str) -> dict[str, Any]:
    return {"type": "track", "userId": contact, "event": "page_view", "messageId": f"of-{contact}"}


def _now() -> str:
    return format_instant(time.time_ns() // 1_000_000)


def _sendgrid(contact: str) -> Call:
    event = {"event": "open", "email": "ann@example.com", "timestamp": int(time.time()), "sg_event_id": contact,
             "sg_message_id": "m", "contact_id": contact}  # fmt: skip
    return sendgrid([event], int(time.time()))


def _mailgun(contact: str) -> Call:
    event = {"event": "opened", "id": contact, "timestamp": time.time(), "recipient": "ann@example.com",
             "user-variables": {"contact_id": contact}, "message": {"headers": {"message-id": "m"}}}  # fmt: skip
    return mailgun(event, int(time.time()), token=contact.ljust(50, "t"))


def _postmark(contact: str) -> Call:
    return postmark({"RecordType": "Open", "MessageID": contact, "Recipient": "ann@example.com", "ReceivedAt": _now(),
                     "Metadata": {"contact_id": contact}})  # fmt: skip


def _ses(contact: str) -> Call:
    event = {"eventType": "Open", "mail": {"messageId": "m", "destination": ["ann@example.com"],
             "tags": {"contact_id": [contact]}}, "open": {"timestamp": _now()}}  # fmt: skip
    return ses(event, MessageId=contact, Timestamp=_now())


def _brevo(contact: str) -> Call:
    return brevo({"event": "opened", "email": "ann@example.com", "ts_epoch": time.time_ns() // 1_000_000,
                  "message-id": contact, "X-Mailin-custom": json.dumps({"contact_id": contact})})  # fmt: skip


_PROVIDERS: dict[str, Callable[[str], Call]] = {
    "sendgrid": _sendgrid,
    "mailgun": _mailgun,
    "postmark": _postmark,
    "ses": _ses,
    "brevo": _brevo,
}
