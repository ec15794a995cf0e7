"""All faults of a run of chaos, how often each comes, and how long what it harms may take to be well again."""

from __future__ import annotations

import random
import signal
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from tests.faults.calls import Calls
from tests.faults.detecting import Detectors
from tests.faults.failpoints import ALWAYS_PASSED, POINTS_OF_A_CHANGE, Action, Trap
from tests.faults.listener import Listener
from tests.faults.servers import Servers, pause
from tests.faults.stage import SESSION_S, Stage


class Kind(NamedTuple):
    """A fault: what it does, and how often it comes compared with the others."""

    inject: Callable[[Mix], None]
    weight: float
    heavy: bool  # its recovery is waited for, most times


@dataclass
class Mix:
    """Draws faults for a stage, and does them."""

    servers: Servers
    stage: Stage
    calls: Calls
    listener: Listener
    detectors: Detectors
    chance: random.Random
    done: Counter[str] = field(default_factory=Counter)
    last: str = "nothing"

    def strike(self) -> Kind:
        """Do one fault; returns which it was."""
        name = self.chance.choices(list(KINDS), [kind.weight for kind in KINDS.values()])[0]
        self.last = name
        KINDS[name].inject(self)
        self.done[name] += 1
        return KINDS[name]

    @property
    def anybody(self) -> int:
        """The number of one of the workers."""
        return self.chance.randrange(len(self.stage.crew.members))

    def between(self, least_s: float, most_s: float) -> float:
        """Some time."""
        return self.chance.uniform(least_s, most_s)

    def script_flush(self) -> None:
        client = self.servers.master.client()
        client.script_flush()
        client.close()

    def flush_all(self) -> None:
        client = self.servers.master.client()
        client.flushall()
        client.close()

    def hang_line(self) -> None:
        self.servers.line.hold()
        pause(self.between(0.1, 2.0))
        self.servers.line.let_go()

    def hang_redis(self) -> None:
        self.servers.master.pause()
        pause(self.between(0.1, 7.0))
        self.servers.master.resume()

    def trap(self, action: Action, points: tuple[str, ...] = tuple(ALWAYS_PASSED), *, most_passings: int = 10) -> None:
        """Put a worker with a trap in the place of another; it counts when it is sprung."""
        passing = self.chance.randint(1, most_passings)
        where = self.chance.choice(points)
        self.stage.crew.replace(self.anybody, Trap(where, action, passing))

    def flaky(self) -> None:
        """A worker to whom calls of Redis and of the tails fail now and then, and who dies some time."""
        calls = ("take", "load", "commit", "trim", "outbox", "tail", "dead_letter_tail")
        points = [point for point in ALWAYS_PASSED if point.split(".")[0] in calls]
        self.stage.crew.replace(self.anybody, *(Trap(point, "away", chance=0.01) for point in points))

    def change_cut_short(self) -> None:
        """Definitions change twice, and a worker dies or hangs at a step of it that it comes to first."""
        self.trap(self.chance.choice(("kill", "stop")), tuple(POINTS_OF_A_CHANGE), most_passings=2)
        for _ in range(2):
            self.stage.change()
            pause(self.between(0.3, 1.5))
        pause(self.between(0.0, 1.5 * SESSION_S))
        self.stage.crew.resume_all()

    def zombie(self) -> None:
        """A worker that hangs at a write for longer than its session, and wakes up."""
        before = len(self.stage.crew.sprung)
        self.trap("stop", tuple(point for point in ALWAYS_PASSED if not point.endswith("answered")))
        for _ in range(40):
            if len(self.stage.crew.sprung) > before:
                break
            pause(0.1)
        pause(SESSION_S + self.between(0.0, 3.0))
        self.stage.crew.resume_all()

    def hang_worker(self) -> None:
        self.stage.crew.pause(self.anybody)
        pause(self.between(0.1, 1.5 * SESSION_S))
        self.stage.crew.resume_all()

    def kill_detector(self) -> None:
        self.detectors.kill(self.chance.randrange(len(self.detectors.running)))

    def hang_detector(self) -> None:
        """One hangs, mostly for longer than its session: the other one takes over, and both write what they found."""
        hanging = self.chance.choice(self.detectors.running)
        hanging.pause()
        pause(self.between(0.1, 2.5 * SESSION_S))
        hanging.resume()

    def stop_worker(self) -> None:
        self.stage.crew.replace(self.anybody, by=signal.SIGTERM)

    def restart_broker(self) -> None:
        self.servers.broker.stop()
        self.servers.broker.start()

    def kill_broker(self) -> None:
        self.servers.broker.kill()
        self.servers.broker.start()

    def long_without_broker(self) -> None:
        self.servers.broker.kill()
        pause(30)
        self.servers.broker.start()

    def collector_without_broker(self) -> None:
        """It takes calls into its spool, dies, takes more, and has all of them written afterwards."""
        self.servers.broker.kill()
        for _ in range(2):
            pause(self.between(0.0, 10.0))
            self.calls.kill_collector()
        pause(self.between(0.0, 10.0))
        self.servers.broker.start()

    def hang_broker(self) -> None:
        self.servers.broker.pause()
        pause(self.between(0.2, 6.0))
        self.servers.broker.resume()


KINDS: dict[str, Kind] = {
    "scripts forgotten": Kind(Mix.script_flush, 16, heavy=False),
    "connections cut": Kind(lambda mix: mix.servers.line.cut(), 16, heavy=False),
    "reply lost": Kind(lambda mix: mix.servers.line.lose_replies(), 16, heavy=False),
    "request cut in half": Kind(lambda mix: mix.servers.line.lose_requests(), 16, heavy=False),
    "Redis emptied": Kind(Mix.flush_all, 6, heavy=True),
    "Redis killed": Kind(lambda mix: mix.servers.master.restart(), 4, heavy=True),
    "Redis set back": Kind(lambda mix: mix.servers.set_back(mix.between(0.1, 1.5)), 3, heavy=True),
    "Redis without memory": Kind(lambda mix: mix.servers.starve(mix.between(0.1, 1.5)), 3, heavy=True),
    "Redis failed over": Kind(lambda mix: mix.servers.fail_over(mix.between(0.0, 1.0)), 2, heavy=True),
    "Redis hung": Kind(Mix.hang_redis, 2, heavy=True),
    "line hung": Kind(Mix.hang_line, 3, heavy=True),
    "worker killed": Kind(lambda mix: mix.stage.crew.kill(mix.anybody), 7, heavy=True),
    "worker killed, the next to die at a point": Kind(lambda mix: mix.trap("kill"), 7, heavy=True),
    "worker killed, the next with a bug": Kind(lambda mix: mix.trap("bug"), 2, heavy=True),
    "worker killed, to the next calls fail": Kind(Mix.flaky, 3, heavy=True),
    "definitions changed": Kind(lambda mix: mix.stage.change(), 8, heavy=False),
    "change of definitions cut short": Kind(Mix.change_cut_short, 6, heavy=True),
    "worker stopped": Kind(Mix.stop_worker, 3, heavy=True),
    "worker hung": Kind(Mix.hang_worker, 3, heavy=True),
    "zombie": Kind(Mix.zombie, 2, heavy=True),
    "broker restarted": Kind(Mix.restart_broker, 1, heavy=True),
    "broker killed": Kind(Mix.kill_broker, 1, heavy=True),
    "broker away for 30 s": Kind(Mix.long_without_broker, 0.2, heavy=True),
    "broker away, the collector killed twice meanwhile": Kind(Mix.collector_without_broker, 0.5, heavy=True),
    "collector killed": Kind(lambda mix: mix.calls.kill_collector(), 3, heavy=False),
    "consumer killed": Kind(lambda mix: mix.listener.kill(), 3, heavy=False),
    "detector killed": Kind(Mix.kill_detector, 5, heavy=False),
    "detector hung": Kind(Mix.hang_detector, 2, heavy=False),
    "broker hung": Kind(Mix.hang_broker, 2, heavy=True),
}
