"""`segue consumer webhook`: signed webhooks, and what became of those that were given up."""

from __future__ import annotations

import base64
import secrets
from contextlib import AbstractAsyncContextManager

import click
from click.core import ParameterSource

from consumers.options import common_options, role_of
from consumers.runner import Mode, Surroundings, configure_logging, run_consumer
from consumers.sink import Sink
from consumers.start import From
from consumers.webhook.addresses import parse_endpoint
from consumers.webhook.compose import load_webhook_settings, webhook_sink, webhook_url
from consumers.webhook.dead_cli import dead

_SECRET_BYTES = 32


@click.group("webhook", invoke_without_command=True)
@click.option("--url", metavar="URL", help="Where to send, http or https; SEGUE_WEBHOOK_URL otherwise.")
@click.option("--allow-private", is_flag=True, help="Send to an address that is not public, such as 127.0.0.1.")
@click.option("--enable", is_flag=True, help="Send again to an endpoint that had answered 410 Gone.")
@common_options
@click.pass_context
def command(
    context: click.Context,
    url: str | None,
    allow_private: bool,
    enable: bool,
    name: str | None,
    start: From | None,
    accept_gap: bool,
) -> None:
    """Send each transition as a signed webhook (Standard Webhooks 1.0.0).

    Deliveries are made at least once: after a crash, those that were under way are made again. The webhook-id header is
    the transition's id, always the same for the same transition, so a receiver that remembers it acts once.
    The transitions of one contact are sent in order, those of different contacts at the same time.

    \b
    What an answer leads to:
      2xx                           delivered
      3xx, 408, 429, 5xx, silence   the endpoint is paused, then the delivery is tried again;
                                    Retry-After is honoured, redirects are not followed
      410                           the consumer stops, and starts again only with --enable
      any other 4xx                 this delivery goes to the dead-letter list (`dead --help`), the next goes on

    Secrets to sign with come from SEGUE_WEBHOOK_SECRETS; while it holds two, both sign.

    \b
    Examples:
      SEGUE_WEBHOOK_SECRETS=$(segue consumer webhook secret) \\
        segue consumer webhook --url http://127.0.0.1:8080/ --allow-private --from beginning
      segue consumer webhook --name crm --url https://crm.example.com/hooks
      segue consumer webhook dead list
    """
    if context.invoked_subcommand is not None:
        given = [key for key in context.params if context.get_parameter_source(key) is ParameterSource.COMMANDLINE]
        if given:
            raise click.UsageError(f"give options after `{context.invoked_subcommand}`, not before it")
        return
    settings = load_webhook_settings(url, allow_private=allow_private)
    configure_logging(settings)
    parse_endpoint(webhook_url(settings))
    role = role_of("webhook", name)

    def make_sink(surroundings: Surroundings) -> AbstractAsyncContextManager[Sink]:
        return webhook_sink(settings, role, surroundings, enable=enable)

    run_consumer(settings, Mode(role, start, accept_gap), make_sink)


@command.command("secret")
def secret() -> None:
    """Print a new signing secret, to be shared with the receiver."""
    click.echo("whsec_" + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode())


command.add_command(dead)
