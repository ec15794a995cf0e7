"""`segue test`: do the definitions do what scenarios expect of them?"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click
from rich.console import Console

from schemas.errors import EXIT_BAD_INPUT, InputError
from streams.cli.excerpt import excerpt
from streams.definition_files.reading import read_definitions
from streams.scenarios.exports import as_json, as_junit
from streams.scenarios.reading import Scenario, ScenariosError, read_scenarios
from streams.scenarios.telling import Teller
from streams.scenarios.trial import Verdict, try_scenario
from streams.segmentation import Definitions
from streams.simulation.event_files import check_files


@click.command(short_help="Run scenarios against definitions.")
@click.argument("definitions", type=click.Path(dir_okay=False, path_type=Path))
@click.argument("scenarios", type=click.Path(dir_okay=False, path_type=Path), nargs=-1, required=True)
@click.option("-k", "only", metavar="TEXT", help="Run only scenarios that have this in their name, in any case.")
@click.option("--json", "as_data", is_flag=True, help="Print the outcome as one JSON object.")
@click.option(
    "--junit", type=click.Path(dir_okay=False, path_type=Path), help="Write the outcome here too, as JUnit XML."
)
@click.pass_context
def command(
    ctx: click.Context,
    definitions: Path,
    scenarios: tuple[Path, ...],
    only: str | None,
    as_data: bool,
    junit: Path | None,
) -> None:
    """Run the scenarios in SCENARIOS, one file or several, against DEFINITIONS.

    A scenario gives records and says what it expects of them. Each runs in a simulator of its own, with the core that
    the workers run. An expectation at an instant sees all records of that instant, and what time alone has
    changed by then. Times are RFC 3339, or count from `start`: +1d2h, +7d-1ms.

    \b
      start: 2026-03-02T09:00:00Z
      scenarios:
        a forgotten cart brings the contact in after an hour:
          given:
            - {at: start, event: cart_add, properties: {value: 60}}
          expect:
            - {segment: cart_abandoners, entered_at: +1h}
            - {from: +1h, before: +7d, in: cart_abandoners}
            - {at: +7d, not_in: cart_abandoners}

    Exit code 0 if all scenarios hold, 1 if one fails or a file is refused. ops/definitions has many to copy from.

    \b
    Examples:
      segue test segments.yaml segments.scenarios.yaml
      segue test segments.yaml tests/*.yaml -k cart
      segue test segments.yaml segments.scenarios.yaml --junit report.xml
    """
    if junit is not None:
        check_files([definitions, *scenarios], [junit])
    compiled = read_definitions(definitions)
    chosen, refused = _read(scenarios, compiled, only)
    if not chosen and not refused:
        raise click.UsageError(f"no scenario has {only!r} in its name", ctx)
    verdicts = _try(chosen, compiled, quiet=as_data)
    if junit is not None:
        _write(junit, as_junit(verdicts, refused))
    if as_data:
        click.echo(json.dumps(as_json(verdicts, refused), default=str, ensure_ascii=False))
    else:
        sys.stdout.flush()
        for error in refused.values():
            _show(error)
        Teller(Console(highlight=False)).sum_up(verdicts, len(refused))
    if refused or not all(verdict.holds for verdict in verdicts):
        ctx.exit(EXIT_BAD_INPUT)


def _read(
    paths: tuple[Path, ...], definitions: Definitions, only: str | None
) -> tuple[list[Scenario], dict[str, ScenariosError]]:
    """The scenarios to run, and the files that are refused, each with what is wrong."""
    chosen: list[Scenario] = []
    refused: dict[str, ScenariosError] = {}
    for path in dict.fromkeys(paths):
        try:
            found = read_scenarios(path, definitions)
        except ScenariosError as error:
            refused[str(path)] = error
            continue
        chosen += [scenario for scenario in found if only is None or only.lower() in scenario.name.lower()]
    return chosen, refused


def _try(scenarios: list[Scenario], definitions: Definitions, quiet: bool) -> list[Verdict]:
    teller = Teller(Console(highlight=False))
    verdicts = []
    for scenario in scenarios:
        verdicts.append(try_scenario(scenario, definitions))
        if not quiet:
            teller.tell(verdicts[-1])
    return verdicts


def _show(error: ScenariosError) -> None:
    """Each thing that is wrong, and the line that it is about with a caret under the column."""
    for problem in error.problems:
        click.echo(str(problem), err=True)
        if error.source is not None and problem.line:
            click.echo("\n".join(excerpt(error.source.line(problem.line), problem.line, problem.column)), err=True)


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise InputError(f"{path}: expected a file that can be written: {error.strerror}") from None
