"""Which definitions held in a partition, and from where on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from schemas.records import definitions_identity


class Version(msgspec.Struct, frozen=True, gc=False):
    """Definitions that came to hold, as the record that brought them says."""

    number: int
    hash: str
    offset: int
    """Of the record."""
    clock_ms: int
    """The partition's clock at it."""
    author: str = ""
    message: str = ""
    silent: bool = False
    short_history: bool = False
    """Whether they were to hold also where the start of the log was gone."""
    semantics: str = "1"
    """Version of the semantics that they were written for; what was stored while there was one does not say it."""

    @property
    def identity(self) -> str:
        """Of the definitions."""
        return definitions_identity(self.hash, self.semantics)


class Former(NamedTuple):
    """The state that served before the last change of definitions."""

    generation: int
    definitions: str  # canonical text


def is_telling(former: Former | None, versions: Sequence[Version], offset: int) -> bool:
    """Whether the last change of definitions is made, and not all is told yet that it makes different.

    `offset` is that of the next record to apply.
    """
    return former is not None and bool(versions) and versions[-1].offset == offset
