"""A collector on ports in memory: everything but Kafka and the network is real."""

from __future__ import annotations

import asyncio
import json
import queue
import threading
from collections.abc import Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import httpx
from pydantic import SecretStr
from starlette.applications import Starlette

from schemas.errors import UnavailableError
from schemas.metrics import Meters
from schemas.records import DefinitionsRecord, definitions_hash, encode_record
from schemas.topics import Names
from schemas.write_keys import KeyEntry, encode_key_entry
from streams.collector.app import Spool, create_app
from streams.collector.settings import CollectorSettings
from streams.links import LinkSigner
from streams.ports import Entry, LogBounds, LogIdentity, Message, QueueFullError, RecordRefusedError, TimestampType
from tests.support.waiting import wait_until

T = TypeVar("T")
WRITE_KEY = "website-write-key"
LINK_KEYS = {"k2": SecretStr("the-newer-signing-secret"), "k1": SecretStr("the-older-signing-secret")}
SIGNER = LinkSigner(LINK_KEYS)
NOW_MS = 1_795_255_200_000
NOW = "2026-11-21T10:00:00.000Z"


def definitions_message(text: str = '{"version":1}') -> Message:
    """The record with which a log begins."""
    record = DefinitionsRecord(
        type="definitions", definitions=text, hash=definitions_hash(text), number=1, semantics="1", tzdata="2026.1"
    )
    return Message("tracking", 0, None, encode_record(record), offset=0)


class StillClock:
    """Stands at `NOW_MS` until it is set."""

    def __init__(self) -> None:
        self.now = NOW_MS

    def now_ms(self) -> int:
        return self.now


class MemoryIntake:
    """Acknowledges at once, unless told to fail or to hold its acks back."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.full = False
        self.away = False
        self.refused: set[bytes] = set()
        self.gate: asyncio.Event | None = None
        self.waiting = 0

    async def append(self, entries: Sequence[Entry], *, sent_again: bool = False) -> None:  # noqa: ARG002 - the port's
        if self.full:
            raise QueueFullError("the queue is full")
        self.waiting += len(entries)
        try:
            if self.gate is not None:
                await self.gate.wait()
            if self.away:
                raise UnavailableError("no broker answers")
            if any(entry.value in self.refused for entry in entries):
                raise RecordRefusedError("too large")
            self.entries.extend(entries)
        finally:
            self.waiting -= len(entries)

    @property
    def records(self) -> list[dict[str, Any]]:
        """What was written, decoded."""
        return [json.loads(entry.value) for entry in self.entries]


class MemoryFetcher:
    """Addresses and what lies there; everything else does not answer."""

    def __init__(self) -> None:
        self.pages: dict[str, bytes] = {}
        self.fetched: list[str] = []

    async def fetch(self, url: str) -> bytes:
        self.fetched.append(url)
        if url not in self.pages:
            raise UnavailableError("no answer there")
        return self.pages[url]


class MemoryTopics:
    """Topics as a test wants them; by default ready to be written to."""

    def __init__(self) -> None:
        self.counts = {"tracking": 2, "transitions": 2, "tracking.dead_letter": 2}
        self.first: dict[int, Message | None] = {0: definitions_message(), 1: definitions_message()}
        self.identity = LogIdentity("cluster", "topic-1")
        self.away = False
        self.bug: Exception | None = None

    def partition_counts(self, topics: Iterable[str]) -> Mapping[str, int]:
        if self.away:
            raise UnavailableError("Kafka does not answer")
        if self.bug is not None:
            raise self.bug
        return {topic: self.counts[topic] for topic in topics if topic in self.counts}

    def timestamp_type(self, topic: str) -> TimestampType:
        raise AssertionError(f"the collector has no use for the timestamps of {topic}")

    def log_identity(self, topic: str) -> LogIdentity:
        assert topic == "tracking"
        return self.identity

    def log_bounds(self, topic: str) -> Mapping[int, LogBounds]:
        assert topic == "tracking"
        return {number: LogBounds(0, 0 if first is None else 1) for number, first in self.first.items()}

    def first_records(self, topic: str) -> Mapping[int, Message | None]:
        assert topic == "tracking"
        return self.first


class MemoryKeys:
    """The topic of keys as a test wants it: there and empty by default."""

    def __init__(self) -> None:
        self.values: dict[bytes, bytes | None] | None = {}
        self.away = False
        self.begun_anew = self.answered = False
        self.position = 0
        self.reads = 0
        self.silent = False
        """Kafka is only listened to, and not asked."""
        self.gate = threading.Event()
        """While it is not set, no call is answered."""
        self.gate.set()
        self._changes: queue.SimpleQueue[dict[bytes, bytes | None]] = queue.SimpleQueue()
        self._whole = True

    def put(self, entry: KeyEntry) -> None:
        """Write an entry, as `segue keys` does."""
        self.put_raw(entry.id.encode(), encode_key_entry(entry))

    def put_raw(self, key_id: bytes, value: bytes | None) -> None:
        self.values = (self.values or {}) | {key_id: value}
        self._changes.put({key_id: value})

    def make_anew(self) -> None:
        """The topic was deleted and made again; it is empty."""
        self.values = {}
        self._whole = True

    def read(self, timeout_ms: int) -> dict[bytes, bytes | None] | None:
        self.gate.wait(30)
        if self.away:
            raise UnavailableError("Kafka does not answer")
        if self.values is None:
            return None
        self.reads += 1
        self.answered = self._whole or not self.silent
        self.position = len(self.values)
        self.begun_anew, self._whole = self._whole, False
        if self.begun_anew:
            return dict(self.values)
        try:
            return self._changes.get(timeout=min(timeout_ms, 20) / 1000)
        except queue.Empty:
            return {}

    def close(self) -> None:
        self._whole = True


class Client:
    """Calls an app that runs, lifespan and all, on an event loop of its own."""

    def __init__(self, app: Starlette) -> None:
        self.app = app
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://collector")
        self._lifespan = app.router.lifespan_context(app)

    def __enter__(self) -> Client:
        self._thread.start()
        self._run(self._lifespan.__aenter__())
        return self

    def __exit__(self, *_: object) -> None:
        self._run(self._lifespan.__aexit__(None, None, None))
        self._run(self._http.aclose())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def get(self, path: str, **more: Any) -> httpx.Response:
        return self._run(self._http.get(path, **more))

    def head(self, path: str) -> httpx.Response:
        return self._run(self._http.head(path))

    def options(self, path: str, **more: Any) -> httpx.Response:
        return self._run(self._http.options(path, **more))

    def post(self, path: str, **more: Any) -> httpx.Response:
        return self._run(self._http.post(path, **more))

    def _run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(30)


class Door:
    """The collector's HTTP door."""

    def __init__(
        self,
        client: Client,
        intake: MemoryIntake,
        topics: MemoryTopics,
        clock: StillClock,
        bugs: list[BaseException],
        keys: MemoryKeys,
        fetcher: MemoryFetcher,
    ) -> None:
        self.client = client
        self.keys = keys
        self.intake = intake
        self.topics = topics
        self.clock = clock
        self.bugs = bugs
        self.fetcher = fetcher

    def post(self, path: str, body: object, key: str = WRITE_KEY, **headers: str) -> httpx.Response:
        """A call with a write key; a body that is not bytes goes as JSON."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.client.post(path, content=content, auth=(key, ""), headers=headers)

    def track(self, **event: object) -> httpx.Response:
        """`POST /v1/track` of a valid event, with what the test changes in it."""
        return self.post("/v1/track", {"userId": "c1", "event": "Product Added", **event})

    def metric(self, name: str, **labels: str) -> float:
        """A sample of `/metrics`; `AssertionError` where there is none."""
        shown = ",".join(f'{key}="{value}"' for key, value in labels.items())
        wanted = f"{name}{{{shown}}} " if shown else f"{name} "
        found = [line for line in self.client.get("/metrics").text.splitlines() if line.startswith(wanted)]
        assert found, f"no sample of {wanted}"
        return float(found[0].removeprefix(wanted))


@contextmanager
def open_door(
    wait_for_ready: bool = True,
    topics: MemoryTopics | None = None,
    keys: MemoryKeys | None = None,
    spool: Spool | None = None,
    **settings: Any,
) -> Iterator[Door]:
    """A running collector whose settings are the defaults, with what the test changes in them."""
    values = {"collector_check_interval_ms": 100, "write_keys": {"website": SecretStr(WRITE_KEY)}, **settings}
    configured = CollectorSettings(**{"link_keys": LINK_KEYS, **values})
    intake, reader, clock = MemoryIntake(), topics or MemoryTopics(), StillClock()
    bugs: list[BaseException] = []
    fetcher = MemoryFetcher()
    assert configured.names == Names("")
    feed = keys or MemoryKeys()
    app = create_app(configured, intake, reader, clock, Meters("collector"), bugs.append, fetcher, feed, spool)
    with Client(app) as client:
        if wait_for_ready:
            wait_until(lambda: client.get("/readyz").status_code == 200, 10, "the collector to be ready")
        yield Door(client, intake, reader, clock, bugs, feed, fetcher)
