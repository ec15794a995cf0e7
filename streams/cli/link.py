"""`segue link`: makes the tokens of open pixels and click links."""

from __future__ import annotations

import json

import click

from schemas.settings import load_settings
from streams.links import Link, LinkKind, LinkSettings, LinkSigner

_contact = click.option("--contact", required=True, metavar="ID", help="Contact that the link stands for.")
_campaign = click.option("--campaign", required=True, metavar="NAME", help="Campaign that the e-mail belongs to.")
_base_url = click.option(
    "--base-url", metavar="URL", help="Where the collector is reached from outside [default: SEGUE_LINK_BASE_URL]."
)
_json = click.option("--json", "as_json", is_flag=True, help="Print a JSON object with the URL and the token.")


@click.group()
def command() -> None:
    """Make the signed links that an e-mail carries.

    The first key of SEGUE_LINK_KEYS signs. Whoever has a link counts as its contact, so each contact gets its own.

    \b
    Examples:
      segue link open --contact c1 --campaign welcome
      segue link click --contact c1 --campaign welcome --url https://shop.example/sale
    """


@command.command("open")
@_contact
@_campaign
@_base_url
@_json
def open_link(contact: str, campaign: str, base_url: str | None, as_json: bool) -> None:
    """Print the URL of an open pixel, a transparent image of one pixel.

    \b
    Example:
      segue link open --contact c1 --campaign welcome
    """
    _print_link("open", Link(contact, campaign), base_url, as_json)


@command.command("click")
@_contact
@_campaign
@click.option("--url", required=True, metavar="URL", help="Where the click leads: http or https.")
@_base_url
@_json
def click_link(contact: str, campaign: str, url: str, base_url: str | None, as_json: bool) -> None:
    """Print the URL of a click link, which leads to --url and nowhere else.

    \b
    Example:
      segue link click --contact c1 --campaign welcome --url https://shop.example/sale
    """
    _print_link("click", Link(contact, campaign, url), base_url, as_json)


def _print_link(kind: LinkKind, link: Link, base_url: str | None, as_json: bool) -> None:
    settings = load_settings(LinkSettings)
    token = LinkSigner(settings.link_keys).make(kind, link)
    base = (base_url or settings.link_base_url).rstrip("/")
    url = f"{base}/o/{token}.gif" if kind == "open" else f"{base}/c/{token}"
    click.echo(json.dumps({"url": url, "token": token}) if as_json else url)
