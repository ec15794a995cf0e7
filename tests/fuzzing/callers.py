"""Calls of e-mail providers and of forms around bytes of strangers: signed where only what is signed is read."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.datastructures import Headers

from schemas.records import decode_record
from streams.collector.calls.payloads import PayloadError
from streams.collector.emails.machine_signs import load_signs
from streams.collector.forms.form_bodies import parse_form
from streams.collector.forms.form_schema import Form
from streams.collector.forms.form_submissions import Caller, honeypot_filled, read_submission, records_of
from streams.collector.forms.forms import FORM_BOUNDS
from streams.collector.http.refusals import Refusal
from streams.collector.providers.provider import Call, Provider, UnknownTypeError, parsed
from streams.collector.providers.records import Recording
from streams.collector.providers.sns import SnsSignatures
from tests.collector.doubles import NOW_MS, MemoryFetcher
from tests.collector.providers import hooks
from tests.collector.providers.test_drawn_payloads import EVENTS

T = TypeVar("T")
_LOOP = asyncio.Runner()
_RECORDING = Recording(load_signs(None), "full")
_FETCHER = MemoryFetcher()
_FETCHER.pages[hooks.CERTIFICATE_URL] = hooks.certificate()
_BY_EITHER = {name: hook | {"contact": "field_or_email"} for name, hook in hooks.HOOKS.items()}
_HOOKS: dict[str, Provider] = {
    hook.provider: hook.connect(_FETCHER) for hook in hooks.hooks_setting(_BY_EITHER).values()
}
_SIGNATURES = SnsSignatures([hooks.TOPIC], _FETCHER)
_FORM = Form.model_validate(
    {
        "contact": "email",
        "fields": {
            "email": {"type": "email", "required": True},
            **{kind: {"type": kind} for kind in ("text", "long_text", "name", "country", "number", "integer")},
            **{kind: {"type": kind, "into": "properties"} for kind in ("boolean", "date", "id")},
            "phone": {"type": "phone", "country": "FR"},
            **{kind: {"type": kind, "choices": ["a", "b"]} for kind in ("choice", "choices")},
        },
        "consents": [{"purpose": "marketing", "document": "v1", "field": "agree"}],
        "honeypot": "website",
        "double_opt_in": {},
    }
)
_CALLER = Caller("news", "form", NOW_MS, "id", {})


def hook(name: str, raw: bytes) -> int:
    """As what a provider tells, proven to come from it; returns how many records it becomes."""
    found = _HOOKS[name]
    call = _call(name, raw)
    headers = {header.lower(): value for header, value in call.headers.items()}
    try:
        events = _run(found.opened(Call(headers, None, call.body, NOW_MS)))
    except Refusal:
        return 0
    written = 0
    for event in events:
        try:
            for occurrence in found.read(event):
                record = _RECORDING.record_of(occurrence, found.settings, f"{name}/x", NOW_MS)
                decode_record(record.entry.value)
                written += 1
        except (PayloadError, UnknownTypeError):
            continue
    return written


def sns(raw: bytes) -> int:
    """As a message that says to come from SNS; returns how many it did send."""
    sent = 0
    for kind in ("Notification", "SubscriptionConfirmation"):
        try:
            _run(_SIGNATURES.opened(parsed(raw), {"x-amz-sns-message-type": kind}, NOW_MS))
            sent += 1
        except Refusal:
            continue
    return sent


def form(raw: bytes) -> int:
    """As a form that is sent, its `Content-Type` in the first line; returns how many records it becomes."""
    media_type, _, body = raw.partition(b"\n")
    try:
        sent = _run(parse_form(Headers(raw=[(b"content-type", media_type)]), body, FORM_BOUNDS))
    except Refusal:
        return 0
    honeypot_filled(_FORM, sent)
    try:
        records, _ = records_of(_FORM, read_submission(_FORM, sent), _CALLER)
    except PayloadError:
        return 0
    for record in records:
        decode_record(record.entry.value)
    return len(records)


def _call(name: str, raw: bytes) -> hooks.Call:
    if name == "sendgrid":
        return hooks.sendgrid(raw)
    if name == "mailgun":
        # A token is good for one event, so each has its own.
        signed = hooks.mailgun(None, token=hashlib.sha256(raw).hexdigest())
        return signed._replace(body=signed.body.removesuffix(b"null}") + raw + b"}")
    if name == "ses":
        return hooks.ses(raw.decode("utf-8", "replace"))
    return hooks.Call("", raw, hooks.basic())


def _run(coroutine: Coroutine[Any, Any, T]) -> T:
    return _LOOP.run(coroutine)


def _seeds(name: str) -> tuple[bytes, ...]:
    shown: list[Any] = [[event] for event in EVENTS[name]] if name == "sendgrid" else EVENTS[name]
    return tuple(json.dumps(each).encode() for each in shown)


HOOK_SEEDS = {name: _seeds(name) for name in EVENTS}
SNS_SEEDS = tuple(
    hooks.sns(hooks.notification("{}", SignatureVersion=version, **more)).body
    for version in ("1", "2")
    for more in (
        {},
        {
            "Type": "SubscriptionConfirmation",
            "Subject": None,
            "Token": "t",
            "SubscribeURL": "https://sns.eu-west-1.amazonaws.com/"
            f"?Action=ConfirmSubscription&TopicArn={hooks.TOPIC}&Token=t",
        },
    )
)
_MULTIPART = "".join(
    f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
    for name, value in (("email", "ann@example.org"), ("long_text", "a\r\nb"), ("agree", "on"))
)
FORM_SEEDS = (
    b"application/x-www-form-urlencoded\nemail=Ann%40B%C3%BCcher.example&phone=%2B33123456789&country=France&number=1.5",
    b"application/x-www-form-urlencoded; charset=utf-8\nemail=a@b.example&agree=on&choices=a&choices=b&date=2026-11-21",
    f"multipart/form-data; boundary=x\n{_MULTIPART}--x--\r\n".encode(),
)
