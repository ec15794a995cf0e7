"""Why a contact moved, in plain words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from schemas.transitions import Transition

_EVENTS = {
    "page_view": "looked at a page",
    "product_view": "looked at a product",
    "cart_add": "put something in the cart",
    "checkout_start": "went to the checkout",
    "purchase": "bought",
    "email_open": "opened an e-mail",
    "email_click": "followed a link",
}
_KINDS = {
    "traits": "a trait was set",
    "consent": "a consent was given or withdrawn",
    "list": "was put on a list or taken off",
    "correction": "a machine's clicks, taken back",
    "erasure": "asked to be forgotten",
    "definition": "the definitions changed",
    "backfill": "the definitions changed, silently",
    "merge": "two contacts became one",
}


class Phrases:
    """What to say when time alone moved a contact, from the `meta` of a definition file's segments."""

    def __init__(self, definitions: Mapping[str, Any]) -> None:
        self._by_time: dict[tuple[str, str], str] = {}
        for name, segment in definitions["segments"].items():
            meta = segment.get("meta", {})
            for kind in ("entered", "exited"):
                if f"{kind}_by_time" in meta:
                    self._by_time[name, f"segment.{kind}"] = meta[f"{kind}_by_time"]

    def why(self, transition: Transition) -> str:
        """One short sentence without its contact."""
        cause = transition.cause
        if cause.kind == "timer":
            return self._by_time.get((transition.segment, transition.type), "time passed")
        if cause.kind != "event":
            return _KINDS[cause.kind]
        did = _EVENTS.get(cause.event or "", f"did {cause.event}")
        readings = ", ".join(f"{name} {reading:.3g}" for name, reading in transition.scores.items())
        return f"{did}: {readings}" if readings else did
