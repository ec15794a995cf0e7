"""How Kafka lets us in, from variables: whole or refused, with the variable named and no secret shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.errors import InputError
from schemas.kafka_connection import KafkaConnection
from schemas.settings import CommonSettings, load_settings

TLS = Path(__file__).parents[1] / "support" / "tls"
SASL = {
    "kafka_security_protocol": "sasl_ssl",
    "kafka_sasl_mechanism": "SCRAM-SHA-512",
    "kafka_sasl_username": "worker",
    "kafka_sasl_password": "s3cret",
    "kafka_ssl_ca_file": str(TLS / "authority.pem"),
}


def _load(monkeypatch: pytest.MonkeyPatch, **settings: str) -> KafkaConnection:
    for name, value in settings.items():
        monkeypatch.setenv(f"SEGUE_{name.upper()}", value)
    return load_settings(CommonSettings).kafka


def _refusal(monkeypatch: pytest.MonkeyPatch, **settings: str) -> str:
    with pytest.raises(InputError) as refused:
        _load(monkeypatch, **settings)
    assert "s3cret" not in str(refused.value)
    return str(refused.value)


def test_by_default_kafka_is_spoken_to_in_plain_text_as_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _load(monkeypatch).client() == {"bootstrap.servers": "127.0.0.1:9092"}


def test_a_user_over_tls_is_what_the_client_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _load(monkeypatch, **SASL).client() == {
        "bootstrap.servers": "127.0.0.1:9092",
        "security.protocol": "sasl_ssl",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "worker",
        "sasl.password": "s3cret",
        "ssl.ca.location": str(TLS / "authority.pem"),
        "ssl.endpoint.identification.algorithm": "https",
    }


def test_a_certificate_of_ours_lies_with_its_key_or_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    together = _load(
        monkeypatch, kafka_security_protocol="ssl", kafka_ssl_certificate_file=str(TLS / "client.pem")
    ).client()
    assert together["ssl.key.location"] == together["ssl.certificate.location"] == str(TLS / "client.pem")
    apart = _load(
        monkeypatch,
        kafka_security_protocol="ssl",
        kafka_ssl_certificate_file=str(TLS / "client_certificate.pem"),
        kafka_ssl_key_file=str(TLS / "client_encrypted_key.pem"),
        kafka_ssl_key_password="key-secret",
    ).client()
    assert apart["ssl.key.location"] == str(TLS / "client_encrypted_key.pem")
    assert apart["ssl.key.password"] == "key-secret"


def test_the_name_in_the_certificate_may_be_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    client = _load(monkeypatch, kafka_security_protocol="ssl", kafka_ssl_check_hostname="false").client()
    assert client["ssl.endpoint.identification.algorithm"] == "none"


def test_an_empty_variable_is_an_unset_one(monkeypatch: pytest.MonkeyPatch) -> None:
    empty = {name: "" for name in SASL if name != "kafka_security_protocol"}
    assert _load(monkeypatch, kafka_security_protocol="plaintext", **empty).client().keys() == {"bootstrap.servers"}


def test_a_secret_shows_in_no_value(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "s3cret" not in repr(_load(monkeypatch, **SASL))


def test_what_a_protocol_needs_is_named_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    said = _refusal(monkeypatch, kafka_security_protocol="sasl_ssl")
    assert said == "settings: " + "; ".join(
        f"SEGUE_KAFKA_SASL_{name}: expected with SEGUE_KAFKA_SECURITY_PROTOCOL=sasl_ssl"
        for name in ("MECHANISM", "USERNAME", "PASSWORD")
    )


@pytest.mark.parametrize(
    ("protocol", "unused"),
    [("plaintext", "kafka_sasl_password"), ("plaintext", "kafka_ssl_ca_file"), ("sasl_plaintext", "kafka_ssl_ca_file")],
)
def test_what_a_protocol_would_leave_unused_is_refused(
    monkeypatch: pytest.MonkeyPatch, protocol: str, unused: str
) -> None:
    said = _refusal(monkeypatch, **{**SASL, "kafka_security_protocol": protocol})
    assert f"SEGUE_{unused.upper()}: not used with SEGUE_KAFKA_SECURITY_PROTOCOL={protocol}" in said


def test_a_key_without_a_certificate_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    said = _refusal(monkeypatch, kafka_security_protocol="ssl", kafka_ssl_key_file=str(TLS / "client.pem"))
    assert "SEGUE_KAFKA_SSL_KEY_FILE: expected SEGUE_KAFKA_SSL_CERTIFICATE_FILE beside it" in said


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"kafka_ssl_ca_file": "/nowhere/ca.pem"}, "/nowhere/ca.pem: expected a file that can be read: No such file"),
        ({"kafka_ssl_ca_file": str(TLS / "README.md")}, "README.md: expected certificates of authorities in PEM"),
        ({"kafka_ssl_certificate_file": "/nowhere/c.pem"}, "/nowhere/c.pem: expected a file that can be read"),
        ({"kafka_ssl_certificate_file": str(TLS / "client_certificate.pem")}, "expected a certificate, its key"),
        (
            {
                "kafka_ssl_certificate_file": str(TLS / "client_certificate.pem"),
                "kafka_ssl_key_file": str(TLS / "client_encrypted_key.pem"),
                "kafka_ssl_key_password": "s3cret-but-wrong",
            },
            "the password of the key",
        ),
        (
            {
                "kafka_ssl_certificate_file": str(TLS / "client_certificate.pem"),
                "kafka_ssl_key_file": str(TLS / "client_encrypted_key.pem"),
            },
            "the password of the key",
        ),
        (
            {
                "kafka_ssl_certificate_file": str(TLS / "client.pem"),
                "kafka_ssl_key_file": str(TLS / "server.pem"),
            },
            "key values mismatch",
        ),
    ],
)
def test_a_file_that_cannot_serve_is_named_with_the_reason(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], expected: str
) -> None:
    assert expected in _refusal(monkeypatch, kafka_security_protocol="ssl", **settings)
