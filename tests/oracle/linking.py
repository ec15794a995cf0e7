"""Contacts that turn out to be others, by brute force: their records are simply applied to somebody else."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from tests.oracle.history import Applied, Erasure
from tests.oracle.notation import instant_ms

if TYPE_CHECKING:
    from tests.oracle.timeline import Oracle

HISTORY_RECORDS_MAX = 1_000
Body = dict[str, Any]


class Links:
    """Who turned out to be whom, in one partition, where what is sent arrives at once."""

    def __init__(self, oracle: Oracle) -> None:
        self._oracle = oracle
        self.linked: dict[str, str] = {}
        """Device -> whose it is by the latest link."""
        self.devices: dict[str, list[str]] = {}
        """Contact -> devices that were ever linked to it, since it exists."""

    def link(self, body: Body, offset: int) -> str:
        """The first link moves the history, later ones only turn what follows to somebody else."""
        oracle, device, to = self._oracle, body["contact_id"], body["to"]
        if self.linked.get(device) == to:
            return "duplicate"
        moved: list[Body] = []
        since = None
        if device not in self.linked and (contact := oracle.contacts.get(device)) is not None:
            moved = [record.body for record in contact.history.applied[-HISTORY_RECORDS_MAX:]]
            since = contact.history.known_since
            oracle.end(device, {"kind": "merge", "event_id": body["event_id"]}, offset)
        self.linked[device] = to
        self._arrive(to, device, body, moved, since, offset)
        return "applied"

    def pass_on(self, body: Body, offset: int) -> str:
        """A record of a device that is linked is one of whom it is linked to."""
        oracle, to = self._oracle, self.linked[body["contact_id"]]
        if self._fresh(to, [body]):
            oracle.apply_to(to, [body], oracle.cause(body, offset), body["event_id"])
        return "forwarded"

    def forget(self, contact_id: str, body: Body, offset: int) -> None:
        """An erasure of a device is one of its contact; one of a contact, of its devices."""
        oracle, time = self._oracle, min(instant_ms(body["occurred_at"]), self._oracle.clock)
        cause = {"kind": "erasure", "event_id": body["event_id"]}
        to = self.linked.pop(contact_id, None)
        self._erase(contact_id, time, oracle.cause(body, offset), offset)
        if to is not None and not oracle.was_erased(to, time):
            devices = self.devices.get(to, [])
            self._erase(to, time, cause, offset)
            self._forget_devices(to, [device for device in devices if device != contact_id], time, cause, offset)

    def _erase(self, contact_id: str, time: int, cause: dict[str, str], offset: int) -> None:
        devices = self.devices.pop(contact_id, [])
        self._oracle.forget(contact_id, time, cause, offset)
        also = {"kind": "erasure", "event_id": cause["event_id"]}
        self._forget_devices(contact_id, devices, time, also, offset)

    def _forget_devices(
        self, contact_id: str, devices: Iterable[str], time: int, cause: dict[str, str], offset: int
    ) -> None:
        for device in devices:
            if self.linked.get(device) == contact_id and not self._oracle.was_erased(device, time):
                del self.linked[device]
                self._oracle.forget(device, time, cause, offset)

    def _arrive(self, to: str, device: str, body: Body, moved: list[Body], since: int | None, offset: int) -> None:
        oracle, time = self._oracle, min(instant_ms(body["occurred_at"]), self._oracle.clock)
        fresh, gone = self._fresh(to, moved), oracle.was_erased(to, time)
        if gone and not fresh:
            self._forget_devices(to, [device], time, {"kind": "erasure", "event_id": body["event_id"]}, offset)
            return
        if not gone and device not in self.devices.setdefault(to, []):
            self.devices[to].append(device)
        oracle.apply_to(
            to, fresh, {"kind": "merge", "event_id": body["event_id"]} | oracle.place(offset), body["event_id"], since
        )

    def _fresh(self, to: str, bodies: list[Body]) -> list[Body]:
        """Those that count for a contact: neither erased nor known by their id, and each once."""
        oracle, fresh = self._oracle, list[Body]()
        for body in bodies:
            known = oracle.contacts.get(to)
            told_before = known is not None and known.history.is_duplicate(
                body["event_id"], oracle.clock, oracle.horizon_ms
            )
            time = min(instant_ms(body["occurred_at"]), oracle.clock)
            if not (told_before or oracle.was_erased(to, time)) and all(
                body["event_id"] != other["event_id"] for other in fresh
            ):
                fresh.append(body)
        return fresh


def applied_at(body: Body, clock: int) -> Applied:
    """A record as it is applied at a clock."""
    return Applied(body, clock, min(instant_ms(body["occurred_at"]), clock))


__all__ = ["Erasure", "Links", "applied_at"]
