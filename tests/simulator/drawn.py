"""Random simulations: drawn definitions and records, run with several partitions, or with few contacts at hand."""

from __future__ import annotations

import json
from collections.abc import Iterator

from schemas.transitions import Transition
from streams.segmentation import compile_definitions
from streams.simulation.simulator import CONTACTS_DECODED_MAX, BadLine, Simulator
from tests.oracle.drawn_conditions import LEAF_WRITERS
from tests.oracle.drawn_records import Case
from tests.oracle.writer import Taste

EVERYTHING = Taste(tuple(LEAF_WRITERS), max_segments=4, rich=True)


def simulated(
    case: Case, partitions: int = 1, contacts_decoded_max: int = CONTACTS_DECODED_MAX
) -> tuple[Simulator, list[Transition]]:
    """A simulation of the case, and its transitions in order."""
    simulator = Simulator(compile_definitions(case.file), partitions, contacts_decoded_max)
    return simulator, list(_transitions(simulator, case))


def _transitions(simulator: Simulator, case: Case) -> Iterator[Transition]:
    for result in simulator.feed(json.dumps(body).encode() for body in case.bodies):
        assert not isinstance(result, BadLine), result
        yield result
    if case.until is not None:
        yield from simulator.until(case.until)
