"""Whether records may be written, and whether the collector should be sent any."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from schemas.errors import AccessError, InputError, UnavailableError
from schemas.topics import Names
from streams.ports import LogIdentity, TopicReader
from streams.sending.log_start import NotBegunError, check_log_begun, check_topics

_log = logging.getLogger(__name__)


class Readiness:
    """Looks at the topics every now and then.

    `open` guards the log: a record in front of the definitions would spoil it for ever, so nothing is written before
    they were seen, and again after the topic was replaced. It stays open while Kafka is away, when writing fails by
    itself. `problem` is what keeps the collector from being ready, None when nothing does.
    """

    def __init__(
        self, reader: TopicReader, names: Names, interval_ms: int, spool_takes: Callable[[], bool] = lambda: False
    ) -> None:
        """`spool_takes` tells whether a spool takes single records while Kafka is away."""
        self._spool_takes = spool_takes
        self._reader = reader
        self._names = names
        self._interval_s = interval_ms / 1000
        self._begun: LogIdentity | None = None
        self._looked = False
        self.away = True
        """What Kafka says of the log is not known: it was not asked yet, or did not answer."""
        self.problem: str | None = "the topics have not been looked at yet"

    @property
    def open(self) -> bool:
        """Records may be written."""
        return self._begun is not None

    @property
    def serves(self) -> bool:
        """Calls should be sent here: their records are written, or spooled until they can be."""
        return self.problem is None or (self._looked and self.away and self._spool_takes())

    async def watch(self) -> None:
        """Look again and again; ends by cancellation, or with `AccessError` when Kafka does not let us in."""
        while True:
            await self.look()
            await asyncio.sleep(self._interval_s)

    async def look(self) -> None:
        """Bring `open` and `problem` up to date."""
        problem: str | None = None
        away = False
        try:
            await asyncio.to_thread(self._check)
        except AccessError:
            raise
        except (InputError, UnavailableError) as error:
            problem = str(error)
            away = isinstance(error, UnavailableError) and not isinstance(error, NotBegunError)
        self.away, self._looked = away, True
        if problem != self.problem:
            self.problem = problem
            if problem is None:
                _log.info("ready")
            else:
                _log.warning("not ready: %s", problem)

    def _check(self) -> None:
        topic = self._names.tracking
        if topic not in self._reader.partition_counts([topic]):
            self._begun = None  # the one that may be created next begins anew
        check_topics(self._reader, self._names)
        identity = self._reader.log_identity(topic)
        if identity != self._begun:
            self._begun = None
            check_log_begun(self._reader, topic)
            self._begun = identity
