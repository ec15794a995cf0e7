"""One attempt over HTTP, at receivers on this machine."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from pydantic import SecretStr

from consumers.clock import SystemClock
from consumers.settings import secret_key
from consumers.webhook.addresses import Pin, Resolve, parse_endpoint
from consumers.webhook.policy import Answer
from consumers.webhook.sender import Sender, transport_maker
from schemas.errors import InputError
from tests.consumers.receiver import SECRET, Receiver, Reply

TLS = Path(__file__).parent / "tls"


async def resolve_to_loopback(_host: str, _port: int) -> Sequence[str]:
    return ["127.0.0.1"]


async def resolve_to_nothing(_host: str, _port: int) -> Sequence[str]:
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


def attempts(
    url: str,
    count: int = 1,
    *,
    resolve: Resolve = resolve_to_loopback,
    allow_private: bool = True,
    timeout_s: float = 5.0,
    response_max_bytes: int = 1000,
    ca_file: Path | None = None,
) -> list[Answer]:
    """The answers to `count` attempts, one after the other, by one sender."""

    async def run() -> list[Answer]:
        endpoint, clock = parse_endpoint(url), SystemClock()
        pin = Pin(endpoint, clock, 30, allow_private=allow_private, resolve=resolve)
        sender = Sender(
            endpoint,
            pin,
            transport_maker(ca_file),
            [secret_key(SecretStr(SECRET))],
            clock,
            timeout_s=timeout_s,
            response_max_bytes=response_max_bytes,
        )
        answers = [await sender.post("t1", b'{"type":"segment.entered"}') for _ in range(count)]
        await sender.aclose()
        return answers

    return asyncio.run(run())


@contextmanager
def raw_server(*chunks: bytes, forever: bytes = b"") -> Iterator[int]:
    """A server that sends `chunks` whatever it is asked, then `forever` until it is hung up on; yields its port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(65536)
                try:
                    for chunk in chunks:
                        connection.sendall(chunk)
                    while forever:
                        connection.sendall(forever)
                    while connection.recv(65536):
                        pass
                except OSError:
                    return

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
    thread.join(10)
    assert not thread.is_alive()


def test_a_delivery_is_a_signed_post_to_the_whole_url() -> None:
    with Receiver() as receiver:
        [answer] = attempts(receiver.url)
    [request] = receiver.requests
    assert answer.kind == "2xx"
    assert request.path == "/hooks?token=t0p"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["host"] == f"127.0.0.1:{receiver.port}"
    assert request.is_signed_with(SECRET)


def test_connections_are_used_again() -> None:
    ports: list[int] = []
    with Receiver() as receiver:
        receiver.connected = ports.append
        attempts(receiver.url, 3)
    assert len(receiver.requests) == 3
    assert len(ports) == 1


def test_redirects_are_not_followed() -> None:
    with Receiver() as target, Receiver(lambda _: Reply(302, {"location": target.url})) as receiver:
        [answer] = attempts(receiver.url)
    assert answer.kind == "3xx"
    assert target.requests == []


def test_cookies_of_a_receiver_are_not_sent_back() -> None:
    with Receiver(lambda _: Reply(200, {"set-cookie": "session=1"})) as receiver:
        attempts(receiver.url, 2)
    assert "cookie" not in receiver.requests[1].headers


def test_no_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with Receiver() as receiver:
        assert attempts(receiver.url)[0].kind == "2xx"


def test_what_a_receiver_says_comes_back_in_part() -> None:
    with Receiver(lambda _: Reply(503, {"retry-after": "7"}, b"no " * 1000)) as receiver:
        [answer] = attempts(receiver.url)
    assert (answer.kind, answer.status, answer.retry_after_s) == ("5xx", 503, 7.0)
    assert answer.detail == ("no " * 100)


def test_a_private_address_is_refused_without_a_connection() -> None:
    with Receiver() as receiver:
        [answer] = attempts(receiver.url, allow_private=False)
    assert answer.kind == "refused"
    assert receiver.requests == []


def test_the_checked_address_is_connected_to_and_the_name_is_not_resolved_again() -> None:
    asked: list[str] = []

    async def resolve_once(host: str, _port: int) -> Sequence[str]:
        asked.append(host)
        return ["127.0.0.1"]

    with Receiver() as receiver:
        # No name server knows this name: whoever resolved it again would fail.
        answers = attempts(f"http://rebinding.invalid:{receiver.port}/", 3, resolve=resolve_once)
    assert [answer.kind for answer in answers] == ["2xx"] * 3
    assert asked == ["rebinding.invalid"]
    assert receiver.requests[0].headers["host"] == f"rebinding.invalid:{receiver.port}"


def test_the_next_address_is_tried_where_nothing_listens_at_the_first() -> None:
    async def resolve_to_two(_host: str, _port: int) -> Sequence[str]:
        return ["127.0.0.2", "127.0.0.1"]

    with Receiver() as receiver:
        [answer] = attempts(f"http://two.example:{receiver.port}/", resolve=resolve_to_two)
    assert answer.kind == "2xx"


def secure_receiver() -> Receiver:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(TLS / "hooks.example.pem")
    return Receiver(context=context)


def test_over_tls_the_certificate_must_be_the_names() -> None:
    trusted = TLS / "authority.pem"
    with secure_receiver() as receiver:
        assert attempts(f"https://hooks.example:{receiver.port}/", ca_file=trusted)[0].kind == "2xx"
        assert attempts(f"https://other.example:{receiver.port}/", ca_file=trusted)[0].kind == "connection"
        assert attempts(f"https://127.0.0.1:{receiver.port}/", ca_file=trusted)[0].kind == "connection"
        assert attempts(f"https://hooks.example:{receiver.port}/")[0].kind == "connection"
    assert len(receiver.requests) == 1


def test_a_file_without_certificates_is_refused(tmp_path: Path) -> None:
    empty = tmp_path / "empty.pem"
    empty.write_text("")
    with pytest.raises(InputError, match="SEGUE_WEBHOOK_CA_FILE"):
        transport_maker(empty)


def test_silence_is_a_timeout() -> None:
    with raw_server() as port:
        assert attempts(f"http://127.0.0.1:{port}/", timeout_s=0.2)[0].kind == "timeout"


def test_an_answer_that_drips_is_a_timeout() -> None:
    with raw_server(b"HTTP/1.1 200 OK\r\n", forever=b"x-more: y\r\n") as port:
        assert attempts(f"http://127.0.0.1:{port}/", timeout_s=0.2)[0].kind in ("timeout", "connection")


def test_a_body_without_end_is_read_in_part_and_the_status_counts() -> None:
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    with raw_server(head, forever=b"4\r\nabcd\r\n") as port:
        [answer] = attempts(f"http://127.0.0.1:{port}/", response_max_bytes=10)
    assert answer == Answer("2xx", 200, "abcdabcdab")


@pytest.mark.parametrize("garbage", [b"", b"not http\r\n\r\n", b"\x00" * 100, b"HTTP/1.1 abc\r\n\r\n"])
def test_what_is_no_http_is_a_failed_connection(garbage: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            connection.recv(65536)
            connection.sendall(garbage)
            connection.close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        assert attempts(f"http://127.0.0.1:{listening.getsockname()[1]}/")[0].kind == "connection"
        thread.join(10)


def test_nobody_listening_or_no_such_name_is_a_failed_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    assert attempts(f"http://127.0.0.1:{port}/")[0].kind == "connection"
    assert attempts("http://nowhere.invalid/", resolve=resolve_to_nothing)[0].kind == "connection"
