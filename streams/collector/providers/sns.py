"""Amazon SNS' messages over HTTP: who signed them, and which certificates may say so.

Everybody with an account at Amazon can have SNS sign a message, so a good signature is worth nothing without the topic:
`topics` says whose messages are taken, and is looked at before anything is fetched.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from schemas.errors import UnavailableError
from schemas.instants import parse_instant
from streams.collector.calls.payloads import PayloadError
from streams.collector.http.refusals import Refusal
from streams.collector.providers.fields import Fields
from streams.fetching import Fetcher

TOPIC = re.compile(r"arn:aws:sns:([a-z0-9-]{1,32}):\d{12}:[A-Za-z0-9_-]{1,256}")
MESSAGE_TYPE = "x-amz-sns-message-type"
CERTIFICATES_MAX = 16
CERTIFICATE_KEPT_MS = 24 * 3_600_000
RSA_BITS_MIN = 2_048

_CERTIFICATE_PATH = re.compile(r"/[A-Za-z0-9_-]{1,128}\.pem")
_CERTIFIED_NAME = re.compile(r"sns([.-][a-z0-9-]+)*\.amazonaws\.com")
_HASHES: dict[str, hashes.HashAlgorithm] = {
    "1": hashes.SHA1(),  # noqa: S303 - what SNS signs with, unless the topic is set to version 2
    "2": hashes.SHA256(),
}
_SIGNED = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
    "UnsubscribeConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
}
_TEXT_CHARACTERS_MAX = 1024**2


class SnsMessage(NamedTuple):
    """A message that SNS signed."""

    type: str
    message_id: str
    message: str
    signed_at_ms: int
    subscribe_url: str | None


class _Known(NamedTuple):
    key: rsa.RSAPublicKey
    not_before_ms: int
    until_ms: int


class SnsSignatures:
    """Opens messages of some topics. Certificates are fetched once and kept for a day, while they are valid."""

    def __init__(self, topics: Sequence[str], fetcher: Fetcher) -> None:
        self._topics = frozenset(topics)
        self._fetcher = fetcher
        self._certificates: OrderedDict[str, _Known] = OrderedDict()
        self._fetching = asyncio.Lock()  # one at a time, however many calls name a certificate

    async def opened(self, body: object, headers: Mapping[str, str], now_ms: int) -> SnsMessage:
        """The message in a body. Raises `Refusal`: 401 where it is not SNS' or not of our topics, 503 where the
        certificate cannot be had.
        """
        try:
            fields = Fields(body)
            kind, topic = fields.text("Type"), fields.text("TopicArn", 512)
            if kind not in _SIGNED:
                raise fields.problem("Type", f"one of {', '.join(_SIGNED)}")
            if headers.get(MESSAGE_TYPE) != kind:
                raise fields.problem("Type", f"the same as in the header {MESSAGE_TYPE}")
            if topic not in self._topics:
                raise fields.problem("TopicArn", "a topic of this hook's `topics`")
            algorithm = _HASHES.get(fields.text("SignatureVersion"))
            if algorithm is None:
                raise fields.problem("SignatureVersion", "1 or 2")
            url = fields.text("SigningCertURL", 1_024)
            _check_certificate_url(url, _region(topic), fields)
            signed = _string_to_sign(fields, _SIGNED[kind])
            subscribe_url = _subscribe_url(fields, topic) if kind == "SubscriptionConfirmation" else None
            known = await self._certificate(url, now_ms)
            _verify(known.key, fields, signed, algorithm)
            text = fields.text("Message", _TEXT_CHARACTERS_MAX)
            return SnsMessage(kind, fields.text("MessageId"), text, fields.instant("Timestamp"), subscribe_url)
        except PayloadError as error:
            raise Refusal(401, "bad_signature", str(error)) from None

    async def _certificate(self, url: str, now_ms: int) -> _Known:
        known = self._kept(url, now_ms)
        if known is not None:
            return known
        async with self._fetching:
            known = self._kept(url, now_ms)  # another call may have brought it meanwhile
            if known is None:
                try:
                    pem = await self._fetcher.fetch(url)
                except UnavailableError as error:
                    raise Refusal(503, "no_certificate", f"SigningCertURL: {error}", {"Retry-After": "20"}) from None
                known = self._certificates[url] = _read_certificate(pem, now_ms)
                while len(self._certificates) > CERTIFICATES_MAX:
                    self._certificates.popitem(last=False)
        return known

    def _kept(self, url: str, now_ms: int) -> _Known | None:
        known = self._certificates.get(url)
        return known if known is not None and known.not_before_ms <= now_ms < known.until_ms else None


def _region(topic: str) -> str:
    found = TOPIC.fullmatch(topic)
    assert found is not None, "settings hold no others"
    return found[1]


def _check_certificate_url(url: str, region: str, fields: Fields) -> None:
    """Only what Amazon itself serves may say which key is Amazon's."""
    if not _is_at_sns(url, region) or not _CERTIFICATE_PATH.fullmatch(urlsplit(url).path) or "?" in url:
        raise fields.problem("SigningCertURL", f"https://sns.{region}.amazonaws.com/….pem")


def _subscribe_url(fields: Fields, topic: str) -> str:
    url, token = fields.text("SubscribeURL", 2_048), fields.text("Token", 1_024)
    query = parse_qs(urlsplit(url).query) if _is_at_sns(url, _region(topic)) and urlsplit(url).path == "/" else {}
    if (query.get("Action"), query.get("TopicArn"), query.get("Token")) != (["ConfirmSubscription"], [topic], [token]):
        expected = f"https://sns.{_region(topic)}.amazonaws.com/?Action=ConfirmSubscription of this topic and token"
        raise fields.problem("SubscribeURL", expected)
    return url


def _is_at_sns(url: str, region: str) -> bool:
    """Compared as text, so that no two parsers can take the host for different ones."""
    return (
        url.isascii()
        and url.isprintable()
        and url.startswith(f"https://sns.{region}.amazonaws.com/")
        and "#" not in url
    )


def _string_to_sign(fields: Fields, names: Sequence[str]) -> bytes:
    lines = []
    for name in names:
        if name == "Subject" and fields.get(name) is None:
            continue
        lines += [name, fields.text(name, _TEXT_CHARACTERS_MAX)]
    return "".join(f"{line}\n" for line in lines).encode()


def _verify(key: rsa.RSAPublicKey, fields: Fields, signed: bytes, algorithm: hashes.HashAlgorithm) -> None:
    try:
        key.verify(
            base64.b64decode(fields.text("Signature", 2_048), validate=True), signed, padding.PKCS1v15(), algorithm
        )
    except (InvalidSignature, binascii.Error, ValueError):
        raise fields.problem("Signature", "SNS' signature of this message") from None


def _read_certificate(pem: bytes, now_ms: int) -> _Known:
    """The key of a certificate of SNS that is valid now. Its chain ends at the TLS connection that brought it: Amazon
    serves the certificate alone; where others follow it, each must have issued the one before.
    """
    try:
        chain = x509.load_pem_x509_certificates(pem)
        for certificate, issuer in pairwise(chain):
            certificate.verify_directly_issued_by(issuer)
        key = chain[0].public_key()
        names = [str(name.value) for name in chain[0].subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)]
        not_before_ms, not_after_ms = (_ms(at) for at in (chain[0].not_valid_before_utc, chain[0].not_valid_after_utc))
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        raise _not_trusted("a certificate in PEM, with those that issued it") from None
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size < RSA_BITS_MIN:
        raise _not_trusted(f"an RSA key of at least {RSA_BITS_MIN} bits")
    if not any(_CERTIFIED_NAME.fullmatch(name) for name in names):
        raise _not_trusted("a certificate for sns.amazonaws.com")
    if not not_before_ms <= now_ms < not_after_ms:
        raise _not_trusted("a certificate that is valid now")
    return _Known(key, not_before_ms, min(not_after_ms, now_ms + CERTIFICATE_KEPT_MS))


def _ms(at: datetime) -> int:
    return parse_instant(at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))


def _not_trusted(expected: str) -> Refusal:
    return Refusal(401, "bad_signature", f"SigningCertURL: expected there {expected}")
