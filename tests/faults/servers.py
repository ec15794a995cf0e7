"""A broker and a pair of Redis servers to do harm to, with lines that lead to whichever Redis is the master."""

from __future__ import annotations

import time

from tests.faults.line import Line
from tests.support.brokers import QUICK_RETURN, start_broker
from tests.support.redis_servers import LocalRedis
from tests.support.run_directory import RunDirectory
from tests.support.waiting import wait_until


class Servers:
    """What a run of chaos works on."""

    def __init__(self, run: RunDirectory) -> None:
        self._run = run
        self.broker = start_broker(run, QUICK_RETURN)
        self.master = LocalRedis(run)
        self.master.start()
        self.line = Line(self.master.port)  # the workers'
        self.view = Line(self.master.port)  # the observer's, which nobody breaks

    def fail_over(self, lag_s: float) -> None:
        """Let a replica fall behind by so much, then put it in the place of the master, which dies."""
        link, replica = Line(self.master.port), LocalRedis(self._run)
        replica.start()
        client = replica.client()
        client.replicaof("127.0.0.1", str(link.port))
        wait_until(lambda: client.info("replication")["master_link_status"] == "up", 30, "the replica in step")
        link.hold()
        pause(lag_s)
        self.master.kill()
        link.cut()
        client.replicaof("NO", "ONE")
        client.close()
        link.close()
        self.master = replica
        self.line.lead_to(replica.port)
        self.view.lead_to(replica.port)

    def set_back(self, by_s: float) -> None:
        """Let Redis forget what it took in the last seconds."""
        older = self.master.snapshot()
        pause(by_s)
        self.master.roll_back(older)

    def starve(self, for_s: float) -> None:
        """Grant Redis no memory for a while."""
        client = self.master.client()
        client.config_set("maxmemory", 1)
        pause(for_s)
        client.config_set("maxmemory", 0)
        client.close()


def pause(seconds: float) -> None:
    """Let so much time pass."""
    until = time.monotonic() + seconds
    wait_until(lambda: time.monotonic() >= until, seconds + 10, "time passing")
