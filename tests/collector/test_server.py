"""What the collector's socket is set to."""

from __future__ import annotations

import socket

from streams.collector.http.server import listen


def test_no_packet_of_an_answer_waits_for_the_one_before_it() -> None:
    with listen("127.0.0.1", 0) as bound, socket.create_connection(bound.getsockname()):
        accepted, _ = bound.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0
