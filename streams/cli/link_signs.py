"""`segue link signs`: which signs of machines the collector goes by, and what they make of a visitor."""

from __future__ import annotations

import json

import click
from pydantic import Field

from schemas.settings import CommonSettings, OptionalFile, load_settings
from streams.collector.emails.machine_signs import MachineSigns, load_signs
from streams.collector.guarding.addresses import Address, parse_address

OUR_SIGNS = "Segue's own"


class SignsSettings(CommonSettings):
    """Where signs of machines are."""

    machine_signs: OptionalFile = Field(
        default=None, description="As for the collector: YAML file of the names and networks of machines."
    )


class _AddressType(click.ParamType):
    name = "address"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Address:
        address = parse_address(str(value))
        if address is None:
            self.fail(f"expected an IPv4 or IPv6 address, not {str(value)[:60]!r}", param, ctx)
        return address


@click.command("signs", short_help="Show by which signs machines are told that open and click.")
@click.option("--user-agent", help="Say what the signs make of this name.")
@click.option("--address", type=_AddressType(), metavar="ADDRESS", help="Say what they make of this address.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def command(user_agent: str | None, address: Address | None, as_json: bool) -> None:
    """Show which signs of machines are used, from when they are, and what they make of a visitor.

    They are Segue's own, or those of the file in SEGUE_MACHINE_SIGNS. A file that is not right ends the command with
    exit code 1, the path in it and what was expected there.

    \b
    Examples:
      segue link signs
      segue link signs --user-agent "python-requests/2.32" --address 203.0.113.7
    """
    path = load_settings(SignsSettings).machine_signs
    signs = load_signs(path)
    shown: dict[str, object] = {
        "file": OUR_SIGNS if path is None else str(path),
        "as_of": signs.as_of.isoformat(),
        "user_agents": signs.user_agents,
        "networks": signs.networks,
    }
    if user_agent is not None or address is not None:
        shown |= _verdicts(signs, user_agent or "", address)
    click.echo(json.dumps(shown) if as_json else _text(shown))


def _verdicts(signs: MachineSigns, user_agent: str, address: Address | None) -> dict[str, list[str]]:
    return {
        "open": signs.reasons("open", user_agent, address),
        "click": signs.reasons("click", user_agent, address),
    }


def _text(shown: dict[str, object]) -> str:
    lines = [f"{shown['file']}, as of {shown['as_of']}: {shown['user_agents']} names, {shown['networks']} networks"]
    for kind in ("open", "click"):
        if isinstance(reasons := shown.get(kind), list):
            lines.append(f"{kind}: {', '.join(reasons) or 'no sign of a machine'}")
    return "\n".join(lines)
