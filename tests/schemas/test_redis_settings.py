"""How Redis is reached, from variables: whole or refused, with the variable named and no secret shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.errors import InputError
from schemas.redis_access import Node, RedisAccess
from schemas.settings import CommonSettings, load_settings

TLS = Path(__file__).parents[1] / "support" / "tls"


def _load(monkeypatch: pytest.MonkeyPatch, **settings: str) -> RedisAccess:
    for name, value in settings.items():
        monkeypatch.setenv(f"SEGUE_{name.upper()}", value)
    return load_settings(CommonSettings).redis


def _refusal(monkeypatch: pytest.MonkeyPatch, **settings: str) -> str:
    with pytest.raises(InputError) as refused:
        _load(monkeypatch, **settings)
    assert "s3cret" not in str(refused.value)
    return str(refused.value)


def test_a_cluster_is_one_address_that_names_some_of_its_nodes() -> None:
    access = RedisAccess.at("rediss+cluster://worker:s3cret@redis-1.example,10.0.0.2:7001,[::1]:7002")
    assert access.is_cluster
    assert access.uses_tls
    assert access.nodes == (Node("redis-1.example", 6379), Node("10.0.0.2", 7001), Node("::1", 7002))
    assert access.url_of(Node("10.0.0.9", 7009)) == "rediss://worker:s3cret@10.0.0.9:7009/0"
    assert access.url_of(Node("::1", 7002)) == "rediss://worker:s3cret@[::1]:7002/0"
    assert "s3cret" not in access.shown + repr(access)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://:s3cret@127.0.0.1:6380/2", "127.0.0.1:6380"),
        ("redis://127.0.0.1", "127.0.0.1:6379"),
        ("unix://user:s3cret@/run/redis.sock", "/run/redis.sock"),
    ],
)
def test_an_address_is_shown_without_user_and_password(url: str, shown: str) -> None:
    access = RedisAccess.at(url)
    assert access.shown == shown
    assert access.url_of(next(iter(access.nodes), None)) == url


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://u:s3cret@127.0.0.1", "expected an address that begins with redis://, rediss://, unix://, redis+cl"),
        ("127.0.0.1:6379", "expected an address that begins with"),
        ("redis://u:s3cret@127.0.0.1:99999", "expected host:port"),
        ("redis+cluster://u:s3cret@127.0.0.1:1,127.0.0.1:x", "expected host:port"),
        ("redis+cluster://u:s3cret@127.0.0.1/3", "expected database 0 or none"),
    ],
)
def test_what_is_no_address_is_refused(monkeypatch: pytest.MonkeyPatch, url: str, expected: str) -> None:
    assert f"SEGUE_REDIS_URL: {expected}" in _refusal(monkeypatch, redis_url=url)


def test_files_are_what_the_client_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    access = _load(
        monkeypatch,
        redis_url="rediss://u:s3cret@127.0.0.1",
        redis_ssl_ca_file=str(TLS / "authority.pem"),
        redis_ssl_certificate_file=str(TLS / "client.pem"),
        redis_ssl_check_hostname="false",
    )
    options = access.options(1_500)
    assert options["socket_timeout"] == options["socket_connect_timeout"] == 1.5
    assert options["ssl_ca_certs"] == str(TLS / "authority.pem")
    assert options["ssl_certfile"] == options["ssl_keyfile"] == str(TLS / "client.pem")
    assert options["ssl_check_hostname"] is False


def test_files_without_tls_are_refused_rather_than_left_unused(monkeypatch: pytest.MonkeyPatch) -> None:
    said = _refusal(monkeypatch, redis_url="redis://127.0.0.1", redis_ssl_ca_file=str(TLS / "authority.pem"))
    assert "SEGUE_REDIS_SSL_CA_FILE: not used: expected an address that begins with rediss" in said


@pytest.mark.parametrize(
    ("name", "file", "expected"),
    [
        ("redis_ssl_ca_file", "/nowhere.pem", "/nowhere.pem: expected a file that can be read"),
        ("redis_ssl_certificate_file", str(TLS / "client_certificate.pem"), "expected a certificate, its key"),
        ("redis_ssl_key_file", str(TLS / "client.pem"), "expected SEGUE_REDIS_SSL_CERTIFICATE_FILE beside it"),
    ],
)
def test_a_file_that_cannot_serve_is_named_with_the_reason(
    monkeypatch: pytest.MonkeyPatch, name: str, file: str, expected: str
) -> None:
    assert expected in _refusal(monkeypatch, redis_url="rediss://127.0.0.1", **{name: file})
