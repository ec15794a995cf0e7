"""What the OpenAPI document says of a way in: told beside the way, gathered by `openapi.py`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from pydantic import BaseModel

Security: TypeAlias = Literal["basic", "body", "query", "none"]
"""Where the write key is: the user name of Basic authentication; there or in the body; in the query; nowhere."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One status: what it means, and what its body is, a model or else a media type."""

    meaning: str
    body: type[BaseModel] | str | None = None


@dataclass(frozen=True, slots=True)
class Operation:
    """One way in, in words and models."""

    summary: str
    answers: Mapping[int, Answer]
    tag: str = "events"
    description: str = ""
    body: type[BaseModel] | None = None
    query: Mapping[str, str] = field(default_factory=dict)
    """Parameter → its meaning; all of them are texts and may be left out."""
    path: Mapping[str, str] = field(default_factory=dict)
    """Parameter of the path → its meaning."""
    security: Security = "none"
    content: tuple[str, ...] = ("application/json",)
    """How the body may be written."""
