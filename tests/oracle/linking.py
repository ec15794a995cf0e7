"""Contacts that turn out to be others, by brute force: their records are simply applied to somebody else."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from tests.oracle.history import Applied
from tests.oracle.notation import instant_ms

if TYPE_CHECKING:
    from tests.oracle.timeline import Oracle

HISTORY_RECORDS_MAX = 1_000
Body = dict[str, Any]


class Links:
    """Who turned out to be whom. What is sent arrives at once, or where the log has it."""

    def __init__(self, oracle: Oracle, *, at_once: bool) -> None:
        self._oracle = oracle
        self.at_once = at_once
        self.taken: dict[int, tuple[int, int]] = {}
        """By partition: the record that sent the last forward taken, and how many of its records were."""
        self.linked: dict[str, str] = {}
        """Device -> whose it is by the latest link."""
        self.devices: dict[str, list[str]] = {}
        """Contact -> devices that were ever linked to it, since it exists."""

    def adopt(self, other: Links) -> None:
        """Know what another oracle knows."""
        self.linked, self.taken = dict(other.linked), dict(other.taken)
        self.devices = {contact_id: list(devices) for contact_id, devices in other.devices.items()}

    def turn(self, body: Body, offset: int) -> str:
        """A record that ends a contact, or that comes when it has become another one."""
        if body["type"] == "erase":
            self.forget(body["contact_id"], body, offset)
            return "applied"
        return self.link(body, offset) if body["type"] == "link" else self.pass_on(body, offset)

    def link(self, body: Body, offset: int) -> str:
        """The first link moves the history, later ones only turn what follows to somebody else."""
        oracle, device, to = self._oracle, body["contact_id"], body["to"]
        if self.linked.get(device) == to:
            return "duplicate"
        moved: list[Body] = []
        since = None
        if device not in self.linked:
            moved = self._put_on(device)
        if device not in self.linked and (contact := oracle.contacts.get(device)) is not None:
            moved = (moved + contact.history.said)[-HISTORY_RECORDS_MAX:]
            since = contact.history.known_since
            oracle.end(device, {"kind": "merge", "event_id": body["event_id"]}, offset)
        self.linked[device] = to
        if self.at_once:
            self._arrive(to, device, body, moved, since, offset)
        return "applied"

    def _put_on(self, device: str) -> list[Body]:
        """That the file has a device on lists, as records would say it that came before all others."""
        told = {"type": "list", "contact_id": device, "occurred_at": "1970-01-01T00:00:00Z", "member": True}
        names = [name for name, ids in self._oracle.lists.items() if device in ids]
        return [{**told, "event_id": f"the file has {name}", "list": name} for name in names]

    def pass_on(self, body: Body, offset: int) -> str:
        """A record of a device that is linked is one of whom it is linked to."""
        oracle, to = self._oracle, self.linked[body["contact_id"]]
        if self.at_once:
            oracle.apply_to(to, [body], oracle.cause(body, offset), body["event_id"])
        return "forwarded"

    def forget(self, contact_id: str, body: Body, offset: int) -> None:
        """An erasure of a device is one of its contact; one of a contact, of its devices."""
        oracle, time = self._oracle, min(instant_ms(body["occurred_at"]), self._oracle.clock)
        cause = {"kind": "erasure", "event_id": body["event_id"]}
        to = self.linked.pop(contact_id, None)
        self._erase(contact_id, time, oracle.cause(body, offset), offset)
        if self.at_once and to is not None and not oracle.was_erased(to, time):
            devices = self.devices.get(to, [])
            self._erase(to, time, cause, offset)
            self._forget_devices(to, [device for device in devices if device != contact_id], time, cause, offset)

    def take(self, body: Body, offset: int) -> str:
        """A forward of the log: what of it was not taken before."""
        origin, to, oracle = body["origin"], body["contact_id"], self._oracle
        end = origin["first"] + len(body["records"])
        sent_by, taken = self.taken.get(origin["partition"], (-1, 0))
        if (origin["offset"], end) <= (sent_by, taken):
            return "duplicate"
        self.taken[origin["partition"]] = origin["offset"], end
        known = max(0, taken - origin["first"]) if origin["offset"] == sent_by else 0
        moved = [record for record in body["records"][known:] if record is not None]
        if body["kind"] == "erasure":
            self._be_forgotten(body, offset)
        elif body["kind"] == "history":
            since = instant_ms(body["known_since"]) if "known_since" in body else None
            self._arrive(to, body["linked_id"], body, moved, since, offset)
        elif moved:
            oracle.apply_to(to, moved, oracle.cause(moved[0], offset), body["event_id"])
        return "forward"

    def _be_forgotten(self, body: Body, offset: int) -> None:
        contact_id, time = body["contact_id"], min(instant_ms(body["occurred_at"]), self._oracle.clock)
        if self._oracle.was_erased(contact_id, time):
            return
        if contact_id.startswith("anon:") and self.linked.get(contact_id) != body["linked_id"]:
            return
        self.linked.pop(contact_id, None)
        self._erase(contact_id, time, {"kind": "erasure", "event_id": body["event_id"]}, offset)

    def _erase(self, contact_id: str, time: int, cause: dict[str, str], offset: int) -> None:
        devices = self.devices.pop(contact_id, [])
        self._oracle.forget(contact_id, time, cause, offset)
        also = {"kind": "erasure", "event_id": cause["event_id"]}
        self._forget_devices(contact_id, devices, time, also, offset)

    def _forget_devices(
        self, contact_id: str, devices: Iterable[str], time: int, cause: dict[str, str], offset: int
    ) -> None:
        for device in devices if self.at_once else ():
            if self.linked.get(device) == contact_id and not self._oracle.was_erased(device, time):
                del self.linked[device]
                self._oracle.forget(device, time, cause, offset)

    def _arrive(self, to: str, device: str, body: Body, moved: list[Body], since: int | None, offset: int) -> None:
        oracle, time = self._oracle, min(instant_ms(body["occurred_at"]), self._oracle.clock)
        cause = {"kind": "merge", "event_id": body["event_id"]} | oracle.place(offset)
        if not oracle.was_erased(to, time):
            if device not in self.devices.setdefault(to, []):
                self.devices[to].append(device)
            oracle.apply_to(to, moved, cause, body["event_id"], oracle.clock if since is None else since)
        elif not oracle.apply_to(to, moved, cause, body["event_id"]):
            self._forget_devices(to, [device], time, {"kind": "erasure", "event_id": body["event_id"]}, offset)


def applied_at(body: Body, clock: int) -> Applied:
    """A record as it is applied at a clock."""
    return Applied(body, clock, min(instant_ms(body["occurred_at"]), clock))
