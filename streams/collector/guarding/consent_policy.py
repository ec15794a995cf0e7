"""Consent at the door: which purposes an event needs, by a file, and whether the call itself says they are granted.

The collector keeps nothing of contacts, so it knows of their consent what a call says, and nothing else. What a
contact has decided at other times is a condition of segments (`consent:`).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from schemas.errors import InputError
from schemas.expectations import EVENT_NAME_PATTERN, expectation

RULES_MAX = 200
_Purpose = Annotated[str, StringConstraints(min_length=1, max_length=128)]
_EventName = Annotated[str, StringConstraints(pattern=EVENT_NAME_PATTERN)]
JsonObject: TypeAlias = dict[str, Any]
Without: TypeAlias = Literal["count", "drop"]


class ConsentRule(BaseModel):
    """What some kinds of event need. What it does not name, it holds for whatever it is."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    sources: list[str] | None = Field(default=None, description="Sources of the records.", min_length=1)
    types: list[Literal["track", "identify"]] | None = Field(default=None, description="Types of record.", min_length=1)
    events: list[_EventName] | None = Field(default=None, description="Names of events.", min_length=1)
    needs: list[_Purpose] = Field(description="Purposes, all of which must be granted; none: the event is let in.")
    without: Without = Field(
        default="drop",
        description="What is left where one is not: `count`, how many of its name; `drop`, not even that.",
    )
    unsaid: Literal["granted", "denied"] = Field(
        default="denied", description="What a purpose is taken for of which the call says nothing."
    )

    def holds_for(self, body: JsonObject, source: str) -> bool:
        """Whether this rule is about a record."""
        return (
            (self.sources is None or source in self.sources)
            and (self.types is None or body["type"] in self.types)
            and (self.events is None or body.get("event") in self.events)
        )

    def is_met(self, granted: Mapping[str, bool]) -> bool:
        """Whether all purposes are granted by what a call says."""
        unsaid = self.unsaid == "granted"
        return all(granted.get(purpose, unsaid) for purpose in self.needs)


class ConsentPolicy(BaseModel):
    """Rules, of which the first that is about a record decides; a record that none is about needs nothing."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    version: Literal[1]
    rules: list[ConsentRule] = Field(max_length=RULES_MAX)

    def withheld(self, body: JsonObject, source: str, context: JsonObject) -> Without | None:
        """What is left of a record whose call does not say what it needs; None where it may be written."""
        rule = self._about(body, source)
        return None if rule is None or rule.is_met(said_in(context)) else rule.without

    def without_identity(self, body: JsonObject, source: str) -> Without:
        """What is left of a record that is nobody's: it cannot be written, whatever was consented to."""
        rule = self._about(body, source)
        return "count" if rule is None or not rule.needs else rule.without

    def _about(self, body: JsonObject, source: str) -> ConsentRule | None:
        return next((rule for rule in self.rules if rule.holds_for(body, source)), None)


def said_in(context: JsonObject) -> dict[str, bool]:
    """The decisions in a context: `consent.categoryPreferences`, as Segment has it, or `consent` itself."""
    consent = context.get("consent")
    if not isinstance(consent, dict):
        return {}
    preferences = consent.get("categoryPreferences", consent)
    if not isinstance(preferences, dict):
        return {}
    return {purpose: granted for purpose, granted in preferences.items() if isinstance(granted, bool)}


def read_consent_policy(path: Path) -> ConsentPolicy:
    """The policy in a YAML file. Raises `InputError` with the place in the file and what was expected there."""
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"SEGUE_CONSENT: {path} cannot be read: {error}") from None
    except (yaml.YAMLError, RecursionError) as error:
        raise InputError(f"SEGUE_CONSENT: {path}: expected YAML: {' '.join(str(error).split())}") from None
    try:
        return ConsentPolicy.model_validate(found)
    except ValidationError as error:
        problems = [_problem(problem["loc"], problem) for problem in error.errors(include_url=False)]
        raise InputError(f"SEGUE_CONSENT: {path}: " + "; ".join(problems)) from None


def _problem(loc: tuple[int | str, ...], problem: Mapping[str, Any]) -> str:
    place = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in loc).removeprefix(".")
    found = "" if problem["type"] == "missing" else f", found {problem['input']!r:.80}"
    return f"{place or 'the file'}: {expectation(problem)}{found}"
