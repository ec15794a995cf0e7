"""`segue check`: is a definition file valid, and what would a person want to know of it?"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import click

from schemas.errors import EXIT_BAD_INPUT
from streams.cli import check_cost
from streams.cli.excerpt import excerpt, warning_text
from streams.definition_files.reading import Source, compile_source, read_source
from streams.segmentation import Definitions, DefinitionsError, Problem
from streams.segmentation.cost import cost_of
from streams.segmentation.problems import MOST_TOLD
from streams.segmentation.refusals import ABSENT
from streams.segmentation.wording import plural


@click.command(short_help="Validate definition files.")
@click.argument(
    "definitions", type=click.Path(dir_okay=False, allow_dash=True, path_type=Path), nargs=-1, required=True
)
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON, one object a file.")
@click.option(
    "--cost",
    is_flag=True,
    help="Say also what is kept for a contact, at most how many bytes of it, and what touches it.",
)
@click.pass_context
def command(ctx: click.Context, definitions: tuple[Path, ...], as_json: bool, cost: bool) -> None:
    """Validate definition files, - for standard input, and print every problem with its line.

    A problem is told with file, line and column, the path in the file, what was expected, what was found, and
    the name that may have been meant. Exit code 0 if all files are valid (warnings do not matter), 1 if one is refused.

    Editors check while you write, with the JSON Schema in schemas/generated/definition_file.schema.json: begin the
    file with a line `# yaml-language-server: $schema=` and the path or the address of that file.

    \b
    Examples:
      segue check definitions.yaml
      segue check ops/definitions/welcome.yaml ops/definitions/customers.yaml
      segue check definitions.yaml --json
      segue check definitions.yaml --cost
      cat definitions.yaml | segue check -
    """
    refused = [path for path in definitions if not _check(path, as_json, cost)]
    if refused:
        ctx.exit(EXIT_BAD_INPUT)


def _check(path: Path, as_json: bool, cost: bool) -> bool:
    """Check one file and tell what was found; whether it is valid."""
    source: Source | None = None
    try:
        source = read_source(path)
        compiled = compile_source(source)
    except DefinitionsError as error:
        if as_json:
            _print_json({"file": str(path), "valid": False, **_findings(error.problems, error.warnings)})
        else:
            _show_refusal(path, source, error)
        return False
    if as_json:
        segments = {segment.name: segment.definition for segment in compiled.segments}
        found = {"file": str(path), "valid": True, "hash": compiled.hash, "segments": segments}
        costs = {"cost": check_cost.as_json(cost_of(compiled))} if cost else {}
        _print_json({**found, **_findings((), compiled.warnings), **costs})
    else:
        _show_valid(source, compiled)
        if cost:
            check_cost.show(cost_of(compiled))
    return True


def _findings(problems: Iterable[Problem], warnings: Iterable[Problem]) -> dict[str, object]:
    return {"problems": [*map(_as_json, problems)], "warnings": [*map(_as_json, warnings)]}


def _as_json(problem: Problem) -> dict[str, object]:
    return {
        "file": problem.file,
        "line": problem.line or None,
        "column": problem.column or None,
        "path": problem.path,
        "value": None if problem.value is ABSENT else problem.value,
        "expected": problem.expected,
        "suggestion": problem.suggestion or None,
    }


def _print_json(found: dict[str, object]) -> None:
    click.echo(json.dumps(found, ensure_ascii=False, default=str))


def _show_refusal(path: Path, source: Source | None, error: DefinitionsError) -> None:
    for problem in error.problems[:MOST_TOLD]:
        _show(str(problem), problem, source, "red")
    if len(error.problems) > MOST_TOLD:
        click.echo(f"and {len(error.problems) - MOST_TOLD} more; --json has them all", err=True)
    _show_warnings(error.warnings, source)
    click.echo(f"{path}: refused, {plural(len(error.problems), 'problem')}", err=True)


def _show_valid(source: Source, compiled: Definitions) -> None:
    _show_warnings(compiled.warnings, source)
    counts = f"{plural(len(compiled.segments), 'segment')}, {plural(len(compiled.scores), 'score')}"
    click.echo(f"{source.name}: valid; {counts}, hash {compiled.hash[:12]}")


def _show_warnings(warnings: Iterable[Problem], source: Source | None) -> None:
    for warning in warnings:
        _show(warning_text(warning), warning, source, "yellow")


def _show(text: str, problem: Problem, source: Source | None, color: str) -> None:
    """The finding, and the line that it is about with a caret under the column."""
    click.echo(text, err=True)
    if source is not None and problem.line and problem.file == source.name:
        line, caret = excerpt(source.line(problem.line), problem.line, problem.column)
        click.echo(line, err=True)
        click.secho(caret, err=True, fg=color)
