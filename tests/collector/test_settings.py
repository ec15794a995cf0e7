"""Settings of the collector: bad ones are named all at once, and no secret is ever shown."""

from __future__ import annotations

import pytest

from schemas.errors import InputError
from schemas.settings import load_settings
from streams.collector.settings import CollectorSettings


def _load(monkeypatch: pytest.MonkeyPatch, **variables: str) -> CollectorSettings:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return load_settings(CollectorSettings)


def test_keys_are_read_from_json_and_hidden_when_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = _load(
        monkeypatch,
        SEGUE_WRITE_KEYS='{"website": "a-write-key"}',
        SEGUE_LINK_KEYS='{"k2": "the-newer-signing-secret", "k1": "the-older-signing-secret"}',
    )
    assert settings.write_keys["website"].get_secret_value() == "a-write-key"
    assert list(settings.link_keys) == ["k2", "k1"]
    assert "a-write-key" not in repr(settings)
    assert "signing-secret" not in repr(settings)


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ("a-write-key", "expected a JSON object"),
        ("{}", "expected a JSON object"),
        ('["a-write-key"]', "expected a JSON object"),
        ('{"website": "a-write-key", "app": "a-write-key"}', "another write key for each source"),
        ('{"website": "short"}', "at least 8 characters"),
        ('{"website": "a-write:key"}', "no colon"),
    ],
)
def test_bad_write_keys_are_refused_without_being_shown(
    monkeypatch: pytest.MonkeyPatch, keys: str, expected: str
) -> None:
    with pytest.raises(InputError) as refused:
        _load(monkeypatch, SEGUE_WRITE_KEYS=keys)
    assert "SEGUE_WRITE_KEYS" in str(refused.value)
    assert expected in str(refused.value)
    assert "a-write-key" not in str(refused.value)


def test_everything_wrong_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError) as refused:
        _load(
            monkeypatch,
            SEGUE_COLLECTOR_PORT="70000",
            SEGUE_COLLECTOR_QUEUE_RECORDS="1",
            SEGUE_COLLECTOR_DELIVERY_TIMEOUT_MS="soon",
        )
    for name in ("COLLECTOR_PORT", "COLLECTOR_QUEUE_RECORDS", "COLLECTOR_DELIVERY_TIMEOUT_MS"):
        assert f"SEGUE_{name}: " in str(refused.value)


def test_an_empty_directory_of_the_spool_is_none_and_not_where_the_collector_happens_to_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert _load(monkeypatch, SEGUE_COLLECTOR_SPOOL_DIR="").collector_spool_dir is None
