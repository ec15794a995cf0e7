"""A comparison as a page: what was measured, the table, where and with what."""

from __future__ import annotations

from bench.report.results import Comparison, Line, Spread, lines

_HEAD = ("contender", "events/s", "least to most", "Segue is", "CPU s a million", "Redis", "Kafka", "peak MB", "result")


def table(comparison: Comparison) -> str:
    """The table alone."""
    rows = [_row(line, comparison) for line in lines(comparison)]
    rule = ["---", *["--:"] * (len(_HEAD) - 2), "---"]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (_HEAD, rule, *rows))


def page(comparison: Comparison, charts: tuple[str, ...] = ()) -> str:
    """The whole page; `charts` are names of files beside it."""
    rounds = max((result.round for result in comparison.results), default=0)
    pictures = "\n\n".join(f"![{name.removesuffix('.svg')}]({name})" for name in charts)
    hows = "\n".join(f"- **{entry.title}** ({entry.version}): {entry.how}." for entry in comparison.entries)
    facts = {**comparison.machine, **comparison.servers}
    where = "\n".join(f"| {name} | {value} |" for name, value in facts.items())
    return f"""# Segue beside what one would pick instead

{comparison.events:,} events of {comparison.contacts:,} contacts with Zipf activity, ten segments,
{comparison.transitions:,} transitions out to a topic; four partitions on a real Kafka; {rounds} rounds, each contender
alone on the machine with Kafka and Redis. Written on {comparison.date} at commit `{comparison.commit}` by

    {comparison.command}

{pictures}

{table(comparison)}

Figures are the middle of the rounds. "Segue is" says how many times as many events Segue took in the same round,
with the least and the most of the rounds. Processor seconds are of the contender's processes, of Redis and of the
broker, for a million events; memory is the most that its processes had.

## What is measured

Kafka stamps each transition as it takes it in. An event counts as folded when all that it and those before it in its
partition caused is there. The measurement begins 250 ms after a tenth of the events had been folded and ends with the
last; the rate is the events folded between. Interpreter start, imports, joining the group and warming up count for
nobody, and who works in large batches is measured from the end of one to the end of another. Every run's transitions
are held against the right ones, worked out by Segue's core in memory: a run with a wrong, missing or surplus one does
not count.

## Who takes part

{hows}

The others share one evaluator, written by hand for exactly these ten segments (`bench/work/rules.py`), and are spared
much that Segue does in the same run: they know no duplicates, no late events and no timers (what time alone changes
comes out with the contact's next event), publish five fields a transition, and have a millisecond to spare for the
rounding of floats. Who is given the first events only would have taken too long with all.

## Where

| | |
|---|---|
{where}
"""


def _row(line: Line, comparison: Comparison) -> tuple[str, ...]:
    name = line.entry.title
    if line.events < comparison.events:
        name += f" (first {line.events:,})"
    faults = "; ".join(sorted(set(line.faults)))
    return (
        name,
        _middle(line.per_second, ",.0f"),
        "–" if line.per_second is None else f"{line.per_second.least:,.0f} to {line.per_second.most:,.0f}",
        _times(line.times),
        _middle(line.contender_s, ".1f"),
        _middle(line.redis_s, ".1f"),
        _middle(line.broker_s, ".1f"),
        _middle(line.peak_mb, ",.0f"),
        faults or "right",
    )


def _middle(figure: Spread | None, form: str) -> str:
    return "–" if figure is None else format(figure.middle, form)


def _times(times: Spread | None) -> str:
    return "–" if times is None else f"{times.middle:.2f}× ({times.least:.2f} to {times.most:.2f})"
