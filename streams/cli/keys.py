"""`segue keys`: who may send, and what: keys are made, listed, rotated, disabled for a while, and revoked."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import click
import msgspec

from schemas.errors import InputError, UnavailableError
from schemas.instants import format_instant
from schemas.settings import CommonSettings, load_settings
from schemas.write_keys import KEYS_MAX, KeyEntry, decode_key_entry, encode_key_entry
from streams.adapters.kafka.compacted import KafkaCompactedLog
from streams.adapters.kafka.topics import KafkaTopics
from streams.cli.options import DURATION
from streams.cli.printing import plain_table, print_shown
from streams.write_keys import Issued, disable, enable, issue, revoke, rotate, state_of

_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group("keys")
def command() -> None:
    """Keys of those who send: made, listed, rotated, disabled for a while, and revoked.

    Kept in the topic `keys`, which every collector follows: what is changed here holds within about a second. Of a
    secret only a hash is kept, so it is shown once, when it is made.
    """


@command.command("create")
@click.argument("source")
@click.option(
    "--scope", "scopes", multiple=True, type=click.Choice(["write", "read", "admin"]),
    help="What it may do: send events, read what is stored, decide on contacts. Repeatable.  [default: write]",
)  # fmt: skip
@click.option(
    "--origin", "origins", multiple=True, metavar="URL", help="A page's origin that it is bound to. Repeatable."
)
@click.option("--event", "events", multiple=True, metavar="NAME", help="An event that it is bound to. Repeatable.")
@click.option(
    "--type", "types", multiple=True, type=click.Choice(["track", "identify", "consent"]),
    help="A type of record that it is bound to. Repeatable.",
)  # fmt: skip
@click.option("--rate", "events_per_s", type=click.IntRange(1, 1_000_000), help="Events a second that it may send.")
@click.option("--expires-in", type=DURATION, help="How long it is taken, like 90d.  [default: for ever]")
@_JSON
def create(
    source: str,
    scopes: tuple[str, ...],
    origins: tuple[str, ...],
    events: tuple[str, ...],
    types: tuple[str, ...],
    events_per_s: int | None,
    expires_in: int | None,
    as_json: bool,
) -> None:
    """Make a key of SOURCE, and print its secret: it cannot be read again.

    SOURCE is the `source` of all that is sent with it; several keys may share one. A key that is given no origin,
    event or type is bound to none. What a page sends shows its key to everybody: give it an origin and nothing but
    `write`.

    \b
    Examples:
      segue keys create website --origin https://shop.example --event page_view --event cart_add
      segue keys create warehouse --type identify --expires-in 90d
      segue keys create support-desk --scope admin --json
    """
    now_ms = _now_ms()
    issued = issue(
        source,
        now_ms,
        scopes=list(dict.fromkeys(scopes)) or ["write"],
        origins=list(dict.fromkeys(origins)),
        events=list(dict.fromkeys(events)),
        types=list(dict.fromkeys(types)),
        events_per_s=events_per_s,
        expires_at=None if expires_in is None else format_instant(now_ms + expires_in),
    )
    book = _Book()
    if len(book.entries) >= KEYS_MAX:
        raise InputError(f"there are {KEYS_MAX:,} keys, which is as many as there may be: reuse one by rotating it")
    book.keep(issued.entry)
    _show_issued(issued, as_json)


@command.command("list")
@click.option("--all", "show_all", is_flag=True, help="Also those that are expired or revoked.")
@_JSON
def list_keys(show_all: bool, as_json: bool) -> None:
    """List the keys that are taken or disabled; nothing shown here lets anybody in.

    \b
    Examples:
      segue keys list
      segue keys list --all --json
    """
    now_ms = _now_ms()
    entries = sorted(_Book().entries.values(), key=lambda entry: (entry.source, entry.created_at, entry.id))
    shown = [entry for entry in entries if show_all or state_of(entry, now_ms) in ("valid", "disabled")]
    if as_json:
        click.echo(msgspec.json.encode({"keys": [_view(entry, now_ms) for entry in shown]}))
        return
    if not shown:
        click.echo("no keys: make one with `segue keys create`")
        return
    columns = ("key", "source", "scopes", "bound to", "state", "expires")
    print_shown(plain_table(columns, (_row(entry, now_ms) for entry in shown)))


@command.command("rotate")
@click.argument("key_id")
@click.option(
    "--overlap", type=DURATION, default="24h", show_default=True, help="How long the old secret is still taken."
)
@_JSON
def rotate_key(key_id: str, overlap: int, as_json: bool) -> None:
    """Give KEY_ID a new secret, and print it; the old one is taken for a while longer.

    \b
    Examples:
      segue keys rotate k_2gjx7q3m
      segue keys rotate k_2gjx7q3m --overlap 7d
    """
    now_ms, book = _now_ms(), _Book()
    issued = rotate(book.find(key_id), now_ms, now_ms + overlap)
    book.keep(issued.entry)
    _show_issued(issued, as_json)


@command.command("revoke")
@click.argument("key_id")
@click.option("--yes", is_flag=True, help="Do not ask.")
@_JSON
def revoke_key(key_id: str, yes: bool, as_json: bool) -> None:
    """Take KEY_ID no more, with none of its secrets. It cannot be brought back.

    \b
    Examples:
      segue keys revoke k_2gjx7q3m
      segue keys revoke k_2gjx7q3m --yes --json
    """
    book = _Book()
    entry = book.find(key_id)
    if not yes:
        click.confirm(f"Revoke {key_id} of {entry.source}? Whoever sends with it is turned away", abort=True)
    now_ms = _now_ms()
    revoked = revoke(entry, now_ms)
    book.keep(revoked)
    click.echo(msgspec.json.encode(_view(revoked, now_ms)) if as_json else f"{key_id} of {entry.source}: revoked")


@command.command("disable")
@click.argument("key_id", required=False)
@click.option("--source", help="All keys of this source that are not over, instead of one.")
@_JSON
def disable_key(key_id: str | None, source: str | None, as_json: bool) -> None:
    """Turn KEY_ID away for a while: what is sent with it is answered 404 until it is enabled.

    SDKs throw away what is answered so: nothing of that time comes in later.

    \b
    Examples:
      segue keys disable k_2gjx7q3m
      segue keys disable --source website --json
    """
    _change_each(key_id, source, disable, as_json)


@command.command("enable")
@click.argument("key_id", required=False)
@click.option("--source", help="All keys of this source that are not over, instead of one.")
@_JSON
def enable_key(key_id: str | None, source: str | None, as_json: bool) -> None:
    """Take KEY_ID again that was disabled.

    \b
    Examples:
      segue keys enable k_2gjx7q3m
      segue keys enable --source website --json
    """
    _change_each(key_id, source, enable, as_json)


def _change_each(
    key_id: str | None, source: str | None, change: Callable[[KeyEntry, int], KeyEntry], as_json: bool
) -> None:
    if (key_id is None) == (source is None):
        raise click.UsageError("expected either KEY_ID or --source")
    now_ms, book = _now_ms(), _Book()
    chosen = book.of_source(source, now_ms) if source is not None else [book.find(key_id or "")]
    changed = [change(entry, now_ms) for entry in chosen]
    for entry in changed:
        book.keep(entry)
    if as_json:
        click.echo(msgspec.json.encode({"keys": [_view(entry, now_ms) for entry in changed]}))
        return
    for entry in changed:
        click.echo(f"{entry.id} of {entry.source}: {state_of(entry, now_ms)}")


class _Book:
    """The topic `keys`. Raises `UnavailableError` where it is missing or Kafka is away."""

    def __init__(self) -> None:
        settings = load_settings(CommonSettings)
        topic = settings.names.keys
        if topic not in KafkaTopics(settings.kafka).partition_counts([topic]):
            raise UnavailableError(
                f"no topic {topic}: create it with `segue topics create`, with the options that the other topics were "
                "created with"
            )
        self._log = KafkaCompactedLog(settings.kafka, topic)
        self.entries = dict(_readable(self._log.read()))

    def find(self, key_id: str) -> KeyEntry:
        """The key of that id. Raises `InputError`."""
        entry = self.entries.get(key_id)
        if entry is None:
            raise InputError(f"no key {key_id}: see `segue keys list --all`")
        return entry

    def of_source(self, source: str, now_ms: int) -> list[KeyEntry]:
        """The keys of that source that are not over. Raises `InputError` where there is none."""
        found = [
            entry
            for entry in self.entries.values()
            if entry.source == source and state_of(entry, now_ms) in ("valid", "disabled")
        ]
        if not found:
            raise InputError(f"no key of the source {source} that is not over: see `segue keys list --all`")
        return sorted(found, key=lambda entry: entry.id)

    def keep(self, entry: KeyEntry) -> None:
        """Returns when Kafka has it."""
        self._log.put(entry.id.encode(), encode_key_entry(entry))
        self._log.flush()


def _readable(values: Mapping[bytes, bytes]) -> list[tuple[str, KeyEntry]]:
    found = []
    for value in values.values():
        try:
            entry = decode_key_entry(value)
        except ValueError as error:
            click.echo(f"warning: an entry that is no key is passed over: {error}", err=True)
        else:
            found.append((entry.id, entry))
    return found


def _show_issued(issued: Issued, as_json: bool) -> None:
    view = _view(issued.entry, _now_ms())
    if as_json:
        click.echo(msgspec.json.encode({**view, "secret": issued.secret}))
        return
    old = [each["valid_until"] for each in view["secrets"] if each["valid_until"]]
    click.echo(f"{issued.entry.id} of {issued.entry.source}, shown this once: ", nl=False, err=True)
    click.echo(issued.secret)
    if old:
        click.echo(f"the old secret is taken until {old[-1]}", err=True)


def _view(entry: KeyEntry, now_ms: int) -> dict[str, Any]:
    fields = entry.model_dump()
    fields["secrets"] = [{"valid_until": each["valid_until"]} for each in fields["secrets"]]
    return {**fields, "state": state_of(entry, now_ms)}


def _row(entry: KeyEntry, now_ms: int) -> tuple[str, ...]:
    bound = [*entry.origins, *entry.events, *entry.types]
    expires = "never" if entry.expires_at is None else format_instant(entry.expires_at)
    shown = ", ".join(bound) or "nothing"
    return entry.id, entry.source, ", ".join(entry.scopes), shown, state_of(entry, now_ms), expires


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
