"""Everybody in a run: servers, workers and their supervisor, the consumer, and the operator who is called at need."""

from __future__ import annotations

import random
from collections import Counter

from consumers.window import Progress
from schemas.errors import InputError, SegueError, UnavailableError
from schemas.topics import Names
from tests.simulation.broker import Broker
from tests.simulation.consumer import Consumer, Heard
from tests.simulation.group import Coordinator
from tests.simulation.load import Load
from tests.simulation.network import Network
from tests.simulation.store import RedisServer
from tests.simulation.virtual_loop import VirtualLoop
from tests.simulation.worker import Surroundings, Worker

START_MS = 1_772_323_200_000
"""2026-03-01T00:00:00Z."""
_SKEWS_MS = (0, 0, -4_000, 90_000, -1_800_000, 1_800_000)
_RESTART_S = (0.3, 3.0)


class Cast:
    """Who takes part. Workers and the consumer that end are started again, as a supervisor would."""

    def __init__(self, loop: VirtualLoop, seed: str, partitions: int, contacts: int, changes: int) -> None:
        self.loop = loop
        self.names = Names("")
        self.broker = Broker(Network(loop, f"{seed}/kafka"), self.names, partitions, START_MS)
        self.redis = RedisServer(Network(loop, f"{seed}/redis"))
        self.group = Coordinator(loop, partitions, seed)
        self.around = Surroundings(self.names, self.broker, self.redis, self.group)
        self.load = Load(self.broker, seed, contacts, changes)
        self.faults: Counter[str] = Counter()
        self.ends: Counter[str] = Counter()
        self.problems: list[str] = []
        self.trace: list[str] = []
        self.heard: list[Heard] = []
        self._committed: dict[int, Progress] = {}
        self._chance = random.Random(f"{seed}/cast")
        self._workers: list[Worker] = []
        self._count = 0
        self._extra = 0
        self.consumer = self._start_consumer()

    def note(self, line: str) -> None:
        """Keep for whoever looks for the reason of a failure."""
        self.trace.append(f"{self.loop.time():9.3f} {line}")

    def running(self) -> list[Worker]:
        """Workers that live, also those that hang."""
        return [worker for worker in self._workers if not worker.process.dead]

    def start_worker(self, replaces: Worker | None = None) -> Worker:
        """A new worker process; one that is no replacement is started again by nobody when it stops."""
        self._count += 1
        process = self.loop.process(f"worker-{self._count}")
        process.on_death = lambda: self._died(worker)
        worker = Worker(self.around, process, self._chance.choice(_SKEWS_MS), self._ended)
        self._workers.append(worker)
        worker.start()
        self.note(f"{process.name} starts{f' for {replaces.process.name}' if replaces else ''}")
        return worker

    def heal(self) -> None:
        """All that is down comes back, and all that hangs goes on."""
        for network in (self.redis.network, self.broker.network):
            network.away = False
            network.weather.trouble = 0.0
        for worker in self.running():
            if worker.process.paused:
                worker.process.resume()

    def _died(self, worker: Worker) -> None:
        self.note(f"{worker.process.name} is killed")
        self.ends["killed"] += 1
        self._replace(worker)

    def _ended(self, worker: Worker, reason: SegueError | None) -> None:
        self.note(f"{worker.process.name} ends: {reason!r}")
        worker.process.on_death = lambda: None
        worker.process.kill()
        self.ends["asked to" if reason is None else type(reason).__name__] += 1
        if isinstance(reason, InputError):
            self._call_operator(str(reason))
        elif reason is not None and not isinstance(reason, UnavailableError):
            self.problems.append(f"{worker.process.name} ended by a bug: {reason}")
        self._replace(worker)

    def _replace(self, worker: Worker) -> None:
        self._workers.remove(worker)

        def start() -> None:
            if len(self.running()) < 2:
                self.start_worker(worker)

        self.loop.later(self._chance.uniform(*_RESTART_S), start)

    def _call_operator(self, sentence: str) -> None:
        """Does what the sentence of a worker that gave up asks for; what it does not explain is a problem."""
        if "segue fence reset" in sentence and self.faults["group_deleted"]:
            self.redis.reset_fences()
        elif ("the log begins at" in sentence or "not in the log any more" in sentence) and self.faults["log_cut"]:
            whole = [kept for kept in self.redis.snapshots if self._log_holds(kept.offset)]
            assert whole, "a snapshot was taken as the log was cut"
            self.redis.set_back(whole[-1])
        else:
            self.problems.append(f"a worker gave up without need: {sentence}")

    def _log_holds(self, offset_of: object) -> bool:
        assert callable(offset_of)
        return all(
            self.broker.log(self.names.tracking, partition).start <= offset_of(partition)
            for partition in range(self.broker.partitions)
        )

    def _start_consumer(self) -> Consumer:
        self._extra += 1
        process = self.loop.process(f"consumer-{self._extra}")
        process.on_death = self._consumer_died
        consumer = Consumer(self.around, process, self._committed, self.heard, self._consumer_ended)
        consumer.start()
        return consumer

    def _consumer_died(self) -> None:
        self.ends["consumer killed"] += 1
        self._consumer_again()

    def _consumer_ended(self, consumer: Consumer, reason: str) -> None:
        self.note(f"{consumer.process.name} ends: {reason}")
        self.ends["consumer stopped"] += 1
        if "another consumer of this name" not in reason:
            self.problems.append(f"the consumer stopped: {reason}")
        consumer.process.on_death = lambda: None
        consumer.process.kill()
        self._consumer_again()

    def _consumer_again(self) -> None:
        def start() -> None:
            self.consumer = self._start_consumer()

        self.loop.later(self._chance.uniform(*_RESTART_S), start)
