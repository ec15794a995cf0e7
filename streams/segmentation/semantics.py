"""Which meanings of definitions this program knows, and the core of each.

The same text may come to mean something else in a later version of Segue. That is a change like any other: it begins at
a `definitions` record which names the new version, so that the log says what holds where. A version that is known can
be folded, and be changed from; one that is not stops whoever meets it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from schemas.errors import InputError
from streams.segmentation.core import Core
from streams.segmentation.definitions import SEMANTICS_VERSION, Definitions
from streams.segmentation.rehearsal import RehearsingCore


class Cores(NamedTuple):
    """What folds definitions of one version of the semantics."""

    telling: Callable[[Definitions], Core]
    rehearsing: Callable[[Definitions], RehearsingCore]


KNOWN_SEMANTICS: dict[str, Cores] = {SEMANTICS_VERSION: Cores(Core, RehearsingCore)}
"""By version. Whoever raises `SEMANTICS_VERSION` keeps the cores of before here, for as long as logs may hold them."""


def core_of(definitions: Definitions) -> Core:
    """The core for definitions. Raises `InputError` where the version of their semantics is not known."""
    return _cores(definitions.semantics, "definitions").telling(definitions)


def rehearsing_core_of(definitions: Definitions) -> RehearsingCore:
    """The core for a history that nobody is told of. Raises as `core_of` does."""
    return _cores(definitions.semantics, "definitions").rehearsing(definitions)


def check_semantics(version: str, subject: str) -> None:
    """Raises `InputError` where a version is not known; `subject` is what was written for it, and where it lies."""
    _cores(version, subject)


def _cores(version: str, subject: str) -> Cores:
    if version not in KNOWN_SEMANTICS:
        raise InputError(
            f"{subject} were written for version {version} of the semantics, this program knows "
            f"{', '.join(KNOWN_SEMANTICS)}: run a newer version of Segue"
        )
    return KNOWN_SEMANTICS[version]
