"""`segue consumer`: one subcommand a sink, each imported when it is called."""

from __future__ import annotations

import importlib

import click

SINKS: dict[str, str] = {
    "log": "consumers.log",
    "webhook": "consumers.webhook.cli",
}
"""Subcommand -> module with an attribute `command`. A new sink is one module and one line here."""


class _Sinks(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return sorted(SINKS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - same
        module = SINKS.get(cmd_name)
        if module is None:
            return None
        found: click.Command = importlib.import_module(module).command
        return found


@click.command("consumer", cls=_Sinks)
def command() -> None:
    """Act on transitions: hand each to a webhook, or print it.

    Every consumer passes a sequence gate: a transition seen before is dropped, and a partition in which one is
    missing is stopped, with an error and a metric, until a person starts the consumer with --accept-gap. Progress is
    kept in Redis and in the consumer group, and either of them may be lost.

    \b
    Examples:
      segue consumer log
      segue consumer webhook --url https://example.com/hooks/segue
      segue consumer webhook dead list
    """
