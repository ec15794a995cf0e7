"""`segue`: one command line. Each subcommand lives in a module of its own and is imported when called."""

from __future__ import annotations

import errno
import importlib
import os
import sys
import traceback
from typing import Any, NoReturn

import click

from schemas.errors import EXIT_BUG, EXIT_UNAVAILABLE, SegueError

COMMANDS: dict[str, str] = {
    "apply": "streams.cli.apply",
    "check": "streams.cli.check",
    "collector": "streams.cli.collector",
    "consent": "streams.cli.consent",
    "consumer": "consumers.cli",
    "contact": "streams.cli.contact",
    "definitions": "streams.cli.definitions",
    "demo": "streams.cli.demo",
    "detect": "streams.cli.detect",
    "doctor": "streams.cli.doctor",
    "epoch": "streams.cli.epoch",
    "erase": "streams.cli.erase",
    "explain": "streams.cli.explain",
    "fence": "streams.cli.fence",
    "identify": "streams.cli.identify",
    "import": "streams.cli.importing",
    "keys": "streams.cli.keys",
    "link": "streams.cli.link",
    "list": "streams.cli.list",
    "load": "streams.cli.load",
    "plan": "streams.cli.plan",
    "restore": "streams.cli.restore",
    "simulate": "streams.cli.simulate",
    "snapshot": "streams.cli.snapshot",
    "status": "streams.cli.status",
    "test": "streams.cli.test",
    "topics": "streams.cli.topics",
    "track": "streams.cli.track",
    "worker": "streams.cli.worker",
}
"""Subcommand -> module with an attribute `command`. A new subcommand is one file and one line here."""


_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - same
        module = COMMANDS.get(cmd_name)
        if module is None:
            return None
        command: click.Command = importlib.import_module(module).command
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """As in click; an id may begin with a dash, and who gives one is told how."""
        try:
            return super().invoke(ctx)
        except click.NoSuchOption as error:
            if not error.option_name.startswith("--"):
                error.message += ". What begins with - and is no option goes behind --, as in `segue contact -- -id`."
            raise


@click.command(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="segue")
def segue() -> None:
    """Segue: contacts enter and leave segments in real time, exact to the millisecond.

    \b
    Exit codes: 0 done, 1 the input or the state is bad, or it was stopped, 2 usage,
    70 a bug (the process stopped itself), 75 a dependency is down: try again.

    \b
    Examples:
      segue check definitions.yaml
      segue simulate definitions.yaml events.jsonl
      segue status --json
    """


def main(arguments: list[str] | None = None, **extra: Any) -> None:
    """Run `segue` and exit the process with the code that the outcome stands for."""
    try:
        segue.main(args=arguments, prog_name="segue", standalone_mode=True, **extra)
    except SegueError as error:
        click.echo(f"segue: {error}", err=True)
        if error.exit_code == EXIT_BUG:
            traceback.print_exception(error)
        sys.exit(error.exit_code)
    except OSError as error:
        if error.errno not in _NO_ROOM:
            _tell_bug(error)
        # What waits to be written would fail once more as the process ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        click.echo(f"segue: what was asked for cannot be written in full: {error.strerror}", err=True)
        sys.exit(EXIT_UNAVAILABLE)
    except Exception as error:  # noqa: BLE001 - nothing is swallowed: what nobody expected is a bug, told in full
        _tell_bug(error)


def _tell_bug(error: Exception) -> NoReturn:
    traceback.print_exception(error)
    sys.exit(EXIT_BUG)
