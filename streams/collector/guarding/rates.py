"""How often somebody may call: a token bucket for each, in bounded memory."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Hashable

from streams.collector.guarding.addresses import Address
from streams.collector.http.refusals import Refusal

IPV6_BITS = 64
"""A customer of a provider has a whole network of this size, and can call from any address in it."""


class RateError(Refusal):
    """Too much came in too short a time; nothing of the call was taken."""

    def __init__(self, reason: str, message: str, wait_s: float) -> None:
        seconds = str(max(1, math.ceil(wait_s)))
        # Segment's libraries have read both as seconds to wait.
        super().__init__(429, reason, message, {"Retry-After": seconds, "X-RateLimit-Reset": seconds})


class Buckets:
    """A bucket for each of the last so many that came: it fills steadily, and holds so many seconds' worth.

    Past the bound the one that was seen longest ago is forgotten: it starts again with a full bucket.
    """

    def __init__(self, burst_s: float, tracked_max: int, seconds: Callable[[], float]) -> None:
        """`seconds` is a clock that never goes back."""
        self._burst_s = burst_s
        self._tracked_max = tracked_max
        self._seconds = seconds
        self._buckets: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()  # tokens, as of when

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, who: Hashable, tokens: int, per_s: float) -> float:
        """0 where the tokens were there and are taken; else seconds until they may be, and none is taken.

        More than a full bucket holds is taken from a full one, which is in debt then: else it could never be.
        """
        now, full = self._seconds(), per_s * self._burst_s
        held, since = self._buckets.pop(who, (full, now))
        held = min(full, held + (now - since) * per_s)
        needed = min(tokens, full)
        wait_s = 0.0 if held >= needed else (needed - held) / per_s
        self._buckets[who] = (held if wait_s else held - tokens, now)
        if len(self._buckets) > self._tracked_max:
            self._buckets.popitem(last=False)
        return wait_s


class Rates:
    """The bounds of the settings: calls of one address, events of one key. 0 is none."""

    def __init__(
        self, *, address_per_s: int, key_events_per_s: int, burst_s: int, tracked_max: int, seconds: Callable[[], float]
    ) -> None:
        self._address_per_s = address_per_s
        self._key_events_per_s = key_events_per_s
        self._addresses = Buckets(burst_s, tracked_max, seconds)
        self._keys = Buckets(burst_s, tracked_max, seconds)

    @property
    def bounds_addresses(self) -> bool:
        """Whether addresses have a bound, and need to be known."""
        return self._address_per_s > 0

    def take_call(self, address: Address | None) -> None:
        """Raises `RateError` where an address calls too often."""
        if not self._address_per_s or address is None:
            return
        who = int(address) >> (128 - IPV6_BITS) if address.version == 6 else int(address)
        wait_s = self._addresses.take((address.version, who), 1, self._address_per_s)
        if wait_s:
            raise RateError("address_rate", f"expected at most {self._address_per_s} calls a second", wait_s)

    def take_events(self, key_id: str, own_per_s: int | None, events: int) -> None:
        """Raises `RateError` where a key sends too much; `own_per_s` is the key's own bound."""
        per_s = own_per_s or self._key_events_per_s
        if not per_s:
            return
        wait_s = self._keys.take(key_id, events, per_s)
        if wait_s:
            raise RateError("key_rate", f"expected at most {per_s} events a second with this key", wait_s)
