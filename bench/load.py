"""`python -m bench.load PLAN.json`: the load as a process of its own, which writes down what came of it.

The plan names where (`port` of the collector, or `servers`, `topic` and `partitions` of the log), what (`kind`), how
long (`seconds`), and at which pace (`per_second`, of requests or records; none: as fast as answers come).
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from bench.keep_alive import Answers, KeepAliveClient
from bench.pacing import Schedule
from bench.requests import Kind, one_in_ten, requests_of, shop_event, transition_event
from bench.traffic import Traffic
from tests.support.processes import Commands, StartedCommand

_LEAD_NS = 50_000_000


@dataclass(frozen=True)
class Plan:
    """What to send to whom; `kind` "append" writes to the log itself."""

    kind: Kind | Literal["append"]
    seconds: float
    per_second: float | None = None
    port: int = 0
    connections: int = 16
    traffic: Literal["shop", "transitions", "newcomers"] = "shop"
    """A shop's events; one event in ten causes a transition; each is the one event of a new contact (in the log)."""
    servers: str = ""
    topic: str = ""
    partitions: int = 0


@dataclass(frozen=True)
class Outcome:
    """What came of a plan: instants are nanoseconds of the machine's monotonic clock."""

    statuses: dict[str, int]
    took_s: float
    waits_ns: list[int]
    due_ns: list[int]
    """When each was due, by number; empty without a pace."""
    answered_ns: dict[str, int]
    waiting_most: int

    @property
    def good(self) -> int:
        """Answers with status 200."""
        return self.statuses.get("200", 0)


class StartedLoad:
    """A load under way."""

    def __init__(self, commands: Commands, plan: Plan, directory: Path) -> None:
        number = time.monotonic_ns()
        self._seconds = plan.seconds
        self._outcome = directory / f"load-{number}.outcome"
        file = directory / f"load-{number}.json"
        file.write_text(json.dumps(asdict(plan) | {"outcome": str(self._outcome)}))
        self.process: StartedCommand = commands.start_module("bench.load", str(file))

    def outcome(self) -> Outcome:
        """Wait for its end; what came of it."""
        code = self.process.wait(self._seconds + 120)
        assert code == 0, self.process.tail()
        return Outcome(**json.loads(self._outcome.read_text()))


def carry_out(plan: Plan) -> Outcome:
    """Send what is planned."""
    if plan.kind == "append":
        return _append(plan)
    event = transition_event if plan.traffic == "transitions" else shop_event
    client = KeepAliveClient(("127.0.0.1", plan.port), plan.connections, requests_of(plan.kind, event))
    if plan.per_second is None:
        return _told(client.closed_loop(plan.seconds), [])
    schedule = _schedule(plan)
    answers = client.open_loop(schedule)
    client.close()
    return _told(answers, [schedule.due_ns(number) for number in range(schedule.total)])


def _append(plan: Plan) -> Outcome:
    schedule = _schedule(plan)
    traffic = Traffic(plan.servers, plan.topic, plan.partitions, schedule.total, prefix="visitor")
    while (wait_s := schedule.wait_s(time.monotonic_ns())) is not None:
        time.sleep(wait_s)
        for number, _ in schedule.ready(time.monotonic_ns()):
            contact, event = (number, "cart_add") if plan.traffic == "newcomers" else one_in_ten(number)
            traffic.write(time.time_ns() // 1_000_000, stamp=False, contact=contact, event=event)
        traffic.poll()
    traffic.flush()
    due = [schedule.due_ns(number) for number in range(schedule.total)]
    return Outcome({}, (time.monotonic_ns() - schedule.begun_ns) / 1e9, [], due, {}, 0)


def _schedule(plan: Plan) -> Schedule:
    assert plan.per_second is not None
    return Schedule(time.monotonic_ns() + _LEAD_NS, plan.per_second, int(plan.per_second * plan.seconds))


def _told(answers: Answers, due_ns: list[int]) -> Outcome:
    statuses = {str(status): count for status, count in answers.statuses.items()}
    answered = {str(number): instant for number, instant in answers.answered_ns.items()} if due_ns else {}
    return Outcome(statuses, answers.took_s, answers.waits_ns, due_ns, answered, answers.waiting_most)


def main() -> None:
    """Read the plan, carry it out, and write what came of it."""
    plan: dict[str, Any] = json.loads(Path(sys.argv[1]).read_text())
    target = Path(plan.pop("outcome"))
    target.write_text(json.dumps(asdict(carry_out(Plan(**plan)))))


if __name__ == "__main__":
    main()
