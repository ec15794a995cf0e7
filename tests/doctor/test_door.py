"""What the doctor sees of the collector's settings, as they stand in its own environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.instants import parse_instant
from streams.cli.doctor_door import door_facts
from streams.collector.emails.machine_signs import load_signs

SECRET = "a-long-signing-secret"


def test_without_settings_there_are_segues_own_signs_and_nothing_else() -> None:
    facts = door_facts()
    assert (facts.problems, facts.signs_file) == ((), "Segue's own")
    assert facts.signs_as_of_ms == parse_instant(f"{load_signs(None).as_of.isoformat()}T00:00:00Z")
    assert (facts.link_keys, facts.hooks, facts.link_base_url_set) == (0, 0, False)


def test_keys_with_one_secret_hooks_and_a_file_of_signs_are_seen(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    signs = tmp_path / "signs.yaml"
    signs.write_text("as_of: 2026-03-01\n")
    monkeypatch.setenv("SEGUE_MACHINE_SIGNS", str(signs))
    monkeypatch.setenv("SEGUE_LINK_KEYS", f'{{"k1": "{SECRET}", "k2": "another-signing-secret", "k3": "{SECRET}"}}')
    monkeypatch.setenv("SEGUE_LINK_BASE_URL", "https://t.shop.example")
    monkeypatch.setenv("SEGUE_HOOKS", f'{{"alerts": {{"provider": "postmark", "secrets": ["{SECRET}"]}}}}')
    facts = door_facts()
    assert (facts.signs_file, facts.signs_as_of_ms) == (str(signs), parse_instant("2026-03-01T00:00:00Z"))
    assert (facts.link_keys, facts.twin_keys, facts.hooks) == (3, ("k1", "k3"), 1)
    assert (facts.link_base_url, facts.link_base_url_set) == ("https://t.shop.example", True)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("SEGUE_HOOKS", '{"alerts": {"provider": "pigeon"}}', "alerts.provider: expected one of"),
        ("SEGUE_LINK_KEYS", '{"k1": "hush"}', "expected at least 16 characters in the secret of 'k1'"),
        ("SEGUE_MACHINE_SIGNS", "/nowhere/signs.yaml", "/nowhere/signs.yaml"),
    ],
)
def test_a_setting_that_the_collector_would_not_start_with_is_a_problem(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(name, value)
    facts = door_facts()
    (problem,) = facts.problems
    assert said in problem
    assert "hush" not in problem
    assert facts.signs_as_of_ms is None
