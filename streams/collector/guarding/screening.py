"""What a record passes between its call and Kafka: is the key good for it, is there consent, what stays of an address.

Whatever makes records of calls asks `CallScreening`; of links in e-mails and the like, `Screening` itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, TypeAlias

from starlette.requests import Request

from schemas.metrics import Meters
from streams.collector.guarding.addresses import (
    Address,
    Network,
    Written,
    client_address,
    parse_address,
    written_address,
)
from streams.collector.guarding.consent_policy import ConsentPolicy, Without
from streams.collector.guarding.keyring import Key

JsonObject: TypeAlias = dict[str, Any]

_BROWSERS_HEADERS = ("origin", "sec-fetch-site")
"""One of them comes from every browser, and none from a server, whose own address is nobody's."""


class Screening:
    """The rules of the settings; made once. `of` is what they come to for one call."""

    def __init__(
        self, policy: ConsentPolicy | None, written: Written, proxies: tuple[Network, ...], meters: Meters
    ) -> None:
        self._policy = policy
        self._written = written
        self._proxies = proxies
        self._meters = meters
        named = (rule.events or [] for rule in policy.rules) if policy is not None else ()
        self._counted = frozenset(event for events in named for event in events)

    def of(self, key: Key, request: Request | None) -> CallScreening:
        """What holds for the records of one call."""
        return CallScreening(self, key, self._browsers_address(request))

    def address(self, request: Request) -> Address | None:
        """Who called."""
        return client_address(request, self._proxies)

    def recorded_address(self, request: Request) -> str | None:
        """What a record may say of who called; for what only people's programs call, such as links in e-mails."""
        return written_address(self.address(request), self._written) if self._written != "none" else None

    def withholds(self, body: JsonObject, source: str, contexts: Iterable[object]) -> bool:
        """Whether a record may not be written, for want of consent in its contexts; counts it then.

        Of several contexts the later ones go before.
        """
        if self._policy is None:
            return False
        context: JsonObject = {}
        for each in contexts:
            context |= each if isinstance(each, dict) else {}
        left = self._policy.withheld(body, source, context)
        if left is not None:
            self._meters.counter("segue_collector_withheld_total", self._label(left, body)).inc()
        return left is not None

    def count_nobodys(self, event: str, source: str) -> None:
        """Count an event that says of itself that it is nobody's; `event` is a name of ours."""
        body = {"type": "track", "event": event}
        left = "count" if self._policy is None else self._policy.without_identity(body, source)
        self._meters.counter("segue_collector_withheld_total", event if left == "count" else "dropped").inc()

    def trim(self, context: JsonObject, address: str | None) -> None:
        """Leave of `context.ip` what the setting says; where there is none, `address` is put there."""
        given = context.pop("ip", None)
        if self._written == "none":
            return
        kept = written_address(parse_address(given), self._written) if isinstance(given, str) else address
        if kept is not None:
            context["ip"] = kept

    def _label(self, left: Without, body: JsonObject) -> str:
        """Anybody may name events, so only names of the policy are told apart."""
        if left == "drop":
            return "dropped"
        name = body.get("event", body["type"])
        return name if name in self._counted or name == "identify" else "other"

    def _browsers_address(self, request: Request | None) -> str | None:
        if self._written == "none" or request is None:
            return None
        if not any(name in request.headers for name in _BROWSERS_HEADERS):
            return None
        return self.recorded_address(request)


class CallScreening(NamedTuple):
    """What holds for the records of one call."""

    rules: Screening
    key: Key
    address: str | None

    def refusal(self, body: Mapping[str, Any]) -> tuple[str, str] | None:
        """The field for which the key is not good, and what was expected there."""
        key = self.key
        if key.types and body["type"] not in key.types:
            return "type", f"expected {_told(key.types)}, which is what this key may send"
        if key.events and body["type"] == "track" and body["event"] not in key.events:
            return "event", f"expected {_told(key.events)}, which is what this key may send"
        return None

    def trim(self, body: JsonObject) -> None:
        """Leave of an address in the record's context what may be kept."""
        context = body.get("context")
        if context is not None:
            self.rules.trim(context, self.address)

    def withholds(self, body: JsonObject, contexts: Iterable[object]) -> bool:
        """Whether the record may not be written, for want of consent in the call's contexts; counts it then."""
        return self.rules.withholds(body, self.key.source, contexts)


def _told(names: frozenset[str]) -> str:
    shown = sorted(names)
    return shown[0] if len(shown) == 1 else f"one of {', '.join(shown)}"
