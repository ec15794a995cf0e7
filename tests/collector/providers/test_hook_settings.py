"""`SEGUE_HOOKS`: what is wrong is named with its path, and no secret is shown."""

from __future__ import annotations

import json
from typing import Any

import pytest

from schemas.errors import InputError
from schemas.settings import load_settings
from streams.collector.settings import CollectorSettings
from tests.collector.providers.hooks import HOOKS, SECRET, SENDGRID_KEY, TOPIC, shown_key


def _load(monkeypatch: pytest.MonkeyPatch, hooks: object) -> CollectorSettings:
    monkeypatch.setenv("SEGUE_WRITE_KEYS", '{"website": "a-write-key"}')
    monkeypatch.setenv("SEGUE_HOOKS", hooks if isinstance(hooks, str) else json.dumps(hooks))
    return load_settings(CollectorSettings)


def test_hooks_are_read_from_json_and_their_secrets_hidden_when_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = _load(monkeypatch, HOOKS)
    assert {name: hook.provider for name, hook in settings.hooks.items()} == {
        name: hook["provider"] for name, hook in HOOKS.items()
    }
    assert SECRET not in repr(settings)
    assert SECRET not in str(settings.model_dump())
    assert (settings.hooks["aws"].contact, settings.hooks["aws"].contact_field) == ("field", "contact_id")


def test_without_the_setting_there_are_no_hooks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGUE_WRITE_KEYS", '{"website": "a-write-key"}')
    assert load_settings(CollectorSettings).hooks == {}


POSTMARK: dict[str, Any] = {"provider": "postmark", "secrets": [SECRET]}
SENDGRID: dict[str, Any] = {"provider": "sendgrid", "public_keys": [shown_key(SENDGRID_KEY)]}
SES: dict[str, Any] = {"provider": "ses", "topics": [TOPIC]}


@pytest.mark.parametrize(
    ("hooks", "expected"),
    [
        ("a-secret-of-the-hook", "expected a JSON object of hooks by name"),
        ("[]", "expected a JSON object of hooks by name"),
        ({"news": "postmark"}, "expected a JSON object of hooks by name"),
        ({"News": POSTMARK}, "expected names of a letter and up to 31 letters, digits, _ and -, not 'News'"),
        ({f"h{number}": POSTMARK for number in range(65)}, "expected at most 64 hooks"),
        ({"news": {}}, "news.provider: expected one of sendgrid, mailgun, postmark, ses, brevo"),
        ({"news": {"provider": "pigeon"}}, "news.provider: expected one of sendgrid"),
        ({"news": {"provider": "postmark"}}, "news.secrets: expected a value, and it is missing"),
        ({"news": POSTMARK | {"secrets": []}}, "news.secrets: Tuple should have at least 1 item"),
        ({"news": POSTMARK | {"secrets": [SECRET] * 5}}, "news.secrets: Tuple should have at most 4 items"),
        ({"news": POSTMARK | {"secrets": ["short"]}}, "news.secrets.0: expected 16 to 256 characters"),
        ({"news": POSTMARK | {"signing_keys": [SECRET]}}, "news.signing_keys: not a setting of this provider"),
        ({"news": POSTMARK | {"max_age_s": 60}}, "news.max_age_s: not a setting of this provider"),
        ({"news": POSTMARK | {"contact": "guess"}}, "news.contact: Input should be 'field', 'email' or"),
        ({"news": POSTMARK | {"contact_field": ""}}, "news.contact_field: expected text that is not empty"),
        ({"news": SENDGRID | {"public_keys": [SECRET]}}, "news.public_keys.0: expected a verification key"),
        ({"news": SENDGRID | {"max_age_s": 59}}, "news.max_age_s: expected at least 60"),
        ({"news": SENDGRID | {"max_age_s": 172_801}}, "news.max_age_s: Input should be less than or equal to 172800"),
        ({"news": SES | {"topics": ["mail-events"]}}, "news.topics.0: expected topics like arn:aws:sns:"),
        ({"news": SES | {"topics": []}}, "news.topics: Tuple should have at least 1 item"),
    ],
)
def test_a_bad_hook_is_refused_with_its_path_and_without_its_secret(
    monkeypatch: pytest.MonkeyPatch, hooks: object, expected: str
) -> None:
    with pytest.raises(InputError) as refused:
        _load(monkeypatch, hooks)
    assert "SEGUE_HOOKS: " in str(refused.value)
    assert expected in str(refused.value)
    assert SECRET not in str(refused.value)


def test_everything_wrong_with_all_hooks_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    hooks = {"a": POSTMARK | {"secrets": ["short"], "contact": "x"}, "b": {"provider": "pigeon"}, "C": POSTMARK}
    with pytest.raises(InputError) as refused:
        _load(monkeypatch, hooks)
    for path in ("a.secrets.0: ", "a.contact: ", "b.provider: ", "not 'C'"):
        assert path in str(refused.value)
