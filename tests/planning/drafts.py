"""Plans over a log in memory."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

from streams.planning.plan import Plan
from streams.planning.planner import Built, Planner, PlanPorts
from streams.planning.room import Filled
from streams.ports import LogBounds, RawRecord
from streams.segmentation import compile_definitions
from tests.engine.stories import DEFINITIONS
from tests.engine.world import World

UNBOUNDED = Filled(0, 0)


def edited(**segments: Any) -> dict[str, Any]:
    """The definitions with other segments; None removes one."""
    data = copy.deepcopy(DEFINITIONS)
    for name, body in segments.items():
        if body is None:
            del data["segments"][name]
        else:
            data["segments"][name] = body
    return data


def ports_of(world: World, filled: Callable[[], Filled] = lambda: UNBOUNDED) -> PlanPorts:
    """The way to a world's log and state."""

    async def room(partition: int) -> Filled:
        assert partition in world.history.logs
        return filled()

    def bounds() -> dict[int, LogBounds]:
        return {
            partition: LogBounds(log[0].offset, log[-1].offset + 1) for partition, log in world.history.logs.items()
        }

    return PlanPorts(
        topic="tracking",
        builds=world.builds,
        generations=world.generations,
        history=world.history,
        bounds=bounds,
        room=room,
    )


def planner_of(
    world: World,
    data: dict[str, Any],
    *,
    filled: Callable[[], Filled] = lambda: UNBOUNDED,
    short: bool = False,
    on_progress: Callable[[Built], None] = lambda _built: None,
) -> Planner:
    """A planner for definitions, on a world."""
    planner = Planner(ports_of(world, filled), compile_definitions(data), accept_short_history=short)
    planner.on_progress = on_progress
    return planner


async def plan_over(world: World, records: Sequence[RawRecord], data: dict[str, Any]) -> Plan:
    """The plan for definitions after all of `records`."""
    await world.fold([records])
    return await planner_of(world, data).plan()


def moves_in(plan: Plan) -> dict[str, tuple[str, int, int, int, int]]:
    """By segment: what becomes of it, members before and after, and how many enter and leave."""
    return {
        each.name: (each.kind, each.members_before, each.members_after, each.entering, each.leaving)
        for each in plan.segments
    }
