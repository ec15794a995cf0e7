"""Payloads of any shape: they become records that the worker takes, or are refused with a reason, and nothing else."""

from __future__ import annotations

import copy
from functools import lru_cache
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.records import decode_record, parse_json
from streams.collector.calls.payloads import PayloadError, Problem
from streams.collector.emails.machine_signs import load_signs
from streams.collector.providers.provider import Provider, UnknownTypeError
from streams.collector.providers.records import Recording
from tests.collector.doubles import NOW_MS, MemoryFetcher
from tests.collector.providers import test_brevo, test_mailgun, test_postmark, test_sendgrid, test_ses
from tests.collector.providers.hooks import HOOKS, hooks_setting

PARTS = {"client-info": {"user-agent": "Mozilla/5.0"}, "delivery-status": {"message": "550"}, "campaigns": [{"id": 1}]}
RECORDING = Recording(load_signs(None), "full")
EVENTS: dict[str, list[dict[str, Any]]] = {
    "sendgrid": [
        test_sendgrid.event("click", url="https://shop.example/", useragent="x", asm_group_id=4),
        test_sendgrid.event("bounce", type="blocked", reason="550"),
    ],
    "mailgun": [
        test_mailgun.event("failed", severity="permanent", reason="bounce", **PARTS),
        test_mailgun.event("opened", ip="192.0.2.7", **PARTS),
    ],
    "postmark": [
        test_postmark.event("Click", "ReceivedAt", OriginalLink="https://shop.example/", Geo={"IP": "192.0.2.7"}),
        test_postmark.bounce("HardBounce"),
        test_postmark.suppression("ManualSuppression", "Recipient"),
    ],
    "ses": [
        test_ses.event("Click", link="https://shop.example/", userAgent="x"),
        test_ses.bounce("Permanent", "ann@example.com", "bob@example.com"),
        test_ses.event("Delivery", recipients=["ann@example.com"]),
    ],
    "brevo": [test_brevo.event("click", link="https://shop.example/"), test_brevo.event("opened", tag="contact_id:c2")],
}
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([2**63 - 1, -1, 0])
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | st.sampled_from(
        ["", "x" * 300, "\x00", "2026-11-21T10:00:00Z", "0000-00-00T00:00:00Z", "a@", "<@>", "{", "a:b|c"]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def _places(value: object, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON value, as the steps that lead there."""
    steps: list[Any] = []
    if isinstance(value, dict):
        steps = list(value)
    elif isinstance(value, list):
        steps = list(range(len(value)))
    return [path, *(place for step in steps for place in _places(value[step], (*path, step)))]  # type: ignore[index] # a list or a dict, if it has steps


def _changed(event: Any, path: tuple[Any, ...], value: object) -> Any:
    if not path:
        return value
    changed = copy.deepcopy(event)
    inner = changed
    for step in path[:-1]:
        inner = inner[step]
    if value is ...:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return changed


@lru_cache
def _hook(name: str, contact: str) -> Provider:
    hooks = {key: hook | {"contact": contact} for key, hook in HOOKS.items()}
    (found,) = (hook for hook in hooks_setting(hooks).values() if hook.provider == name)
    return found.connect(MemoryFetcher())


def _as_opened(name: str, event: object) -> object:
    """As a provider hands its events to `read`."""
    return test_ses.notified(event) if name == "ses" else event


def _problems(hook: Provider, name: str, event: object) -> list[Problem]:
    """What is wrong with an event, if it does not become records that the worker takes."""
    try:
        for occurrence in hook.read(_as_opened(name, event)):
            record = RECORDING.record_of(occurrence, hook.settings, f"{name}/x", NOW_MS)
            assert decode_record(record.entry.value)
    except PayloadError as error:
        return error.problems
    except UnknownTypeError:
        pass
    return []


@pytest.mark.parametrize("name", EVENTS)
@given(data=st.data())
def test_whatever_stands_in_a_field_is_read_or_refused_with_a_reason(name: str, data: st.DataObject) -> None:
    hook = _hook(name, data.draw(st.sampled_from(["field", "email", "field_or_email"])))
    event = data.draw(st.sampled_from(EVENTS[name]))
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(_places(event)))
        event = _changed(event, path, data.draw(VALUES | st.just(...) if path else VALUES))
    problems = _problems(hook, name, parse_json(msgspec.json.encode(event)))
    assert all(problem.expected.startswith("expected") for problem in problems)
