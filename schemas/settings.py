"""Settings that every process has: where Kafka and Redis are, and the namespace.

Each program adds its own by subclassing `CommonSettings`. All come from environment variables with the
prefix `SEGUE_`; nothing in them changes a result.
"""

from __future__ import annotations

from typing import Annotated, TypeVar

from pydantic import Field, SecretStr, StringConstraints, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from schemas.errors import InputError
from schemas.topics import Names


class CommonSettings(BaseSettings):
    """Where Kafka and Redis are, and the namespace."""

    model_config = SettingsConfigDict(env_prefix="SEGUE_", extra="ignore")

    kafka_bootstrap_servers: str = Field(default="127.0.0.1:9092", description="Kafka brokers, `host:port,…`.")
    redis_url: SecretStr = Field(
        default=SecretStr("redis://127.0.0.1:6379/0"), description="Redis; `unix://PATH` for a socket."
    )
    namespace: Annotated[str, StringConstraints(pattern=r"^([a-z][a-z0-9_-]{0,39})?$")] = Field(
        default="", description="Prefix of topics, groups and keys: one a workspace."
    )
    log_level: str = Field(default="info", pattern="^(debug|info|warning|error)$", description="Least level logged.")

    @property
    def names(self) -> Names:
        """Topics, groups and keys under the namespace."""
        return Names(self.namespace)


SettingsT = TypeVar("SettingsT", bound=CommonSettings)


def load_settings(kind: type[SettingsT]) -> SettingsT:
    """The settings of the environment. Raises `InputError` that lists everything wrong at once."""
    try:
        return kind()
    except ValidationError as error:
        lines = [
            f"SEGUE_{'_'.join(str(step) for step in problem['loc']).upper()}: {problem['msg']}"
            for problem in error.errors(include_url=False, include_input=False)
        ]
        raise InputError("settings: " + "; ".join(lines)) from None
