"""What reads bytes of strangers, each with bytes that it takes; whatever comes, it answers with its own error or none.

A target that raises anything else has a bug. A decoder that is new gets a function and a line in `TARGETS`.
"""

from __future__ import annotations

import base64
import contextlib
import gzip
import json
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple, get_args

from pydantic import SecretStr

from schemas.errors import InputError
from schemas.lists import decode_entry, decode_key
from schemas.records import InvalidRecordError, decode_record, encode_record
from schemas.write_keys import decode_key_entry, encode_key_entry
from streams.collector.calls.event_names import event_name
from streams.collector.calls.fields import Arrival
from streams.collector.calls.payloads import PayloadError, erasure
from streams.collector.calls.sorting import sort_batch, sort_single
from streams.collector.guarding.access import Access, Keyring
from streams.collector.guarding.addresses import parse_address, written_address
from streams.collector.http.bodies import gunzip
from streams.collector.http.refusals import Refusal
from streams.confirmations import ConfirmationSigner
from streams.detecting.detector import record_of
from streams.detecting.memory import Memory
from streams.detecting.rules import Thresholds
from streams.importing.csv_rows import CsvRows
from streams.importing.journal import read_journal
from streams.importing.jsonl_rows import JsonlRows
from streams.importing.mapping import ImportMapping, read_mapping
from streams.importing.row_records import RowRecords, Terms
from streams.links import Link, LinkKind, LinkSigner
from streams.ports import Message
from streams.sealing import BadTokenError
from tests.fuzzing import callers
from tests.support.run_directory import CHECKOUT

_EXAMPLES = sorted((CHECKOUT / "schemas" / "examples" / "valid").glob("*.json"))
_SIGNER = LinkSigner({"k1": SecretStr("a-long-signing-secret")})
_CONFIRMATIONS = ConfirmationSigner({"k1": SecretStr("a-long-signing-secret")})
_NOW_MS = 1_795_255_200_000
_ARRIVAL = Arrival("website", _NOW_MS, lambda: "id", {})
_SUSPECT_ALL = Thresholds(burst_links=1, burst_ms=1, after_delivery_ms=1, near_honeypot_ms=1)
_GUNZIPPED_BYTES_MAX = 64 * 1024
_KINDS = {"age": "number", "phone": "phone", "country": "country", "seen": "date", "at": "instant", "ok": "boolean"}
_MAPPING = ImportMapping.model_validate(
    {
        "version": 1,
        "contact": "email",
        "traits": {name: {"column": name, "kind": kind} for name, kind in _KINDS.items()} | {"name": "name"},
    }
)
_TERMS = Terms("import-1", _NOW_MS, stated=True, backfill=True)


class Target(NamedTuple):
    """A decoder: what is called with the bytes, and bytes to begin with."""

    read: Callable[[bytes], object]
    seeds: tuple[bytes, ...]


class _StillClock:
    def now_ms(self) -> int:
        return _NOW_MS


_ACCESS = Access(Keyring({"website": SecretStr("a-write-key")}), _StillClock())


def _record(raw: bytes) -> None:
    try:
        record = decode_record(raw)
    except InvalidRecordError:
        return
    assert decode_record(encode_record(record)) == record, "what we write reads as the same"


def _read_along(raw: bytes) -> None:
    record = record_of(Message("tracking", 0, b"c1", raw, timestamp_ms=_NOW_MS))
    if record is None:
        return
    memory = Memory(_SUSPECT_ALL, window_ms=_NOW_MS, events_max=10)
    memory.take(0, record, _NOW_MS)
    for finding in memory.due(0):
        assert decode_record(encode_record(finding.correction)) == finding.correction


def _call(raw: bytes) -> None:
    for kind in ("track", "identify", "page", "group", "consent"):
        for accepted in sort_single(kind, raw, _ARRIVAL).accepted:
            decode_record(accepted.entry.value)


def _batch(raw: bytes) -> None:
    try:
        found = sort_batch(raw, _ARRIVAL)
    except Refusal:
        return
    for accepted in found.accepted:
        for record in (accepted, *accepted.more):
            decode_record(record.entry.value)


def _erasure(raw: bytes) -> None:
    try:
        event = json.loads(raw)
    except (ValueError, RecursionError):
        return
    try:
        decode_record(erasure(event, _ARRIVAL).entry.value)
    except PayloadError:
        return


def _body(raw: bytes) -> None:
    try:
        assert len(gunzip(raw, _GUNZIPPED_BYTES_MAX)) <= _GUNZIPPED_BYTES_MAX
    except Refusal:
        return


def _token(raw: bytes) -> None:
    text = raw.decode("latin-1")
    for kind in get_args(LinkKind):
        try:
            link = _SIGNER.read(kind, text, _NOW_MS)
        except BadTokenError:
            continue
        assert _SIGNER.read(kind, _SIGNER.make(kind, link), _NOW_MS) == link


def _confirmation(raw: bytes) -> None:
    try:
        confirmation = _CONFIRMATIONS.read(raw.decode("latin-1"), _NOW_MS)
    except BadTokenError:
        return
    assert _CONFIRMATIONS.read(_CONFIRMATIONS.make(confirmation), _NOW_MS) == confirmation


def _authorization(raw: bytes) -> None:
    _ACCESS.key(raw.decode("latin-1"))


def _key_entry(raw: bytes) -> None:
    try:
        entry = decode_key_entry(raw)
    except ValueError:
        return
    assert decode_key_entry(encode_key_entry(entry)) == entry


def _list_entry(raw: bytes) -> None:
    for decode in (decode_entry, decode_key):
        try:
            decode(raw)
        except ValueError:
            continue


def _event_name(raw: bytes) -> None:
    name = event_name(raw.decode("utf-8", "replace"))
    assert name is None or event_name(name.text) is not None


def _address(raw: bytes) -> None:
    address = parse_address(raw.decode("latin-1"))
    assert parse_address(str(address)) == address or address is None
    written_address(address, "truncated")


def _examples(kind: str = "") -> tuple[bytes, ...]:
    return tuple(path.read_bytes() for path in _EXAMPLES if path.name.startswith(kind))


_EVENT = b'{"type":"track","userId":"c1","messageId":"m","event":"Product Added","timestamp":"2026-11-21T09:59:00Z"}'
_CLICK = (
    b'{"type":"track","event_id":"e","contact_id":"c1","event":"email_click","occurred_at":"2026-11-21T09:59:00Z",'
    b'"properties":{"campaign_id":7,"link_url":"a"},"machine":{"suspected":true,"reasons":["honeypot"]}}'
)
_DECISION = b'{"type":"consent","anonymousId":"a","purposes":{"ads":true},"document":"d","method":"m"}'


def _contacts(raw: bytes) -> None:
    """A file of contacts in each format, and as what belongs to it."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(raw)
        file.flush()
        path = Path(file.name)
        for read in (_csv_rows, _jsonl_rows, read_mapping, read_journal):
            with contextlib.suppress(InputError):
                read(path)


def _csv_rows(path: Path) -> None:
    source = CsvRows(path, None, None)
    for row in source.rows(lambda _done: None):
        assert row.problem or set(row.cells) == set(source.columns), "each field is a cell"


def _jsonl_rows(path: Path) -> None:
    for row in JsonlRows(path).rows(lambda _done: None):
        RowRecords(_MAPPING, _TERMS).read(row)


TARGETS: dict[str, Target] = {
    "record": Target(_record, _examples()),
    "read_along": Target(_read_along, (_CLICK, *_examples())),
    "call": Target(
        _call, (_EVENT, _DECISION, b'{"userId":"c1","traits":{"a":null},"groupId":"g","context":{"ip":"1"}}')
    ),
    "batch": Target(_batch, (b'{"batch":[%s,%s],"sentAt":"2026-11-21T10:00:00Z"}' % (_EVENT, _DECISION),)),
    "erasure": Target(_erasure, (b'{"userId":"c1"}',)),
    "body": Target(_body, (gzip.compress(_EVENT, mtime=0), gzip.compress(b" " * 10_000, mtime=0))),
    "token": Target(
        _token,
        (
            _SIGNER.make("open", Link("c1", "welcome")).encode(),
            _SIGNER.make("click", Link("c1", "welcome", "https://shop.example/sale")).encode(),
        ),
    ),
    "confirmation": Target(_confirmation, (_SIGNER.make("open", Link("c1", "welcome")).encode(), b"k1.AAAA")),
    "authorization": Target(_authorization, (b"Basic " + base64.b64encode(b"a-write-key:"), b"basic =")),
    "key_entry": Target(_key_entry, _examples("key_entry")),
    "list_entry": Target(_list_entry, (*_examples("list_entry"), b'["vip","c1"]')),
    "event_name": Target(_event_name, ("Añadido al carrito 5".encode(), b"2nd Visit", b"cart_add")),
    **{f"hook_{name}": Target(partial(callers.hook, name), seeds) for name, seeds in callers.HOOK_SEEDS.items()},
    "sns": Target(callers.sns, callers.SNS_SEEDS),
    "form": Target(callers.form, callers.FORM_SEEDS),
    "contacts": Target(
        _contacts,
        (
            (CHECKOUT / "ops/examples/contacts.csv").read_bytes(),
            (CHECKOUT / "ops/examples/contacts.map.yaml").read_bytes(),
            b'{"email":"a@shop.example","age":"12","phone":"+33 1 23 45 67 89","country":"FR"}\n[]\n',
            b'{"version":1,"file":"","plan":"","cluster_id":"","topic_id":"","topic":"","occurred_at":1}\n{"rows":1}\n',
        ),
    ),
    "address": Target(_address, (b"198.51.100.7:80", b"[2001:db8::1%eth0]:443", b"::ffff:1.2.3.4")),
}
EVERY = "every"
"""All of them in one process: the first byte says which."""


def _every(raw: bytes) -> None:
    if raw:
        names = list(TARGETS)
        TARGETS[names[raw[0] % len(names)]].read(raw[1:])


def target(name: str) -> Target:
    """The decoder of that name, or every one."""
    if name != EVERY:
        return TARGETS[name]
    seeds = (bytes([number]) + seed for number, each in enumerate(TARGETS.values()) for seed in each.seeds)
    return Target(_every, tuple(seeds))
