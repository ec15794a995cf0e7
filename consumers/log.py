"""`segue consumer log`: one JSON line on standard output for each transition."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext

import click

from consumers.arrivals import Arrival
from consumers.options import common_options, role_of
from consumers.runner import Mode, Surroundings, configure_logging, run_consumer
from consumers.settings import ConsumerSettings
from consumers.sink import Delivery, Outcome, Sink
from consumers.start import From
from schemas.errors import UnavailableError
from schemas.settings import load_settings

log = logging.getLogger(__name__)


class LogSink:
    """Writes lines to a file descriptor, past any buffer: a line is written when its transition counts as settled."""

    concurrency = 1

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def lane(self, arrival: Arrival) -> str:  # noqa: ARG002 - all lines of a partition keep their order
        return ""

    def admission(self) -> AbstractAsyncContextManager[None]:
        return nullcontext()

    async def attempt(self, delivery: Delivery) -> Outcome | None:
        arrival = delivery.arrival
        if arrival.transition is None:
            log.error("partition %d, offset %d: no valid transition, not written", arrival.partition, arrival.offset)
            return "unreadable"
        # In a thread: a reader that does not read must not keep the loop from anything else.
        await asyncio.to_thread(self._write, arrival.value + b"\n")
        return "delivered"

    def _write(self, line: bytes) -> None:
        rest = memoryview(line)
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except BrokenPipeError:
            raise UnavailableError("standard output was closed by its reader") from None


@asynccontextmanager
async def _make_sink(_surroundings: Surroundings) -> AsyncIterator[Sink]:
    yield LogSink(sys.stdout.fileno())


@click.command("log")
@common_options
def command(name: str | None, start: From | None, accept_gap: bool) -> None:
    """Print each transition as one JSON line.

    Lines of one partition come in order, each transition once; after a crash the last ones may come again.
    Everything else that there is to say goes to standard error.

    \b
    Examples:
      segue consumer log
      segue consumer log --from beginning | jq 'select(.type == "segment.entered")'
      segue consumer log --name audit --from end >> transitions.jsonl
    """
    settings = load_settings(ConsumerSettings)
    configure_logging(settings)
    run_consumer(settings, Mode(role_of("log", name), start, accept_gap), _make_sink)
