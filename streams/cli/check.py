"""`segue check`: is a definition file valid, and what would a person want to know of it?"""

from __future__ import annotations

import json
from pathlib import Path

import click

from schemas.errors import EXIT_BAD_INPUT
from streams.definition_file import read_definitions
from streams.segmentation import DefinitionsError, Problem


def _as_json(problem: Problem) -> dict[str, object]:
    return {"path": problem.path, "value": problem.value, "expected": problem.expected}


@click.command(short_help="Validate a definition file.")
@click.argument("definitions", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@click.pass_context
def command(ctx: click.Context, definitions: Path, as_json: bool) -> None:
    """Validate a definition file and print every problem with its path.

    Exit code 0 if the file is valid (warnings do not matter), 1 if it is refused.

    \b
    Examples:
      segue check definitions.yaml
      segue check definitions.yaml --json
    """
    try:
        compiled = read_definitions(definitions)
    except DefinitionsError as error:
        if as_json:
            click.echo(
                json.dumps({"valid": False, "problems": [_as_json(item) for item in error.problems]}, default=str)
            )
        else:
            for problem in error.problems:
                click.echo(f"{definitions}: {problem}", err=True)
            count = len(error.problems)
            click.echo(f"{definitions}: refused, {count} problem{'s' if count > 1 else ''}", err=True)
        ctx.exit(EXIT_BAD_INPUT)
    if as_json:
        warnings = [_as_json(item) for item in compiled.warnings]
        segments = {segment.name: segment.definition for segment in compiled.segments}
        click.echo(json.dumps({"valid": True, "hash": compiled.hash, "warnings": warnings, "segments": segments}))
        return
    for warning in compiled.warnings:
        click.echo(f"{definitions}: warning: {warning.path}: {warning.expected}", err=True)
    counts = f"{len(compiled.segments)} segments, {len(compiled.scores)} scores"
    click.echo(f"{definitions}: valid; {counts}, hash {compiled.hash[:12]}")
