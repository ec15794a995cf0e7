"""What a process tells systemd, or whoever else listens at NOTIFY_SOCKET: that it serves, how it is, that it ends.

The protocol is one datagram of `NAME=value` lines (sd_notify(3)). A process that nobody listens to says nothing.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import NamedTuple

_LOOK_S = 0.5


class Condition(NamedTuple):
    """How a process is."""

    serving: bool
    """Whether it does what it is there for. It is told once, the first time that this is so."""
    alive: bool
    """Whether it gets on. Where it does not for as long as the unit's WatchdogSec, systemd starts it anew."""
    status: str
    """One line for people, without anything of a contact."""


class ServiceManager:
    """Tells the service manager of this process, if it has one that wants to know."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        environment = os.environ if environment is None else environment
        # A leading @ stands for the zero byte of an address that is no file.
        self._address = environment.get("NOTIFY_SOCKET", "").replace("@", "\0", 1)
        watched = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        usec = environment.get("WATCHDOG_USEC", "") if watched else ""
        self._alive_every_s = int(usec) / 3e6 if usec.isdecimal() else None
        self._served = False
        self._status = ""

    @property
    def listens(self) -> bool:
        """Whether there is somebody to tell."""
        return self._address != ""

    async def watch(self, condition: Callable[[], Condition]) -> None:
        """Look at the process's condition, and tell what is new of it, until cancelled.

        Runs on the event loop, so that one that hangs is noticed as well.
        """
        while self.listens:
            self.tell(condition())
            await asyncio.sleep(min(_LOOK_S, self._alive_every_s or _LOOK_S))

    def tell(self, now: Condition) -> None:
        """Tell what is new, and that the process is alive."""
        lines = []
        if now.serving and not self._served:
            self._served = True
            lines.append("READY=1")
        if now.status != self._status:
            self._status = now.status
            lines.append(f"STATUS={now.status}".replace("\n", " "))
        if now.alive and self._alive_every_s is not None:
            lines.append("WATCHDOG=1")
        self._send(lines)

    def stopping(self) -> None:
        """Tell that the process was asked to end, or must."""
        self._send(["STOPPING=1", "STATUS=ending: what is under way is finished"])

    def _send(self, lines: list[str]) -> None:
        if not lines or not self.listens:
            return
        # Whoever listened may be gone, or not read: that is no reason to end or to wait.
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            sender.setblocking(False)
            sender.sendto("\n".join(lines).encode(), self._address)
