"""A consumer under supervision that writes down what it hears, over all the processes that it was."""

from __future__ import annotations

import json
from collections.abc import Sequence

from schemas.errors import EXIT_UNAVAILABLE
from schemas.topics import HEADER_TRANSITION_ID
from streams.ports import Message
from tests.audit.auditor import past_the_gate
from tests.support.processes import Commands, StartedCommand
from tests.support.waiting import wait_until

_QUICK = {"SEGUE_CONSUMER_SESSION_TIMEOUT_MS": "2000", "SEGUE_CONSUMER_COMMIT_INTERVAL_MS": "200"}
_OVERTAKEN = "another consumer of this name"
_TIMEOUT_S = 60


class Listener:
    """`segue consumer log`, started again whenever it was killed or ended for want of Kafka or Redis."""

    def __init__(self, commands: Commands) -> None:
        self._commands = commands
        self._processes = [self._start()]
        self.problems: list[str] = []

    def kill(self) -> None:
        """`kill -9`; another one goes on."""
        self._processes[-1].kill()
        self.look()

    def look(self) -> None:
        """Start it again where it has ended."""
        code = self._processes[-1].returncode
        if code is None:
            return
        last = self._processes[-1].stderr.strip().splitlines()[-1:]
        if not (code < 0 or code == EXIT_UNAVAILABLE or _OVERTAKEN in "".join(last)):
            self.problems.append(f"the consumer ended with {code}: {''.join(last)}")
        self._processes.append(self._start())

    def settle(self, output: Sequence[Sequence[Message]]) -> list[str]:
        """Wait until it has heard all of `output`, by partition; what was wrong with all that it ever heard."""
        wanted = [[dict(message.headers)[HEADER_TRANSITION_ID].decode() for message in past_the_gate(log)[0]]
                  for log in output]  # fmt: skip

        def heard_all() -> bool:
            self.look()
            heard = {each for ids in self._heard(len(wanted)) for each in ids}
            return all(each in heard for ids in wanted for each in ids)

        try:
            wait_until(heard_all, _TIMEOUT_S, "all transitions heard by the consumer")
        except AssertionError:
            self.problems.append(f"lost: a consumer did not hear all within {_TIMEOUT_S} s")
        for partition, ids in enumerate(self._heard(len(wanted))):
            # What was under way as it died comes again, in its order; nothing comes for the first time out of order.
            if list(dict.fromkeys(ids)) != wanted[partition][: len(dict.fromkeys(ids))]:
                self.problems.append(f"partition {partition}: a consumer heard what was not next")
        return self.problems

    def _start(self) -> StartedCommand:
        return self._commands.start("consumer", "log", "--from", "beginning", environment=_QUICK)

    def _heard(self, partitions: int) -> list[list[str]]:
        heard: list[list[str]] = [[] for _ in range(partitions)]
        for process in self._processes:
            *whole, _cut = process.stdout.split("\n")
            for line in whole:
                body = json.loads(line)
                place = body["cause"]["position"].partition("@")[0].rpartition("-")[2]
                heard[int(place)].append(body["transition_id"])
        return heard
