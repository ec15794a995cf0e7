"""Settings that every process has: where Kafka and Redis are and how they let us in, and the namespace.

Each program adds its own by subclassing `CommonSettings`. All come from environment variables with the
prefix `SEGUE_`; nothing in them changes a result.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Self, TypeAlias, TypeVar

from pydantic import BeforeValidator, Field, SecretStr, StringConstraints, ValidationError, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from schemas.errors import InputError
from schemas.kafka_connection import KafkaConnection, Sasl, SaslMechanism, SecurityProtocol
from schemas.redis_access import RedisAccess
from schemas.tls import TlsFiles
from schemas.topics import Names


def _none_if_empty(value: object) -> object:
    return None if value == "" else value


# An empty variable is an unset one: as a path it would be the working directory.
OptionalFile: TypeAlias = Annotated[Path | None, BeforeValidator(_none_if_empty)]
OptionalText: TypeAlias = Annotated[str | None, BeforeValidator(_none_if_empty)]
OptionalSecret: TypeAlias = Annotated[SecretStr | None, BeforeValidator(_none_if_empty)]


class CommonSettings(BaseSettings):
    """Where Kafka and Redis are and how they let us in, and the namespace."""

    model_config = SettingsConfigDict(env_prefix="SEGUE_", extra="ignore")

    kafka_bootstrap_servers: str = Field(default="127.0.0.1:9092", description="Kafka brokers, `host:port,…`.")
    kafka_security_protocol: SecurityProtocol = Field(
        default="plaintext", description="How Kafka is spoken to: in plain text or over TLS, as nobody or as a user."
    )
    kafka_sasl_mechanism: Annotated[SaslMechanism | None, BeforeValidator(_none_if_empty)] = Field(
        default=None, description="How the user of Kafka proves who it is, with a protocol that begins with `sasl`."
    )
    kafka_sasl_username: OptionalText = Field(default=None, description="The user of Kafka.")
    kafka_sasl_password: OptionalSecret = Field(default=None, description="The password of that user.")
    kafka_ssl_ca_file: OptionalFile = Field(
        default=None,
        description="Authorities (PEM) to trust in place of the system's, when Kafka shows its certificate.",
    )
    kafka_ssl_certificate_file: OptionalFile = Field(
        default=None, description="Our own certificate (PEM), where Kafka asks for one."
    )
    kafka_ssl_key_file: OptionalFile = Field(
        default=None, description="The key of that certificate (PEM), unless it lies in the same file."
    )
    kafka_ssl_key_password: OptionalSecret = Field(default=None, description="The password of that key.")
    kafka_ssl_check_hostname: bool = Field(
        default=True, description="Whether Kafka's certificate must be for the name that it is reached by."
    )
    redis_url: SecretStr = Field(
        default=SecretStr("redis://127.0.0.1:6379/0"),
        description="Redis, `redis://USER:PASSWORD@HOST:PORT/DB`; `rediss://` over TLS, `unix://PATH` for a socket, "
        "`redis+cluster://` or `rediss+cluster://` for a cluster, with some of its nodes: `HOST:PORT,HOST:PORT`.",
    )
    redis_ssl_ca_file: OptionalFile = Field(
        default=None,
        description="Authorities (PEM) to trust in place of the system's, when Redis shows its certificate.",
    )
    redis_ssl_certificate_file: OptionalFile = Field(
        default=None, description="Our own certificate (PEM), where Redis asks for one."
    )
    redis_ssl_key_file: OptionalFile = Field(
        default=None,
        description="The key of that certificate (PEM, without a password), unless it lies in the same file.",
    )
    redis_ssl_check_hostname: bool = Field(
        default=True, description="Whether the certificate of Redis must be for the name that it is reached by."
    )
    namespace: Annotated[str, StringConstraints(pattern=r"^([a-z][a-z0-9_-]{0,39})?$")] = Field(
        default="", description="Prefix of topics, groups and keys: one a workspace."
    )
    log_level: str = Field(default="info", pattern="^(debug|info|warning|error)$", description="Least level logged.")

    @property
    def names(self) -> Names:
        """Topics, groups and keys under the namespace."""
        return Names(self.namespace)

    @property
    def kafka(self) -> KafkaConnection:
        """How Kafka is reached."""
        sasl = None
        if self.kafka_sasl_mechanism and self.kafka_sasl_username and self.kafka_sasl_password:
            sasl = Sasl(self.kafka_sasl_mechanism, self.kafka_sasl_username, self.kafka_sasl_password)
        tls = None
        if self.kafka_security_protocol.endswith("ssl"):
            tls = TlsFiles(
                self.kafka_ssl_ca_file,
                self.kafka_ssl_certificate_file,
                self.kafka_ssl_key_file,
                self.kafka_ssl_key_password,
                self.kafka_ssl_check_hostname,
            )
        return KafkaConnection(self.kafka_bootstrap_servers, tls, sasl)

    @property
    def redis(self) -> RedisAccess:
        """How Redis is reached."""
        files = TlsFiles(
            self.redis_ssl_ca_file,
            self.redis_ssl_certificate_file,
            self.redis_ssl_key_file,
            check_hostname=self.redis_ssl_check_hostname,
        )
        return RedisAccess.at(self.redis_url.get_secret_value(), files)

    @model_validator(mode="after")
    def _redis_lets_us_in(self) -> Self:
        try:
            access = self.redis
        except ValueError as error:
            raise ValueError(f"SEGUE_REDIS_URL: {error}") from None
        problems = list(_key_problems(self, "redis_ssl_"))
        if access.uses_tls and not problems:
            problems += _file_problems("SEGUE_REDIS_SSL_…", access.tls)
        elif not access.uses_tls:
            problems += [
                f"SEGUE_{name.upper()}: not used: expected an address that begins with rediss in SEGUE_REDIS_URL, or "
                "this variable not to be set"
                for name in _changed(self, "redis_ssl_")
            ]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @model_validator(mode="after")
    def _kafka_lets_us_in(self) -> Self:
        protocol = self.kafka_security_protocol
        problems = [
            *_wholeness(self, "kafka_sasl_", protocol, wanted=protocol.startswith("sasl"), needs=_SASL_NEEDS),
            *_wholeness(self, "kafka_ssl_", protocol, wanted=protocol.endswith("ssl"), needs=()),
            *_key_problems(self, "kafka_ssl_"),
        ]
        tls = self.kafka.tls
        if tls is not None and not problems:
            problems += _file_problems("SEGUE_KAFKA_SSL_…", tls)
        if problems:
            raise ValueError("; ".join(problems))
        return self


_SASL_NEEDS = ("kafka_sasl_mechanism", "kafka_sasl_username", "kafka_sasl_password")


def _wholeness(
    settings: CommonSettings, prefix: str, protocol: str, *, wanted: bool, needs: Sequence[str]
) -> Iterator[str]:
    """What is missing for a protocol, and what is there that the protocol would leave unused, unnoticed."""
    if wanted:
        for name in needs:
            if getattr(settings, name) is None:
                yield f"SEGUE_{name.upper()}: expected with SEGUE_KAFKA_SECURITY_PROTOCOL={protocol}"
        return
    for name in _changed(settings, prefix):
        yield (
            f"SEGUE_{name.upper()}: not used with SEGUE_KAFKA_SECURITY_PROTOCOL={protocol}: expected a protocol "
            f"with {prefix.split('_')[1]} in its name, or this variable not to be set"
        )


def _changed(settings: CommonSettings, prefix: str) -> Iterator[str]:
    for name, field in CommonSettings.model_fields.items():
        if name.startswith(prefix) and getattr(settings, name) != field.default:
            yield name


def _key_problems(settings: CommonSettings, prefix: str) -> Iterator[str]:
    for name in (f"{prefix}key_file", f"{prefix}key_password"):
        if getattr(settings, name, None) is not None and getattr(settings, f"{prefix}certificate_file") is None:
            yield f"SEGUE_{name.upper()}: expected SEGUE_{prefix.upper()}CERTIFICATE_FILE beside it"


def _file_problems(name: str, tls: TlsFiles) -> Iterator[str]:
    try:
        tls.context()
    except ValueError as error:
        yield f"{name}: {error}"


SettingsT = TypeVar("SettingsT", bound=CommonSettings)


def load_settings(kind: type[SettingsT]) -> SettingsT:
    """The settings of the environment. Raises `InputError` that lists everything wrong at once."""
    try:
        return kind()
    except ValidationError as error:
        lines = [_line(problem) for problem in error.errors(include_url=False, include_input=False)]
        raise InputError("settings: " + "; ".join(lines)) from None


def _line(problem: ErrorDetails) -> str:
    if not problem["loc"]:  # about several settings, which the text names
        return problem["msg"].removeprefix("Value error, ")
    return f"SEGUE_{'_'.join(str(step) for step in problem['loc']).upper()}: {problem['msg']}"
