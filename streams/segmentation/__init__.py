"""The pure core: definitions, contacts, scores, windows and timers as functions of the log.

Nothing in this package reads a clock, a socket, a random number or a log file: `now` is an argument.
"""

from streams.segmentation.canonical import contact_key
from streams.segmentation.contact import Contact
from streams.segmentation.core import Core, Outcome
from streams.segmentation.definitions import (
    SEMANTICS_VERSION,
    Definitions,
    Segment,
    compile_definitions,
    parse_canonical,
)
from streams.segmentation.fold import Fold
from streams.segmentation.problems import DefinitionsError, Problem

__all__ = [
    "SEMANTICS_VERSION",
    "Contact",
    "Core",
    "Definitions",
    "DefinitionsError",
    "Fold",
    "Outcome",
    "Problem",
    "Segment",
    "compile_definitions",
    "contact_key",
    "parse_canonical",
]
