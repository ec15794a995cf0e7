"""Callers of the collector, and a journal of what it answered."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from pathlib import Path

import httpx

from streams.ports import Message
from tests.support.processes import Commands, StartedCommand
from tests.support.waiting import wait_until

_KEYS = {
    "SEGUE_WRITE_KEYS": '{"website": "website-write-key"}',
    "SEGUE_LINK_KEYS": '{"k1": "a-long-signing-secret"}',
    "SEGUE_COLLECTOR_CHECK_INTERVAL_MS": "250",
}
_PAUSE_S = 0.05
_CONTACTS_EACH = 5


class Calls:
    """A collector, and somebody who calls it until it is stopped; a call that is refused is not made again.

    With a `spool`, a directory, the collector takes calls also while Kafka is away.
    """

    def __init__(self, commands: Commands, spool: Path | None = None) -> None:
        self._commands = commands
        self._environment = _KEYS | ({} if spool is None else {"SEGUE_COLLECTOR_SPOOL_DIR": str(spool)})
        self._client = httpx.Client(auth=("website-write-key", ""), timeout=90)
        self.collector: StartedCommand
        self._start_collector()
        wait_until(lambda: self._client.get("/readyz").status_code == 200, 30, "the collector to be ready")
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="calls", daemon=True)
        self._number = 0
        self.answered: set[str] = set()
        self.refused = 0

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Call no more; returns when the last call was answered, and the spool has gone to Kafka."""
        self._stopped.set()
        self._thread.join()
        wait_until(self._spool_is_empty, 60, "the spool to be empty")
        self._client.close()

    def abandon(self) -> None:
        """Call no more, whatever becomes of the call under way."""
        self._stopped.set()

    def kill_collector(self) -> None:
        """`kill -9`; another one takes the calls."""
        self.collector.kill()
        self._start_collector()

    def missing(self, tracking: Sequence[Sequence[Message]]) -> list[str]:
        """What was answered with 200 and is not in the log, of which `tracking` is all, by partition."""
        written = [message.value or b"" for log in tracking for message in log]
        held = {json.loads(value)["event_id"] for value in written if b'"call-' in value}
        lost = self.answered - held
        return [f"lost: {len(lost)} events that the collector had acknowledged, such as {min(lost)}"] if lost else []

    def goes_on(self, timeout_s: float) -> None:
        """Wait until a call that is made from now on is taken."""
        taken = len(self.answered) + 1  # the one under way may have been made before
        wait_until(lambda: len(self.answered) > taken, timeout_s, "the collector taking calls")

    def _spool_is_empty(self) -> bool:
        return "\nsegue_collector_spool_bytes 0.0\n" in self._client.get("/metrics").text

    def _start_collector(self) -> None:
        self.collector = self._commands.start("collector", "--port", "0", environment=self._environment)
        self._client.base_url = self.collector.wait_for_output(r"listens on (http://127\.0\.0\.1:\d+)\n").group(1)

    def _run(self) -> None:
        while not self._stopped.wait(_PAUSE_S):
            self._number += 1
            name = f"call-{self._number}"
            event = {"messageId": name, "userId": f"caller-{self._number // _CONTACTS_EACH}", "event": "page_view"}
            try:
                answer = self._client.post("/v1/track", json=event)
            except httpx.HTTPError:
                self.refused += 1
                continue
            if answer.status_code == 200:
                self.answered.add(name)
            else:
                self.refused += 1
