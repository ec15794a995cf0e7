"""The page on e-mail providers says what the code does."""

from __future__ import annotations

import json
import re

import pytest

from streams.collector.providers import brevo, mailgun, postmark, sendgrid, ses
from streams.collector.providers.provider import Meaning, Provider, SignedHookSettings
from streams.collector.providers.settings import AnyHook
from tests.collector.doubles import MemoryFetcher
from tests.collector.providers.hooks import HOOKS, hooks_setting
from tests.support.run_directory import CHECKOUT

PAGE = (CHECKOUT / "ops" / "email-providers.md").read_text()
TABLES = {
    "SendGrid": sendgrid.MEANINGS,
    "Mailgun": mailgun.MEANINGS,
    "Postmark": postmark.MEANINGS,
    "Amazon SES": ses.MEANINGS,
    "Brevo": brevo.MEANINGS,
}


def section(title: str) -> str:
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE)
    assert found is not None, title
    return found[1]


def written(meaning: Meaning) -> str:
    """As the tables write it."""
    if meaning.event is None:
        return "passed over"
    bounce = f", {meaning.bounce_type}" if meaning.bounce_type else ""
    return f"`{meaning.event}`{bounce}{', of a machine' if meaning.machine else ''}"


@pytest.mark.parametrize("title", TABLES)
def test_a_provider_s_table_has_every_type_with_what_becomes_of_it(title: str) -> None:
    rows = re.findall(r"^\| `([^`]+)` \| ([^|]+) \|", section(title), re.MULTILINE)
    assert rows == [(kind, written(meaning)) for kind, meaning in TABLES[title].items()]


def test_the_answers_on_the_page_are_those_of_the_providers() -> None:
    made: dict[str, Provider] = {hook.provider: connected(hook) for hook in hooks_setting().values()}
    order = ("sendgrid", "mailgun", "postmark", "ses", "brevo")
    text = section("What is answered")
    for row, statuses in {
        "can never be taken": [made[name].stop_status for name in order],
        "Kafka is away: come again": [made[name].busy_status for name in order],
    }.items():
        assert f"| {row} | " + " | ".join(str(status) for status in statuses) + " |" in text


def connected(hook: AnyHook) -> Provider:
    return hook.connect(MemoryFetcher())


def test_the_hooks_on_the_page_are_taken_once_they_have_keys() -> None:
    (text,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    hooks = json.loads(text)
    assert hooks_setting(hooks | {"newsletters": HOOKS["newsletters"]}).keys() == hooks.keys()
    assert hooks["newsletters"]["public_keys"][0][:20] == HOOKS["newsletters"]["public_keys"][0][:20]


def test_the_table_of_keys_is_complete_with_its_defaults() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| [^|]+\| ([^|]*?) ?\|", PAGE.split("## ")[0], re.MULTILINE))
    hooks = hooks_setting()
    assert set(rows) == {name for hook in hooks.values() for name in type(hook).model_fields}
    signed = [hook for hook in hooks.values() if isinstance(hook, SignedHookSettings)]
    assert rows["max_age_s"] == ", ".join(str(hook.max_age_s) for hook in signed)
    assert (rows["contact"], rows["contact_field"]) == ("`field`", "`contact_id`")
