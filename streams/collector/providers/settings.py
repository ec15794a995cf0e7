"""`SEGUE_HOOKS`: the hooks of providers, by name."""

from __future__ import annotations

import re
from typing import Annotated, TypeAlias

from pydantic import BeforeValidator, Discriminator, TypeAdapter, ValidationError
from pydantic_settings import NoDecode

from schemas.expectations import expectation
from streams.collector.providers.brevo import BrevoSettings
from streams.collector.providers.mailgun import MailgunSettings
from streams.collector.providers.postmark import PostmarkSettings
from streams.collector.providers.sendgrid import SendGridSettings
from streams.collector.providers.ses import SesSettings
from streams.named_settings import named_values

HOOKS_MAX = 64
PROVIDERS = ("sendgrid", "mailgun", "postmark", "ses", "brevo")

AnyHook: TypeAlias = SendGridSettings | MailgunSettings | PostmarkSettings | SesSettings | BrevoSettings
_HOOK: TypeAdapter[AnyHook] = TypeAdapter(Annotated[AnyHook, Discriminator("provider")])
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,31}")


def _hooks(value: object) -> object:
    if not isinstance(value, str):
        return value
    expected = 'expected a JSON object of hooks by name, like {"news": {"provider": "postmark", …}}'
    hooks = named_values(value, dict, expected)
    if len(hooks) > HOOKS_MAX:
        raise ValueError(f"expected at most {HOOKS_MAX} hooks")
    problems: list[str] = []
    made: dict[str, AnyHook] = {}
    for name, hook in hooks.items():
        if not _NAME.fullmatch(name):
            problems.append(f"expected names of a letter and up to 31 letters, digits, _ and -, not {name!r}")
            continue
        try:
            made[name] = _HOOK.validate_python(hook)
        except ValidationError as error:
            problems += _problems(name, hook, error)
    if problems:
        raise ValueError("; ".join(problems))
    return made


def _problems(name: str, hook: object, error: ValidationError) -> list[str]:
    """Each with its path; values are left out, since secrets are among them."""
    provider = hook.get("provider") if isinstance(hook, dict) else None
    problems = []
    for problem in error.errors(include_url=False, include_input=False):
        if problem["type"] in ("union_tag_invalid", "union_tag_not_found"):
            problems.append(f"{name}.provider: expected one of {', '.join(PROVIDERS)}")
            continue
        path = ".".join(str(step) for step in problem["loc"] if step != provider)
        told = "not a setting of this provider" if problem["type"] == "extra_forbidden" else expectation(problem)
        problems.append(f"{name}.{path}: {told}")
    return problems


Hooks = Annotated[dict[str, AnyHook], NoDecode, BeforeValidator(_hooks)]
"""Name → hook."""

HOOKS_DESCRIPTION = (
    "Hooks of e-mail providers by name, a JSON object; see `ops/email-providers.md`: "
    '`{"news": {"provider": "sendgrid", "public_keys": ["…"]}}` is called at `/hooks/sendgrid/news`.'
)
