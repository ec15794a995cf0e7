"""`segue link`: makes the links that e-mails carry, one at a time or for a whole mailing."""

from __future__ import annotations

import json
from typing import BinaryIO

import click

from schemas.errors import InputError
from schemas.settings import load_settings
from streams.cli.link_batch import ROW_FORMATS, Wanted, json_rows, link_rows
from streams.cli.link_signs import command as signs
from streams.cli.options import INSTANT
from streams.link_keys import LinkSettings
from streams.mailing import MailingLinks

_contact = click.option("--contact", required=True, metavar="ID", help="Contact that the link stands for.")
_reader = click.option("--contact", metavar="ID", help="Contact that the link stands for.")
_without_identity = click.option(
    "--without-identity", is_flag=True,
    help="For who has not consented to be told apart by opens: instead of --contact; opens are counted, and nobody's.",
)  # fmt: skip
_campaign = click.option("--campaign", required=True, metavar="NAME", help="Campaign that the e-mail belongs to.")
_url = click.option("--url", required=True, metavar="URL", help="Where the click leads: http or https.")
_expires_at = click.option("--expires-at", type=INSTANT, help="RFC 3339 time from which on the link is refused.")
_purpose = click.option(
    "--purpose", metavar="NAME", help="Consent that it withdraws [default: the collector's SEGUE_UNSUBSCRIBE_PURPOSE]."
)
_base_url = click.option(
    "--base-url", metavar="URL", help="Where the collector is reached from outside [default: SEGUE_LINK_BASE_URL]."
)
_json = click.option("--json", "as_json", is_flag=True, help="Print a JSON object with the URL and the token.")


@click.group()
def command() -> None:
    """Make the links that an e-mail carries, in tokens that nobody else can read or make.

    The first key of SEGUE_LINK_KEYS makes them. Whoever has a link counts as its contact, so each contact gets its own.

    \b
    Examples:
      segue link open --contact c1 --campaign welcome
      segue link click --contact c1 --campaign welcome --url https://shop.example/sale
      segue link unsubscribe --contact c1 --campaign welcome --purpose marketing
      segue link batch --csv --campaign welcome --url sale=https://shop.example/sale < contacts.csv
    """


@command.command("open")
@_reader
@_without_identity
@_campaign
@_expires_at
@_base_url
@_json
def open_link(
    contact: str | None,
    without_identity: bool,
    campaign: str,
    expires_at: int | None,
    base_url: str | None,
    as_json: bool,
) -> None:
    """Print the URL of an open pixel, a transparent image of one pixel.

    \b
    Examples:
      segue link open --contact c1 --campaign welcome
      segue link open --without-identity --campaign welcome
    """
    if (contact is None) != without_identity:
        raise click.UsageError("Expected either --contact or --without-identity.")
    pixel = _links(base_url).pixel(contact, campaign, expires_at_ms=expires_at, identified=not without_identity)
    _print_url(pixel, as_json)


@command.command("click")
@_contact
@_campaign
@_url
@_expires_at
@_base_url
@_json
def click_link(
    contact: str, campaign: str, url: str, expires_at: int | None, base_url: str | None, as_json: bool
) -> None:
    """Print the URL of a click link, which leads to --url and nowhere else.

    \b
    Example:
      segue link click --contact c1 --campaign welcome --url https://shop.example/sale
    """
    _print_url(_links(base_url).click(contact, campaign, url, expires_at_ms=expires_at), as_json)


@command.command("trap")
@_contact
@_campaign
@_url
@_expires_at
@_base_url
@_json
def trap_link(
    contact: str, campaign: str, url: str, expires_at: int | None, base_url: str | None, as_json: bool
) -> None:
    """Print the URL of a click link that no person sees: whoever follows it is marked as a machine.

    It looks like any other click link. Put it where people do not find it, as with style="display:none".

    \b
    Example:
      segue link trap --contact c1 --campaign welcome --url https://shop.example/
    """
    _print_url(_links(base_url).trap(contact, campaign, url, expires_at_ms=expires_at), as_json)


@command.command("unsubscribe")
@_contact
@_campaign
@_purpose
@_base_url
@_json
def unsubscribe_link(contact: str, campaign: str, purpose: str | None, base_url: str | None, as_json: bool) -> None:
    """Print how a contact unsubscribes: the URL, and the two lines for the head of the e-mail (RFC 8058).

    The URL shows a page with a button. Mail programs unsubscribe by the two lines, without opening the page. Both have
    to be covered by the e-mail's DKIM signature. The link never expires.

    \b
    Example:
      segue link unsubscribe --contact c1 --campaign welcome --purpose marketing
    """
    found = _links(base_url).unsubscribe(contact, campaign, purpose=purpose)
    if as_json:
        click.echo(json.dumps({"url": found.url, "token": _token(found.url), "headers": found.headers}))
        return
    click.echo("\n".join([found.url, *(f"{name}: {value}" for name, value in found.headers.items())]))


@command.command("batch")
@click.argument("rows", type=click.File("rb"), default="-")
@click.option("--csv", "row_format", flag_value="csv", help="Rows are CSV with a heading.")
@click.option("--jsonl", "row_format", flag_value="jsonl", help="Rows are JSON objects, one a line.")
@_campaign
@click.option("--url", "urls", multiple=True, metavar="NAME=URL", help="A click link for every row; may be repeated.")
@click.option("--trap", metavar="URL", help="A trap for every row, which leads to this URL.")
@_purpose
@_expires_at
@click.option(
    "--open-consent", metavar="FIELD",
    help="Field that says, true or false, who has consented to be told apart by opens.  [default: all have]",
)  # fmt: skip
@_base_url
def batch(
    rows: BinaryIO,
    row_format: str | None,
    campaign: str,
    urls: tuple[str, ...],
    trap: str | None,
    purpose: str | None,
    expires_at: int | None,
    open_consent: str | None,
    base_url: str | None,
) -> None:
    """Print the rows of a mailing with the links of each, in the format in which they come.

    ROWS is a file, or standard input. A row has a field `contact`; all its fields are kept. Added are `open_url`,
    `click_url_NAME` for every --url NAME, `trap_url` with --trap, `unsubscribe_url`, and `list_unsubscribe` and
    `list_unsubscribe_post` for the head of the e-mail. A field `url_NAME` of a row is a click link of that row.
    With --open-consent FIELD a row whose field is false, no, 0 or empty gets an `open_url` without identity.
    The first row that cannot be linked ends the command with exit code 1 and its line number.

    \b
    Examples:
      segue link batch contacts.csv --csv --campaign welcome --url sale=https://shop.example/sale > mailing.csv
      echo '{"contact": "c1", "url_cart": "https://shop.example/cart"}' | segue link batch --jsonl --campaign cart
    """
    if row_format is None:
        raise click.UsageError("Expected either --csv or --jsonl.")
    wanted = Wanted(campaign, dict(_named_url(url) for url in urls), trap, purpose, expires_at, open_consent)
    for line in link_rows(rows, ROW_FORMATS[row_format], _links(base_url), wanted):
        click.echo(line, nl=False)


@command.command("confirm")
@click.argument("records", type=click.File("rb"), default="-")
@_base_url
def confirm(records: BinaryIO, base_url: str | None) -> None:
    """Print for each `form_submit` record the URL with which the contact confirms its consent.

    RECORDS is a file of JSON lines, or standard input. The first that asks for no confirmation, because it is of
    another event or of a form without double opt-in, ends the command with exit code 1 and its line number.

    \b
    Example:
      segue link confirm < form_submit.jsonl
    """
    links = _links(base_url)
    for number, record in json_rows(records):
        try:
            click.echo(links.confirmation(record))
        except InputError as error:
            raise InputError(f"line {number}: {error}") from None


command.add_command(signs)


def _named_url(text: str) -> tuple[str, str]:
    name, equals, url = text.partition("=")
    if not equals or not name.isidentifier():
        raise click.UsageError(f"--url: expected NAME=URL with a name of letters, digits and _, not {text!r}.")
    return name, url


def _links(base_url: str | None) -> MailingLinks:
    settings = load_settings(LinkSettings)
    keys = {key_id: secret.get_secret_value() for key_id, secret in settings.link_keys.items()}
    return MailingLinks(base_url or settings.link_base_url, keys)


def _print_url(url: str, as_json: bool) -> None:
    click.echo(json.dumps({"url": url, "token": _token(url)}) if as_json else url)


def _token(url: str) -> str:
    return url.rsplit("/", 1)[1].removesuffix(".gif")
