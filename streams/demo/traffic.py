"""Sends what the shop's visitors do through the collector's front door, as browsers, apps and mail readers would."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from itertools import cycle
from random import Random
from typing import Any

import httpx

from schemas.errors import UnavailableError
from schemas.instants import format_instant
from streams.demo.shop import Action, Shopper, shoppers, visit
from streams.links import Link, LinkSigner

ATTEMPTS_MAX = 6
"""Tries of one request while the collector answers 429 or 503."""
DOUBLE_SUBMIT_RATIO = 0.02
"""Share of calls that are sent twice with the same messageId, as impatient browsers do."""
CONNECTIONS_MAX = 16
"""Requests under way at once."""
_RETRY_MAX_S = 1.0
_REQUEST_TIMEOUT_S = 10.0
_BETWEEN_VISITS_S = 1.5
_USER_AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36"
_MAIL_PROXY = "Mozilla/5.0"
_SHOP = "https://shop.example"


class Traffic:
    """Some visitors at once, each on one visit after another, until cancelled or told to stop."""

    def __init__(
        self, client: httpx.AsyncClient, write_key: str, signer: LinkSigner, chance: Random, visitors: int
    ) -> None:
        """`client` has the collector's address as its base; `visitors` are in the shop at the same time."""
        self._client = client
        # The client itself would look at every connection for every request that waits.
        self._under_way = asyncio.Semaphore(CONNECTIONS_MAX)
        self._auth = httpx.BasicAuth(write_key, "")
        self._signer = signer
        self._chance = chance
        self._visitors = visitors
        self._everybody: Iterator[Shopper] = iter(())
        self._known: set[str] = set()
        self._stopping = asyncio.Event()
        self.accepted: Counter[str] = Counter()
        """Events that the collector took, by the way they came in."""
        self.retries = 0
        """Requests that were made again after a 429 or 503."""

    async def run(self) -> None:
        """Let people in until `stop`. Raises `UnavailableError` when the collector takes no more."""
        people = shoppers()
        self._chance.shuffle(people)
        self._everybody = cycle(people)
        try:
            async with asyncio.TaskGroup() as group:
                for number in range(self._visitors):
                    group.create_task(self._one_after_another(number))
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None

    def stop(self) -> None:
        """Let nobody in any more; `run` returns when the requests under way are answered."""
        self._stopping.set()

    async def _one_after_another(self, number: int) -> None:
        # Not all at once through the door.
        await self._pause(_BETWEEN_VISITS_S * number / self._visitors)
        while not self._stopping.is_set():
            shopper = next(self._everybody)
            first = shopper.contact_id not in self._known
            self._known.add(shopper.contact_id)
            for action in visit(shopper, self._chance, first=first):
                await self._pause(action.pause_s)
                if self._stopping.is_set():
                    return
                await self._act(shopper, action)
            await self._pause(self._chance.uniform(0, 2 * _BETWEEN_VISITS_S))

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return

    async def _act(self, shopper: Shopper, action: Action) -> None:
        if action.way in {"open", "click"}:
            await self._fetch(shopper, action)
            return
        path, body, events = _call(shopper, action)
        await self._post(path, body)
        self.accepted[action.way] += events
        if self._chance.random() < DOUBLE_SUBMIT_RATIO:
            await self._post(path, body)
            self.accepted[action.way] += events

    async def _post(self, path: str, body: dict[str, Any]) -> None:
        answer = await self._request("POST", path, {"User-Agent": _USER_AGENT}, body)
        if answer.status_code != httpx.codes.OK:
            raise UnavailableError(f"the collector answered {answer.status_code} to {path}: {answer.text}")

    async def _fetch(self, shopper: Shopper, action: Action) -> None:
        opening = action.way == "open"
        link = Link(shopper.contact_id, action.campaign, None if opening else f"{_SHOP}/{action.link}")
        token = self._signer.make("open" if opening else "click", link)
        user_agent = _MAIL_PROXY if action.machine else _USER_AGENT
        path = f"/o/{token}.gif" if opening else f"/c/{token}"
        answer = await self._request("GET", path, {"User-Agent": user_agent}, None)
        expected = httpx.codes.OK if opening else httpx.codes.FOUND
        if answer.status_code != expected:
            raise UnavailableError(f"the collector answered {answer.status_code} to an e-mail's {action.way}")
        self.accepted[action.way] += 1

    async def _request(
        self, method: str, path: str, headers: dict[str, str], body: dict[str, Any] | None
    ) -> httpx.Response:
        for attempt in range(1, ATTEMPTS_MAX + 1):
            try:
                async with self._under_way:
                    answer = await self._client.request(
                        method, path, json=body, headers=headers, auth=self._auth, timeout=_REQUEST_TIMEOUT_S
                    )
            except httpx.TransportError as error:
                raise UnavailableError(f"the collector does not answer: {type(error).__name__} {error}") from error
            if answer.status_code not in {429, 503} or attempt == ATTEMPTS_MAX:
                return answer
            self.retries += 1
            await asyncio.sleep(min(float(answer.headers.get("Retry-After", "1")), _RETRY_MAX_S))
        raise AssertionError("the last attempt returns")


def _call(shopper: Shopper, action: Action) -> tuple[str, dict[str, Any], int]:
    """Path, body and number of events of an API call."""
    who = {"userId": shopper.user_id} if shopper.user_id else {"anonymousId": shopper.anonymous_id}
    if action.way == "identify":
        return "/v1/identify", who | {"messageId": uuid.uuid4().hex, "traits": action.properties}, 1
    event = who | {"event": action.event, "properties": action.properties}
    if action.way == "track":
        return "/v1/track", event | {"messageId": uuid.uuid4().hex}, 1
    now_ms = time.time_ns() // 1_000_000
    moments = [format_instant(now_ms - int(age_s * 1000)) for age_s in action.ages_s]
    batch = [event | {"type": "track", "messageId": uuid.uuid4().hex, "timestamp": moment} for moment in moments]
    return "/v1/batch", {"batch": batch}, len(batch)
