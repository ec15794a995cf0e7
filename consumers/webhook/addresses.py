"""Which addresses a webhook may go to, and the pin that holds on to those that were checked."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import httpx

from consumers.clock import Clock
from schemas.errors import InputError

Resolve: TypeAlias = Callable[[str, int], Awaitable[Sequence[str]]]
"""Addresses of a host (and port), as text. Raises `OSError` when there are none."""

_DEFAULT_PORTS = {"http": 80, "https": 443}
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


class RefusedAddressError(Exception):
    """The endpoint's name leads to an address that is not public."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where deliveries go. Only `origin` may be shown: the rest of a URL may be a secret."""

    scheme: str
    host: str
    port: int
    target: bytes
    authority: str

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return f"{self.scheme}://{self.authority}"

    @property
    def names_an_address(self) -> bool:
        """Whether the host is an address and not a name."""
        try:
            ipaddress.ip_address(self.host)
        except ValueError:
            return False
        return True


def parse_endpoint(url: str) -> Endpoint:
    """The endpoint of a URL. Raises `InputError`, without more of the URL in its text than its scheme."""
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise InputError(f"--url: expected a URL like https://example.com/hooks: {error}") from None
    if parsed.scheme not in _DEFAULT_PORTS or not parsed.host:
        raise InputError(f"--url: expected http:// or https:// and a host, found the scheme {parsed.scheme!r}")
    if parsed.userinfo:
        raise InputError("--url: credentials in the URL are not sent; deliveries are signed, check the signature")
    return Endpoint(
        scheme=parsed.scheme,
        host=parsed.raw_host.decode("ascii"),
        port=parsed.port or _DEFAULT_PORTS[parsed.scheme],
        target=parsed.raw_path,
        authority=parsed.netloc.decode("ascii"),
    )


def is_public(address: str) -> bool:
    """Whether an address is globally reachable, looking through IPv6 forms that lead to an IPv4 address."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(parsed, ipaddress.IPv6Address):
        inner = parsed.ipv4_mapped or parsed.sixtofour or (parsed.teredo[1] if parsed.teredo else None)
        if inner is None and parsed in _NAT64:
            inner = ipaddress.IPv4Address(int(parsed) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
        if parsed.is_site_local:
            return False
    return parsed.is_global and not parsed.is_multicast and not parsed.is_reserved


async def resolve_by_system(host: str, port: int) -> Sequence[str]:
    """The operating system's answer, in its order of preference."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class Pin:
    """Checked addresses of an endpoint, kept for a while.

    A connection is made to an address that came out of here, never to the name: between a check and a connection
    that resolves again, a name may change.
    """

    def __init__(
        self, endpoint: Endpoint, clock: Clock, ttl_s: float, *, allow_private: bool, resolve: Resolve
    ) -> None:
        self._endpoint = endpoint
        self._clock = clock
        self._ttl_s = ttl_s
        self._allow_private = allow_private
        self._resolve = resolve
        self._addresses: Sequence[str] = ()
        self._until = float("-inf")

    async def addresses(self) -> Sequence[str]:
        """The addresses to try, in order.

        Raises `OSError` when the name has none, and `RefusedAddressError` when any of them is not allowed.
        """
        now = self._clock.monotonic()
        if now >= self._until:
            found = await self._resolve(self._endpoint.host, self._endpoint.port)
            refused = [address for address in found if not (self._allow_private or is_public(address))]
            if refused:
                raise RefusedAddressError(
                    f"{self._endpoint.host} leads to {refused[0]}, which is not a public address; "
                    "allow such addresses with --allow-private, if you trust whoever sets the URL"
                )
            self._addresses, self._until = found, now + self._ttl_s
        return self._addresses

    def forget(self) -> None:
        """Resolve and check again at the next attempt."""
        self._until = float("-inf")
