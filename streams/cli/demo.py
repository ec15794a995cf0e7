"""`segue demo`: the whole way on one machine."""

from __future__ import annotations

import asyncio
import json
import sys

import click
from rich.console import Console

from streams.demo.measures import Latencies
from streams.demo.plain import PlainScreen
from streams.demo.run import InterruptedDemoError, Options, Outcome, exit_code, run_demo
from streams.demo.show import Screen, milliseconds
from streams.demo.terminal import TerminalScreen
from streams.demo.verdict import Stage

SECONDS_MIN = 10
"""Time alone moves nobody within less."""


@click.command(short_help="Watch a shop's visitors move through segments.")
@click.option(
    "--seconds",
    type=click.IntRange(SECONDS_MIN, 86_400),
    help="End after this long and say whether every stage worked.  [default: until Ctrl-C]",
)
@click.option(
    "--visitors", type=click.IntRange(1, 100), default=25, show_default=True, help="Visitors in the shop at a time."
)
@click.option("--seed", type=int, help="Let the same visitors do the same things again.  [default: by chance]")
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON; progress goes to standard error.")
def command(seconds: int | None, visitors: int, seed: int | None, as_json: bool) -> None:
    """Watch a shop's visitors enter and leave segments, with nothing to install.

    Starts an embedded Kafka and an embedded Redis on free loopback ports, applies definitions whose windows are
    seconds, starts the collector, a worker and a webhook consumer, and sends visitors in through the collector's
    front door. All of it ends with the demo, and nothing is kept.

    It says how another terminal reaches it: read the file that it names, edit $SHOP, and see with `segue plan $SHOP`
    and `segue apply $SHOP` how definitions change while the shop is open.

    The latency by event runs from the collector's receipt of an event to reading, from Kafka, the transition that it
    caused; the latency by time from the instant at which time alone moved a contact.

    \b
    Exit codes: 0 every stage worked; 1 one saw nothing, or a gap;
    75 a program failed; 130 Ctrl-C before the time was over.

    \b
    Examples:
      segue demo
      segue demo --seconds 30
      segue demo --seconds 30 --json > outcome.json
    """
    try:
        outcome = asyncio.run(run_demo(Options(seconds, visitors, seed), _screen(as_json)))
    except InterruptedDemoError as interrupted:
        sys.exit(128 + interrupted.number)
    if as_json:
        click.echo(json.dumps(_as_json(outcome)))
    else:
        _summarize(outcome)
    sys.exit(exit_code(outcome))


def _screen(as_json: bool) -> Screen:
    console = Console(highlight=False)
    if not as_json and console.is_terminal and not console.is_dumb_terminal:
        return TerminalScreen(console)
    return PlainScreen(lambda line: click.echo(line, err=as_json))


def _summarize(outcome: Outcome) -> None:
    interrupted = outcome.interrupted_by is not None
    click.echo(f"the demo {'was ended' if interrupted else 'ended'} after {outcome.show.elapsed_s:.0f} s")
    for stage in outcome.stages:
        click.echo(f"  {_mark(stage, interrupted)} {stage.name:<24} {stage.text}")
    tally = outcome.show.tally
    for name, latency in (("by event", tally.event_latency), ("by time", tally.timer_latency)):
        half, most = milliseconds(latency.percentile_ms(0.5)), milliseconds(latency.percentile_ms(0.99))
        click.echo(f"       {f'latency {name}':<24} p50 {half}, p99 {most} of {latency.count:,}")
    if outcome.kept_logs is not None:
        click.echo(f"the logs of all programs are kept in {outcome.kept_logs}")


def _mark(stage: Stage, interrupted: bool) -> str:
    if stage.passed:
        return click.style("ok  ", fg="green")
    if interrupted and stage.idle:
        return click.style("-   ", dim=True)
    return click.style("FAIL", fg="red", bold=True)


def _as_json(outcome: Outcome) -> dict[str, object]:
    show = outcome.show
    tally = show.tally
    return {
        "passed": outcome.passed,
        "interrupted": outcome.interrupted_by is not None,
        "seconds": round(show.elapsed_s, 1),
        "stages": [stage._asdict() for stage in outcome.stages],
        "events": dict(tally.events),
        "transitions": tally.transitions,
        "segments": {name: segment.members for name, segment in tally.segments.items()},
        "latency_by_event_ms": _latency(tally.event_latency),
        "latency_by_time_ms": _latency(tally.timer_latency),
        "webhooks_delivered": tally.webhooks.delivered,
        "kept_logs": outcome.kept_logs,
    }


def _latency(latency: Latencies) -> dict[str, int | None]:
    return {"p50": latency.percentile_ms(0.5), "p99": latency.percentile_ms(0.99), "count": latency.count}
