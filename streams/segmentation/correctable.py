"""The part of a definition file that says which events can be corrected, and for how long."""

from __future__ import annotations

from typing import Any, NamedTuple

from pydantic import Field

from streams.segmentation.durations import Horizon
from streams.segmentation.problems import Findings, Spec
from streams.segmentation.quantities import Event
from streams.segmentation.wording import duration

DEFAULT_WITHIN_MS = 15 * 60_000
DEFAULT_EVENTS = ("email_open", "email_click")
_PATHS = ("property", "per")
"""Keys under which definitions name properties of events."""
_CONTEXT = "context."


class CorrectSpec(Spec):
    """Events that can be corrected after they were applied, and for how long."""

    within: Horizon | None = Field(
        default=None,
        description="For how long after it was applied; at most as long as `deduplicate`.",
        examples=["15m"],
    )
    events: list[Event] = Field(
        default=list(DEFAULT_EVENTS),
        description="Names of these events; none for an empty list.",
        examples=[list(DEFAULT_EVENTS)],
    )


class Correctable(NamedTuple):
    """What can be corrected."""

    within_ms: int
    """An event can be at a clock of at most so long after that at which it was applied."""
    events: frozenset[str]
    properties: frozenset[str]
    """Properties that the definitions look at: of all others nothing is kept. Of a path this is the first step."""
    context: frozenset[str]
    """Likewise in the context."""


def read_correctable(spec: CorrectSpec, deduplicate_ms: int, parts: Any) -> Correctable:
    """What can be corrected under a sound file with these scores and segments."""
    names = _paths(parts)
    return Correctable(
        min(DEFAULT_WITHIN_MS, deduplicate_ms) if spec.within is None else spec.within,
        frozenset(spec.events),
        frozenset(name.split(".")[0] for name in names if not name.startswith(_CONTEXT)),
        frozenset(name.split(".")[1] for name in names if name.startswith(_CONTEXT)),
    )


def check_correct(spec: CorrectSpec, deduplicate_ms: int, findings: Findings) -> None:
    """Note what is wrong with it beside the rest of the file."""
    if spec.within is not None and spec.within > deduplicate_ms:
        findings.add(
            "correct.within",
            duration(spec.within),
            f"expected at most what `deduplicate` says, {duration(deduplicate_ms)}: no older record is known by its id",
        )


def _paths(value: Any) -> list[str]:
    """All paths of properties that are named somewhere within."""
    if isinstance(value, dict):
        own = [each for key in _PATHS if isinstance(each := value.get(key), str)]
        return own + [path for each in value.values() for path in _paths(each)]
    return [path for each in value for path in _paths(each)] if isinstance(value, list) else []
