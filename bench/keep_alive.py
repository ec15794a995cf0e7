"""A client of HTTP/1.1 that keeps its connections and costs next to nothing, so that it is the server that is measured.

One request at a time on each connection, none sent before the answer to the last was read to its end.
"""

from __future__ import annotations

import re
import select
import socket
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field

from bench.pacing import Schedule

_HEAD_END = b"\r\n\r\n"
_LENGTH = re.compile(rb"(?i)\r\ncontent-length: (\d+)")
_TIMEOUT_S = 60.0
_RECEIVE_BYTES = 65_536


@dataclass
class Answers:
    """What came back."""

    statuses: Counter[int] = field(default_factory=Counter)
    answered_ns: dict[int, int] = field(default_factory=dict)
    """Number of the request → when its answer was there."""
    waits_ns: list[int] = field(default_factory=list)
    """From when a request was due until its answer was there, in order of the answers."""
    waiting_most: int = 0
    """Most requests that were due and found no connection free."""
    took_s: float = 0.0


class _Connection:
    def __init__(self, address: tuple[str, int]) -> None:
        self.socket = socket.create_connection(address, timeout=_TIMEOUT_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.number = 0
        self.due_ns = 0
        self._received = b""
        self._bytes_wanted = 0

    def send(self, request: bytes, number: int, due_ns: int) -> None:
        self.number, self.due_ns = number, due_ns
        self.socket.sendall(request)

    def receive(self) -> int | None:
        """The status once the whole answer is there, else None."""
        piece = self.socket.recv(_RECEIVE_BYTES)
        if not piece:
            raise ConnectionError("the server closed a connection that was to be kept")
        self._received += piece
        if not self._bytes_wanted:
            head = self._received.find(_HEAD_END)
            if head < 0:
                return None
            length = _LENGTH.search(self._received, 0, head)
            assert length is not None, "expected a Content-Length"
            self._bytes_wanted = head + len(_HEAD_END) + int(length[1])
        if len(self._received) < self._bytes_wanted:
            return None
        status = int(self._received[9:12])
        self._received, self._bytes_wanted = b"", 0
        return status


class KeepAliveClient:
    """Some connections to one server, and what is asked of it: `request(number)` makes the bytes of each."""

    def __init__(self, address: tuple[str, int], connections: int, request: Callable[[int], bytes]) -> None:
        self._request = request
        self._idle = deque(_Connection(address) for _ in range(connections))
        self._connections = {each.socket.fileno(): each for each in self._idle}
        self._poll = select.epoll()
        for number in self._connections:
            self._poll.register(number, select.EPOLLIN)

    def closed_loop(self, seconds: float) -> Answers:
        """As much as the server takes, each connection sending again as soon as it has its answer."""
        answers, begun, number = Answers(), time.monotonic_ns(), 0
        end_ns = begun + int(seconds * 1e9)
        while True:
            now = time.monotonic_ns()
            while self._idle and now < end_ns:
                self._send(number, now)
                number += 1
                now = time.monotonic_ns()
            if len(self._idle) == len(self._connections):
                break
            self._receive(answers, _TIMEOUT_S)
        answers.took_s = (time.monotonic_ns() - begun) / 1e9
        return answers

    def open_loop(self, schedule: Schedule) -> Answers:
        """What the schedule says, when it says it or as soon as a connection is free."""
        answers, due = Answers(), deque[tuple[int, int]]()
        while True:
            now = time.monotonic_ns()
            due.extend(schedule.ready(now))
            while self._idle and due:
                self._send(*due.popleft())
            answers.waiting_most = max(answers.waiting_most, len(due))
            wait_s = schedule.wait_s(time.monotonic_ns())
            if wait_s is None and not due and len(self._idle) == len(self._connections):
                break
            self._receive(answers, _TIMEOUT_S if wait_s is None else wait_s, must_answer=wait_s is None)
        answers.took_s = (time.monotonic_ns() - schedule.begun_ns) / 1e9
        return answers

    def close(self) -> None:
        """Close all connections."""
        self._poll.close()
        for connection in self._connections.values():
            connection.socket.close()

    def _send(self, number: int, due_ns: int) -> None:
        self._idle.popleft().send(self._request(number), number, due_ns)

    def _receive(self, answers: Answers, timeout_s: float, *, must_answer: bool = True) -> None:
        found = self._poll.poll(timeout_s)
        if not found and must_answer:
            raise TimeoutError(f"the server gave no answer within {timeout_s} s")
        for number, _ in found:
            connection = self._connections[number]
            status = connection.receive()
            if status is not None:
                now = time.monotonic_ns()
                answers.statuses[status] += 1
                answers.answered_ns[connection.number] = now
                answers.waits_ns.append(now - connection.due_ns)
                self._idle.append(connection)
