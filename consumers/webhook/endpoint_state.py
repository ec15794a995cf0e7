"""Whether an endpoint asked for no more deliveries. Kept in Redis, so that a restart does not ask again."""

from __future__ import annotations

import hashlib

from consumers.redis_client import AnyRedis, redis_answers
from consumers.webhook.dead_letters import shared_tag
from schemas.topics import Names


class EndpointState:
    """The mark of one consumer. It is for one URL: another one is a new endpoint. Methods raise `UnavailableError`."""

    def __init__(self, client: AnyRedis, names: Names, role: str, url: str) -> None:
        self._client = client
        self._key = names.shared_key(*shared_tag(role, "disabled"))
        # The URL may hold a secret, so its hash stands for it.
        self._url_hash = hashlib.sha256(url.encode()).hexdigest()

    async def disabled_at(self) -> str | None:
        """When the endpoint answered 410, RFC 3339; None where it did not."""
        with redis_answers():
            moment = await self._client.hget(self._key, self._url_hash)
        return None if moment is None else (moment.decode() if isinstance(moment, bytes) else moment)

    async def disable(self, moment: str) -> None:
        """Remember that it answered 410 at `moment`."""
        with redis_answers():
            await self._client.hset(self._key, self._url_hash, moment)

    async def enable(self) -> None:
        """Forget that it ever did."""
        with redis_answers():
            await self._client.hdel(self._key, self._url_hash)
