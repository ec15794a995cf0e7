"""The pure core: definitions, contacts, scores, windows and timers as functions of the log.

Nothing in this package reads a clock, a socket, a random number or a log file: `now` is an argument.
"""

from streams.segmentation import core
from streams.segmentation.canonical import contact_key
from streams.segmentation.contact import Contact
from streams.segmentation.core import Core
from streams.segmentation.definitions import (
    SEMANTICS_VERSION,
    Definitions,
    Segment,
    compile_definitions,
    parse_canonical,
)
from streams.segmentation.fold import Fold
from streams.segmentation.outcomes import Outcome
from streams.segmentation.problems import DefinitionsError, Problem
from streams.segmentation.rehearsal import RehearsingCore
from streams.segmentation.semantics import KNOWN_SEMANTICS, Cores, check_semantics, core_of, rehearsing_core_of
from streams.segmentation.steps import Step
from streams.segmentation.succession import Succession


def is_compiled() -> bool:
    """Whether this is the compiled core. It decides on nothing but speed."""
    return not core.__file__.endswith(".py")


__all__ = [
    "KNOWN_SEMANTICS",
    "SEMANTICS_VERSION",
    "Contact",
    "Core",
    "Cores",
    "Definitions",
    "DefinitionsError",
    "Fold",
    "Outcome",
    "Problem",
    "RehearsingCore",
    "Segment",
    "Step",
    "Succession",
    "check_semantics",
    "compile_definitions",
    "contact_key",
    "core_of",
    "is_compiled",
    "parse_canonical",
    "rehearsing_core_of",
]
