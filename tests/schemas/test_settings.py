"""Settings: checked at once, bounded, described, and listed on a page that is current."""

from __future__ import annotations

import pytest

from schemas.errors import InputError
from schemas.settings import CommonSettings, load_settings
from tests.support.settings_page import PAGE, bounds, is_number, own_fields, render, settings_classes

FIELDS = [(kind, name, field) for kind in settings_classes() for name, field in own_fields(kind).items()]
IDS = [f"{kind.__name__}.{name}" for kind, name, _ in FIELDS]


def test_the_settings_page_is_current() -> None:
    assert PAGE.read_text() == render(), "stale: run `make generate` and commit what it changes"


def test_the_programs_have_settings_of_their_own() -> None:
    assert {"CommonSettings", "WorkerSettings", "CollectorSettings", "WebhookSettings"} <= {
        kind.__name__ for kind in settings_classes()
    }


@pytest.mark.parametrize(("kind", "name", "field"), FIELDS, ids=IDS)
def test_a_setting_is_described_in_a_sentence(kind: type[CommonSettings], name: str, field: object) -> None:
    description = kind.model_fields[name].description
    assert description is not None, field
    assert description.endswith((".", ".`"))


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, name, field in FIELDS if is_number(field)])
def test_a_number_is_bounded_on_both_sides(kind: type[CommonSettings], name: str) -> None:
    found = bounds(kind.model_fields[name])
    assert {"ge", "gt"} & set(found)
    assert {"le", "lt"} & set(found)


def test_everything_wrong_is_named_at_once_and_no_value_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGUE_NAMESPACE", "Not A Name: s3cret")
    monkeypatch.setenv("SEGUE_LOG_LEVEL", "loud-s3cret")
    with pytest.raises(InputError) as refused:
        load_settings(CommonSettings)
    assert "SEGUE_NAMESPACE: " in str(refused.value)
    assert "SEGUE_LOG_LEVEL: " in str(refused.value)
    assert "s3cret" not in str(refused.value)


def test_the_password_in_the_address_of_redis_is_not_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGUE_REDIS_URL", "redis://:s3cret@127.0.0.1:6379/0")
    settings = load_settings(CommonSettings)
    assert "s3cret" not in repr(settings)
    assert "s3cret" in settings.redis_url.get_secret_value()


def test_variables_of_others_are_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGUE_SOMETHING_ELSE", "1")
    assert load_settings(CommonSettings).namespace == ""
