"""`python -m bench COMMAND`: what Segue can do on this machine. Without a command, all measurements by their defaults.

Each command starts a Kafka and a Redis of its own (or takes SEGUE_TEST_KAFKA and SEGUE_TEST_REDIS), prints tables, and
writes them as JSON where `--json FILE` asks for it. Servers, load and observers run on the same cores as what is
measured: rates are those of the whole machine, and a machine that does other work tells little.
"""

from __future__ import annotations

import argparse
from types import ModuleType

from bench import (
    catch_up,
    change,
    collector,
    comparison,
    detect,
    growth,
    latency,
    lateness,
    profile,
    recovery,
    restore,
    simulation,
)
from bench.tables import progress

COMMANDS: dict[str, ModuleType] = {
    "compare": comparison,
    "catch-up": catch_up,
    "change": change,
    "collector": collector,
    "detect": detect,
    "growth": growth,
    "lateness": lateness,
    "latency": latency,
    "profile": profile,
    "recovery": recovery,
    "restore": restore,
    "simulate": simulation,
}
"""A measurement is a module with `add_arguments(parser)` and `run(arguments)`, and one line here."""
_BY_NAME_ALONE = {"profile"}
"""Asks for a right that not every user has, and says where time goes, not how much."""


def parser() -> argparse.ArgumentParser:
    """Of the whole command line."""
    whole = argparse.ArgumentParser(
        prog="python -m bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = whole.add_subparsers(dest="command", metavar="COMMAND")
    for name, module in COMMANDS.items():
        description = module.__doc__ or ""
        command = commands.add_parser(
            name,
            help=description.splitlines()[0],
            description=description,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(command)
    return whole


def main() -> None:
    """Run what was asked for."""
    options = parser()
    chosen = options.parse_args()
    names = [name for name in COMMANDS if name not in _BY_NAME_ALONE] if chosen.command is None else [chosen.command]
    for name in names:
        progress(name)
        COMMANDS[name].run(chosen if chosen.command is not None else options.parse_args([name]))


if __name__ == "__main__":
    main()
