"""Where webhooks may go."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from consumers.webhook.addresses import Pin, RefusedAddressError, is_public, parse_endpoint
from schemas.errors import InputError
from tests.consumers.fake_clock import FakeClock


@pytest.mark.parametrize("address", ["93.184.215.14", "8.8.8.8", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"])
def test_public_addresses_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.9.9.9",
        "0.0.0.0",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "192.0.2.1",
        "198.18.0.1",
        "224.0.0.1",
        "239.1.1.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1",
        "fe80::1%eth0",
        "fc00::1",
        "fd12:3456::1",
        "fec0::1",
        "ff02::1",
        "2001:db8::1",
        "::ffff:10.0.0.1",
        "::ffff:127.0.0.1",
        "2002:7f00:1::",  # 6to4 of 127.0.0.1
        "64:ff9b::a00:1",  # NAT64 of 10.0.0.1
        "2001:0:4136:e378:8000:63bf:f5ff:fffe",  # Teredo of 10.0.0.1
    ],
)
def test_private_local_and_disguised_addresses_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "url", ["ftp://example.com/", "file:///etc/passwd", "example.com/hooks", "http://", "https:///x", ""]
)
def test_urls_that_are_not_http_are_refused(url: str) -> None:
    with pytest.raises(InputError, match="--url"):
        parse_endpoint(url)


def test_credentials_in_a_url_are_refused_and_not_shown() -> None:
    with pytest.raises(InputError) as raised:
        parse_endpoint("https://user:hunter2@example.com/")
    assert "hunter2" not in str(raised.value)


def test_an_endpoint_shows_its_origin_alone() -> None:
    endpoint = parse_endpoint("https://Hooks.Example.com:8443/t0p/secret?token=1")
    assert endpoint.origin == "https://hooks.example.com:8443"
    assert endpoint.target == b"/t0p/secret?token=1"
    assert parse_endpoint("http://bücher.example").host == "xn--bcher-kva.example"


class Names:
    """A name server whose answers change."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def resolve(self, _host: str, _port: int) -> Sequence[str]:
        self.asked += 1
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def pin_of(names: Names, clock: FakeClock, *, allow_private: bool = False) -> Pin:
    endpoint = parse_endpoint("https://example.com/")
    return Pin(endpoint, clock, 30, allow_private=allow_private, resolve=names.resolve)


def test_one_private_address_among_public_ones_refuses_them_all() -> None:
    pin = pin_of(Names(["93.184.215.14", "10.0.0.1"]), FakeClock())
    with pytest.raises(RefusedAddressError, match=r"10\.0\.0\.1"):
        asyncio.run(pin.addresses())


def test_private_addresses_are_for_those_who_ask_for_them() -> None:
    assert asyncio.run(pin_of(Names(["10.0.0.1"]), FakeClock(), allow_private=True).addresses()) == ["10.0.0.1"]


def test_a_name_that_turns_private_is_not_followed() -> None:
    async def story() -> None:
        clock, names = FakeClock(), Names(["93.184.215.14"], ["127.0.0.1"])
        pin = pin_of(names, clock)
        assert await pin.addresses() == ["93.184.215.14"]
        await clock.advance(29)
        assert await pin.addresses() == ["93.184.215.14"]
        assert names.asked == 1
        await clock.advance(1)
        with pytest.raises(RefusedAddressError):
            await pin.addresses()

    asyncio.run(story())
