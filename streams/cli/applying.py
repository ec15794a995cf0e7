"""How `segue apply` changes definitions that hold: plan, ask, append to every partition, wait for the workers."""

from __future__ import annotations

import asyncio
import getpass
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version

import click
from pydantic import Field

from schemas.errors import InputError, UnavailableError
from schemas.records import DefinitionsRecord
from schemas.settings import CommonSettings
from streams.adapters.kafka.writer import KafkaWriter
from streams.cli.apply_lists import ListPublisher
from streams.cli.plan_shown import shown_plan
from streams.cli.planning import building_shown, check_room, plan_ports
from streams.cli.printing import print_shown
from streams.planning.held import Held
from streams.planning.plan import Plan
from streams.planning.planner import Planner, PlanPorts
from streams.planning.versions import definitions_of
from streams.segmentation import Definitions, parse_canonical
from streams.sending.applying import change_definitions
from streams.sending.log_start import numbers
from streams.sending.ports import Acknowledgement
from streams.settings import TicksMode

_LOOK_S = 0.2
_HINT_S = 15.0
_PATIENCE_S = 1_800.0


class ApplySettings(CommonSettings):
    """What `segue apply` must know of the workers."""

    ticks: TicksMode = Field(default="auto", description="As for the worker; with ticks off, `--at` is needed.")


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line asks for."""

    message: str
    author: str
    silent: bool
    accept_short_history: bool
    yes: bool
    wait: bool
    at_ms: int
    dry_run: bool
    quiet: bool

    def record(self, definitions: Definitions, number: int) -> DefinitionsRecord:
        """The record that brings definitions."""
        return DefinitionsRecord(
            type="definitions",
            definitions=definitions.canonical,
            hash=definitions.hash,
            number=number,
            author=self.author,
            message=self.message,
            silent=self.silent,
            accept_short_history=self.accept_short_history,
            semantics=definitions.semantics,
            tzdata=version("tzdata"),
        )


@dataclass(slots=True)
class Outcome:
    """What was done, by partition."""

    written: list[int]
    there: list[int]
    plan: Plan | None
    made: list[int] = field(default_factory=list)


def this_user() -> str:
    """Who runs this, as far as the machine knows."""
    return f"{getpass.getuser()}@{socket.gethostname()}"


def earlier_definitions(settings: CommonSettings, number: int) -> Definitions:
    """Definitions that held before, for the semantics of then: those of a number, or with 0 those before the newest.

    Raises `InputError` where there are none.
    """

    async def read() -> Definitions:
        async with plan_ports(settings) as ports:
            record = await definitions_of(ports, number)
            return parse_canonical(record.definitions, record.semantics)

    return asyncio.run(read())


def change(settings: ApplySettings, definitions: Definitions, asked: Asked, lists: ListPublisher | None) -> Outcome:
    """Let definitions hold in place of others. `lists` are published before that is written to the log.

    Raises `InputError` where nobody has agreed.
    """
    return asyncio.run(_change(settings, definitions, asked, lists))


async def _change(
    settings: ApplySettings, definitions: Definitions, asked: Asked, lists: ListPublisher | None
) -> Outcome:
    async with plan_ports(settings) as ports:
        planner = Planner(ports, definitions, accept_short_history=asked.accept_short_history)
        held = await planner.look()
        there = [partition for partition, one in held.items() if one.identity == definitions.identity]
        plan = None
        if not there:
            await planner.check()
            await check_room(settings, ports, quiet=asked.quiet)
            with building_shown(asked.quiet) as planner.on_progress:
                plan = await planner.plan()
            plan.lists = [] if lists is None else lists.moves()
        outcome = Outcome([partition for partition in held if partition not in there], there, plan)
        if not outcome.written:
            if lists is not None and not asked.dry_run:
                lists.publish()
            return outcome
        if plan is not None and not asked.quiet:
            print_shown(shown_plan(plan))
        if asked.dry_run:
            return outcome
        _agree(outcome, held, asked)
        if lists is not None:
            lists.publish()
        if plan is not None:
            await planner.build()  # what came in while somebody thought about it
        offsets = _append(settings, _record(held, definitions, asked), outcome.written, asked.at_ms)
        await _check_newest(planner, definitions)
        if asked.wait:
            with _told_that_it_is_written():
                outcome.made = await _wait(ports, offsets, asked.quiet)
        return outcome


@contextmanager
def _told_that_it_is_written() -> Iterator[None]:
    try:
        yield
    except asyncio.CancelledError:  # Ctrl-C
        click.echo("stopped waiting; the change is in the log, and workers make it all the same", err=True)
        raise


def _record(held: Mapping[int, Held], definitions: Definitions, asked: Asked) -> DefinitionsRecord:
    """The record to append: the same that some partitions have already, where an apply of it was cut short."""
    newest = max(held.values(), key=lambda one: one.number)
    if newest.identity != definitions.identity:
        return asked.record(definitions, newest.number + 1)
    known = {"author": newest.author, "message": newest.message, "silent": newest.silent}
    return asked.record(definitions, newest.number).model_copy(update=known)


def _agree(outcome: Outcome, held: Mapping[int, Held], asked: Asked) -> None:
    if outcome.plan is None:
        newest = max(held.values(), key=lambda one: one.number)
        if newest.partition in outcome.there:
            return  # somebody has agreed already: it was cut short
    if asked.yes:
        return
    if not sys.stdin.isatty() or asked.quiet:
        raise InputError(
            "expected --yes, since nobody is there to be asked: other definitions hold, and this changes them; "
            "`segue plan` shows what for"
        )
    click.confirm("Apply this change?", abort=True)


def _append(settings: CommonSettings, record: DefinitionsRecord, partitions: list[int], at_ms: int) -> dict[int, int]:
    """Append the record; its offset in each partition."""
    offsets: dict[int, int] = {}

    def note(acknowledged: Acknowledgement) -> None:
        if acknowledged.offset is not None:
            offsets[acknowledged.partition] = acknowledged.offset

    writer = KafkaWriter(settings.kafka, settings.names.tracking, on_acknowledged=note)
    change_definitions(record, writer, partitions, at_ms)
    return offsets


async def _check_newest(planner: Planner, definitions: Definitions) -> None:
    """Raises `InputError` where somebody else has applied something else at the same time."""
    held = await planner.look()
    others = [partition for partition, one in held.items() if one.identity != definitions.identity]
    if others:
        raise InputError(
            f"somebody else has applied other definitions at the same time, which hold in partition {numbers(others)}: "
            "see `segue definitions`, and apply what shall hold once more"
        )


async def _wait(ports: PlanPorts, offsets: Mapping[int, int], quiet: bool) -> list[int]:
    """Wait until workers have come past the records; the partitions."""
    waiting, began, hinted = dict(offsets), time.monotonic(), quiet
    while waiting:
        for partition, offset in list(waiting.items()):
            meta = await ports.generations.serving(partition)
            if meta is not None and meta.cursor.offset > offset:
                del waiting[partition]
        waited_s = time.monotonic() - began
        if waiting and not hinted and waited_s > _HINT_S:
            hinted = True
            click.echo(
                f"waiting for workers to make the change in {len(waiting)} of {len(offsets)} partitions; it is in the "
                "log, so this command need not wait",
                err=True,
            )
        if waited_s > _PATIENCE_S:
            raise UnavailableError(
                f"no worker has made the change in partition {', '.join(map(str, sorted(waiting)))} yet; it is in the "
                "log, and will be made: start `segue worker`, or look at `segue status`"
            )
        await asyncio.sleep(_LOOK_S if waiting else 0)
    return sorted(offsets)
