"""Who takes part in the comparison, and how."""

from __future__ import annotations

from dataclasses import dataclass

from streams.garbage import GARBAGE_THRESHOLDS


@dataclass(frozen=True)
class Contender:
    """One way of doing the work."""

    name: str
    title: str
    how: str
    """What is used of it, and what it promises, in a sentence."""
    folder: str | None = None
    """Its place in `bench/contenders`; None for Segue itself."""
    package: str | None = None
    """The package whose version is told."""
    arguments: tuple[str, ...] = ()
    """Of its command line."""
    processes: int = 1
    compiled: bool = False
    """With the core compiled, as in the image; for Segue itself."""
    garbage_thresholds: str = ""
    """Of the garbage collector, where what is there at the start is frozen; empty leaves all as it is."""
    events_max: int | None = None
    """It is given no more than the first so many events: all would take too long."""


_FAUST = ("worker", "--loglevel", "error", "--without-web")

SEGUE = Contender(
    "segue",
    "Segue",
    "the worker as in the image, its core compiled: exact, with atomic commits to Redis",
    compiled=True,
)

ROSTER = (
    SEGUE,
    Contender("segue_two", "Segue, two processes", "the same, two workers in one group", processes=2, compiled=True),
    Contender("segue_pure", "Segue, pure Python", "one worker, nothing compiled"),
    Contender(
        "faust_one",
        "Faust, one event at a time",
        "an agent with one GET and one SET an event; at least once",
        "faust_one",
        "faust-streaming",
        _FAUST,
        events_max=100_000,
    ),
    Contender(
        "faust_batch",
        "Faust, batches",
        "`take(1000)` with one MGET and one MSET a batch; at least once",
        "faust_batch",
        "faust-streaming",
        _FAUST,
        events_max=1_000_000,
    ),
    Contender(
        "quix",
        "Quix Streams",
        "stateful `apply` on RocksDB with a changelog topic; at least once (its defaults)",
        "quix",
        "quixstreams",
    ),
    Contender(
        "bytewax",
        "Bytewax",
        "`stateful_batch` by contact, state in memory and not recovered (its default)",
        "bytewax",
        "bytewax",
    ),
    Contender(
        "bytewax_frozen",
        "Bytewax, garbage collector tuned",
        "the same, with the garbage collector set as Segue's worker sets it",
        "bytewax",
        "bytewax",
        garbage_thresholds=",".join(map(str, GARBAGE_THRESHOLDS)),
    ),
    Contender(
        "pathway",
        "Pathway",
        "`stateful_many` by contact, state in memory and not persisted (its default)",
        "pathway",
        "pathway",
    ),
)
