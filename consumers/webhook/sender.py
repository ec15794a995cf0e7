"""One attempt at a delivery over HTTP: to a checked address, bounded in time and in bytes, redirects not followed."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

import httpx

from consumers.clock import Clock
from consumers.webhook.addresses import Endpoint, Pin, RefusedAddressError
from consumers.webhook.policy import Answer, classify, read_retry_after
from consumers.webhook.signature import webhook_headers
from schemas.errors import InputError

MakeTransport: TypeAlias = Callable[[], httpx.AsyncBaseTransport]

_BODY_TIMEOUT_S = 2.0
_DETAIL_CHARACTERS = 300
# Less than the five seconds after which common servers close an idle connection, perhaps under our request.
_KEEPALIVE_S = 2.0


def transport_maker(ca_file: Path | None) -> MakeTransport:
    """Makes connections to receivers: HTTP/1.1, certificates checked, no proxy whatever the environment says.

    Raises `InputError` when `ca_file` holds no certificates.
    """
    context = httpx.create_ssl_context(trust_env=False)
    if ca_file is not None:
        try:
            context.load_verify_locations(cafile=ca_file)
        except (OSError, ssl.SSLError) as error:
            raise InputError(f"SEGUE_WEBHOOK_CA_FILE: cannot read certificates from {ca_file}: {error}") from error
    limits = httpx.Limits(max_connections=1, keepalive_expiry=_KEEPALIVE_S)
    return lambda: httpx.AsyncHTTPTransport(verify=context, trust_env=False, limits=limits)


class Sender:
    """Makes attempts at one endpoint. Transports are used as they are: no client that would keep cookies or follow.

    Each attempt has a transport with one connection to itself, which the next one takes over: looking through a pool
    of many connections took half of the time.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        pin: Pin,
        make_transport: MakeTransport,
        keys: Sequence[bytes],
        clock: Clock,
        *,
        timeout_s: float,
        response_max_bytes: int,
    ) -> None:
        self._endpoint = endpoint
        self._pin = pin
        self._make_transport = make_transport
        self._idle: list[httpx.AsyncBaseTransport] = []
        self._keys = keys
        self._clock = clock
        self._timeout_s = timeout_s
        self._response_max_bytes = response_max_bytes

    @property
    def origin(self) -> str:
        """Where to, without what may be secret."""
        return self._endpoint.origin

    async def post(self, webhook_id: str, body: bytes) -> Answer:
        """Sign and send `body`; whatever happens is an answer."""
        transport = self._idle.pop() if self._idle else self._make_transport()
        try:
            return await self._post(transport, webhook_id, body)
        finally:
            self._idle.append(transport)

    async def _post(self, transport: httpx.AsyncBaseTransport, webhook_id: str, body: bytes) -> Answer:
        try:
            async with asyncio.timeout(self._timeout_s):
                response = await self._connect_and_post(transport, webhook_id, body)
        except (TimeoutError, httpx.TimeoutException):
            return Answer("timeout", detail=f"no answer within {self._timeout_s:g} s")
        except RefusedAddressError as error:
            return Answer("refused", detail=str(error))
        except (httpx.TransportError, OSError) as error:
            self._pin.forget()
            return Answer("connection", detail=f"{type(error).__name__}: {error}"[:_DETAIL_CHARACTERS])
        retry_after_s = read_retry_after(response.headers.get("retry-after"), self._clock.now_ms())
        detail = await self._read_some(response)
        return Answer(classify(response.status_code), response.status_code, detail, retry_after_s)

    async def _connect_and_post(
        self, transport: httpx.AsyncBaseTransport, webhook_id: str, body: bytes
    ) -> httpx.Response:
        addresses = await self._pin.addresses()
        connect_timeout_s = self._timeout_s / len(addresses)
        for address in addresses[:-1]:
            with suppress(httpx.ConnectError, httpx.ConnectTimeout):
                return await transport.handle_async_request(self._request(address, webhook_id, body, connect_timeout_s))
        return await transport.handle_async_request(self._request(addresses[-1], webhook_id, body, connect_timeout_s))

    def _request(self, address: str, webhook_id: str, body: bytes, connect_timeout_s: float) -> httpx.Request:
        endpoint = self._endpoint
        extensions: dict[str, object] = {
            "timeout": {"connect": connect_timeout_s, "read": None, "write": None, "pool": None}
        }
        if not endpoint.names_an_address:
            extensions["sni_hostname"] = endpoint.host
        return httpx.Request(
            "POST",
            httpx.URL(scheme=endpoint.scheme, host=address, port=endpoint.port, raw_path=endpoint.target),
            headers={
                "host": endpoint.authority,
                "content-type": "application/json",
                "user-agent": "segue-webhook",
                **webhook_headers(webhook_id, self._clock.now_ms() // 1000, body, self._keys),
            },
            content=body,
            extensions=extensions,
        )

    async def _read_some(self, response: httpx.Response) -> str:
        """The beginning of the body. The status has decided already: nothing that goes wrong here counts."""
        read = b""
        with suppress(TimeoutError, httpx.TransportError):
            async with asyncio.timeout(_BODY_TIMEOUT_S):
                async for chunk in response.aiter_raw():
                    read += chunk[: self._response_max_bytes - len(read)]
                    if len(read) >= self._response_max_bytes:
                        break
        with suppress(httpx.TransportError):
            await response.aclose()
        return read[: 4 * _DETAIL_CHARACTERS].decode("utf-8", "replace")[:_DETAIL_CHARACTERS]

    async def aclose(self) -> None:
        """Close the connections."""
        for transport in self._idle:
            await transport.aclose()
