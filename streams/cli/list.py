"""`segue list`: puts contacts on a static list, or takes them off."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from schemas.errors import InputError
from streams.cli.sending import Batch, SendOptions, run, sender_options
from streams.definition_files.list_files import read_list_file

_FILE = click.option(
    "--file",
    "path",
    type=click.Path(dir_okay=False, path_type=Path, allow_dash=True),
    help="A CSV file, or - for standard input: the first column, under an optional heading contact_id.",
)


@click.group("list")
def command() -> None:
    """Put contacts on a static list, or take them off.

    What is done here stays as it is until it is done otherwise, here or by a definition file whose `lists` changed
    for that contact. The latest by the time given with --at counts.
    """


@command.command("add")
@click.argument("name")
@click.argument("contact_ids", nargs=-1)
@_FILE
@sender_options
def add(name: str, contact_ids: tuple[str, ...], path: Path | None, **options: Any) -> None:
    """Put CONTACT_IDS, and those of a file, on the list NAME.

    Several contacts are several records: when the broker fails midway, some are on the list and some are not, and
    the error says how many. To send all of them again does no harm.

    \b
    Examples:
      segue list add vip customer-4711 customer-4712
      segue list add vip --file vip.csv --wait
    """
    ids = _ids(contact_ids, path)
    fields = [{"type": "list", "contact_id": each, "list": name, "member": True} for each in ids]
    run(Batch(fields, f"list {name}", f"{_contacts(ids)} put on"), SendOptions(**options))


@command.command("remove")
@click.argument("name")
@click.argument("contact_ids", nargs=-1)
@_FILE
@click.option("--yes", is_flag=True, help="Do not ask, as is done for more than one contact.")
@sender_options
def remove(name: str, contact_ids: tuple[str, ...], path: Path | None, yes: bool, **options: Any) -> None:
    """Take CONTACT_IDS, and those of a file, off the list NAME.

    More than one contact is asked for first. A definition file that names them in `lists` stays as it is, and the next
    `segue apply` of it does not put them on again.

    \b
    Examples:
      segue list remove vip customer-4711
      segue list remove vip --file former.csv --yes --json
    """
    ids = _ids(contact_ids, path)
    fields = [{"type": "list", "contact_id": each, "list": name, "member": False} for each in ids]
    question = None if yes or len(ids) == 1 else f"Take {_contacts(ids)} off the list {name}?"
    run(Batch(fields, f"list {name}", f"{_contacts(ids)} taken off", question=question), SendOptions(**options))


def _ids(contact_ids: tuple[str, ...], path: Path | None) -> list[str]:
    """Each contact once, those of the command line first. Raises `InputError` where there is none."""
    found = list(contact_ids)
    if path is not None:
        try:
            found += read_list_file(Path("/dev/stdin") if str(path) == "-" else path)
        except ValueError as error:
            raise InputError(f"--file: {error}") from None
    if not found:
        where = "as arguments or with --file" if path is None else f"in {path}"
        raise InputError(f"contact ids: expected at least one, {where}")
    return list(dict.fromkeys(found))


def _contacts(ids: list[str]) -> str:
    return f"contact {ids[0]}" if len(ids) == 1 else f"{len(ids):,} contacts"
