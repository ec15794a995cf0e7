"""`segue plan`: what definitions would change, and for whom, before they do."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click
import msgspec

from schemas.settings import CommonSettings, load_settings
from streams.adapters.kafka.topics import KafkaTopics
from streams.cli.apply_lists import ListPublisher
from streams.cli.plan_shown import shown_plan
from streams.cli.planning import DEFAULT_RATE, building_shown, check_room, plan_ports
from streams.cli.printing import print_shown
from streams.definition_files.reading import read_definitions
from streams.planning.held import held_by_workers
from streams.planning.plan import Plan
from streams.planning.planner import Planner
from streams.planning.view import plan_view
from streams.report.plan_page import plan_page
from streams.segmentation import Definitions
from streams.sending.log_start import numbers
from streams.simulation.event_files import check_files, open_output


@click.command(short_help="Show what definitions would change, and for whom.")
@click.argument("definitions", required=False, type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--records-per-second",
    type=click.IntRange(min=0),
    default=DEFAULT_RATE,
    show_default=True,
    help="Read the log no faster than this, so that workers keep their pace; 0: as fast as it goes.",
)
@click.option("--accept-short-history", is_flag=True, help="Also where the start of the log is gone: count from there.")
@click.option(
    "--upgrade", is_flag=True, help="Build what workers of this version need of a state that older ones made."
)
@click.option("--discard", is_flag=True, help="Remove what earlier plans have built, and plan nothing.")
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), help="Write the plan as a page here.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def command(
    definitions: Path | None,
    records_per_second: int,
    accept_short_history: bool,
    upgrade: bool,
    discard: bool,
    html: Path | None,
    as_json: bool,
) -> None:
    """Build what DEFINITIONS make of the whole log, beside what serves, and show who would enter and leave, and why.

    Workers go on meanwhile; nothing is told to anybody. The build stays in Redis, where `segue apply` goes on with it,
    until it is applied, another plan takes its place, or --discard removes it. A plan that was cut short goes on where
    it was when it is run again.

    \b
    Examples:
      segue plan definitions.yaml
      segue plan definitions.yaml --html plan.html
      segue plan definitions.yaml --json | jq '.segments[] | select(.entering > 0)'
      segue plan --upgrade
      segue plan --discard
    """
    settings = load_settings(CommonSettings)
    if discard:
        removed = asyncio.run(_discard(settings))
        click.echo(f"removed what was built of {removed} partitions" if removed else "nothing was built")
        return
    if upgrade:
        click.echo(asyncio.run(_upgrade(settings, records_per_second)))
        return
    if definitions is None:
        raise click.UsageError("expected DEFINITIONS, the file to plan for", click.get_current_context())
    compiled = read_definitions(definitions)
    for warning in compiled.warnings:
        click.echo(f"warning: {warning.path}: {warning.expected}", err=True)
    with ExitStack() as stack:
        check_files([definitions], [] if html is None else [html])
        page = None if html is None else stack.enter_context(open_output(html))
        plan = _run(make_plan(settings, compiled, records_per_second, accept_short_history, quiet=as_json))
        if compiled.lists:
            plan.lists = ListPublisher(settings, KafkaTopics(settings.kafka), compiled, None).moves()
        if page is not None:
            page.write(plan_page(plan, definitions.name).encode())
    _show(plan, definitions, as_json)


def _run(planning: Coroutine[Any, Any, Plan]) -> Plan:
    try:
        return asyncio.run(planning)
    except KeyboardInterrupt:
        click.echo(
            "stopped; what was built stays in Redis: the same plan goes on from there, and --discard removes it",
            err=True,
        )
        raise


def _show(plan: Plan, definitions: Path, as_json: bool) -> None:
    if as_json:
        sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(plan_view(plan))) + b"\n")
        return
    print_shown(shown_plan(plan))
    click.echo(
        "these definitions hold already: nothing would change"
        if plan.is_empty
        else f"nothing is changed yet: `segue apply {definitions}` makes it so"
    )


async def make_plan(
    settings: CommonSettings, definitions: Definitions, rate: int, accept_short_history: bool, *, quiet: bool
) -> Plan:
    """Plan for definitions; progress goes to standard error."""
    async with plan_ports(settings) as ports:
        planner = Planner(ports, definitions, records_per_second_max=rate, accept_short_history=accept_short_history)
        await planner.check()
        await check_room(settings, ports, quiet=quiet)
        with building_shown() as planner.on_progress:
            return await planner.plan()


async def _upgrade(settings: CommonSettings, rate: int) -> str:
    """Build the definitions that hold anew where the state is of an older format; what was done."""
    async with plan_ports(settings) as ports:
        planner = Planner(ports, await held_by_workers(ports.generations, ports.bounds()), records_per_second_max=rate)
        if not await planner.outdated():
            return "nothing to do: workers of this version go on with the state as it is"
        await check_room(settings, ports, quiet=False)
        with building_shown() as planner.on_progress:
            rebuilt = await planner.rebuild()
    return (
        f"built beside what serves, in partition {numbers(rebuilt)}: as they start, workers of this version build what "
        "came in since, and take it over"
    )


async def _discard(settings: CommonSettings) -> int:
    removed = 0
    async with plan_ports(settings) as ports:
        for partition in ports.bounds():
            removed += await ports.builds.give_up(partition)
    return removed
