"""Settings: the environment, parsed once at the edge. Every variable begins with ``RXTRACT_``.

An unusable environment ends in one clear line for each variable: its name, what is wrong, what to set. A value is never repeated in such a
line, since it may be a secret.
"""

import logging
import platform
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple, Self
from zoneinfo import ZoneInfo

from contracts.topics import prefixed
from pydantic import Field, JsonValue, SecretStr, ValidationError, field_validator, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from runtime.errors import SettingsError
from runtime.service.addresses import check_servers, check_url
from runtime.service.known_variables import ENV_PREFIX

SaslMechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]
SecurityProtocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR"]
TRIES = 4
"""How often a record may be in hand when a process dies, where no setting says otherwise."""
SECRET: dict[str, JsonValue] = {"secret": True}
"""Marks a setting whose value, or whose file's content, belongs into a secret store."""


class Variable(NamedTuple):
    """One setting as the outside knows it; a secret's value is masked."""

    name: str
    value: str
    default: str
    description: str


class KafkaSecurity(BaseSettings):
    """How a client of Kafka proves who it is and whom it trusts. Services and the command line read the same variables."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, extra="ignore", frozen=True, hide_input_in_errors=True, env_ignore_empty=True
    )

    security_protocol: SecurityProtocol = Field("PLAINTEXT", description="PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL")
    sasl_mechanism: SaslMechanism | None = Field(None, description="PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512")
    sasl_username: str | None = Field(None, description="user of the SASL login")
    sasl_password: SecretStr | None = Field(None, description="password of the SASL login", json_schema_extra=SECRET)
    ssl_ca_location: Path | None = Field(None, description="file with the certificates of the authority to trust")
    ssl_certificate_location: Path | None = Field(None, description="file with our own certificate, for mutual TLS")
    ssl_key_location: Path | None = Field(
        None, description="file with the key of our own certificate", json_schema_extra=SECRET
    )

    @model_validator(mode="after")
    def _can_log_in(self) -> Self:
        if self.security_protocol.startswith("SASL_"):
            for name in ("sasl_mechanism", "sasl_username", "sasl_password"):
                if not getattr(self, name):
                    wanted = type(self).model_fields[name].description
                    raise ValueError(
                        f"{variable_name(name)} is not set and {self.security_protocol} needs it ({wanted})"
                    )
        return self

    @classmethod
    def load(cls, **overrides: Any) -> Self:
        """Read the environment.

        Args:
            overrides: Values that win over the environment (tests).

        Raises:
            SettingsError: One line for each variable that is missing or wrong.
        """
        try:
            return cls(**overrides)
        except ValidationError as error:
            lines = [_explain(cls, details) for details in error.errors(include_input=False, include_url=False)]
            raise SettingsError("\n".join(lines)) from None

    def security_config(self) -> dict[str, Any]:
        """The part of librdkafka's configuration that says how to connect."""
        config: dict[str, Any] = {
            "security.protocol": self.security_protocol,
            "sasl.mechanism": self.sasl_mechanism,
            "sasl.username": self.sasl_username,
            "sasl.password": self.sasl_password.get_secret_value() if self.sasl_password else None,
            "ssl.ca.location": _path(self.ssl_ca_location),
            "ssl.certificate.location": _path(self.ssl_certificate_location),
            "ssl.key.location": _path(self.ssl_key_location),
        }
        return {key: value for key, value in config.items() if value is not None}


class ServiceSettings(KafkaSecurity):
    """What every service can be told. A service subclasses this and adds its own."""

    service: ClassVar[str] = "service"

    bootstrap_servers: str = Field(description="Kafka's address, for example 127.0.0.1:9092")
    schema_registry_url: str = Field(description="schema registry's address, for example http://127.0.0.1:8081")
    redis_url: str | None = Field(None, description="Redis' address, for example redis://127.0.0.1:6379/0")
    mlflow_url: str | None = Field(None, description="MLflow's address, for example http://127.0.0.1:5000")
    topic_prefix: str = Field("", description="put before every topic's name, for clusters that are shared")
    group_prefix: str = Field("", description="put before every consumer group's name")
    client_id: str = Field(default_factory=platform.node, description="client.id, usually the pod's name")
    health_host: str = Field("127.0.0.1", description="address of /live, /ready, /metrics and /info")
    health_port: int = Field(0, ge=0, le=65535, description="their port; 0 takes any free one")
    health_port_file: Path | None = Field(None, description="where the actual health port is written")
    log_level: LogLevel = Field("INFO", description="DEBUG, INFO, WARNING or ERROR")
    kill_tries: int = Field(
        TRIES,
        ge=3,
        le=10,
        description="how often a record may be in hand when a process dies, before it is a dead letter",
    )
    fault_limit_s: float = Field(
        60.0,
        gt=0,
        description="how long a right or a topic may be missing before the process ends, so that a fresh one begins",
    )
    tracing_endpoint: str | None = Field(
        None,
        pattern="^https?://",
        description="collector that takes traces by OTLP over HTTP, for example http://127.0.0.1:4318; unset: no tracing",
    )
    tracing_ratio: float = Field(
        0.01, ge=0, le=1, description="share of notes whose trace is kept, where the sender has not decided"
    )

    @field_validator("bootstrap_servers")
    @classmethod
    def _are_servers(cls, value: str) -> str:
        return check_servers(value)

    @field_validator("schema_registry_url", "mlflow_url")
    @classmethod
    def _is_http(cls, value: str | None) -> str | None:
        return None if value is None else check_url(value, ("http", "https"))

    @field_validator("redis_url")
    @classmethod
    def _is_redis(cls, value: str | None) -> str | None:
        return None if value is None else check_url(value, ("redis", "rediss", "unix"))

    def topic(self, name: str) -> str:
        """The full name of a topic on this cluster."""
        return prefixed(self.topic_prefix, name)

    def group(self, name: str) -> str:
        """The full name of a consumer group on this cluster."""
        return self.group_prefix + name

    def kafka_client_config(self) -> dict[str, Any]:
        """The part of librdkafka's configuration that all our clients share: address, identity, security, logging."""
        return {
            "bootstrap.servers": self.bootstrap_servers,
            "client.id": self.client_id,
            **self.security_config(),
            "logger": logging.getLogger("confluent_kafka"),
        }

    def variables(self) -> list[Variable]:
        """Every setting with its value; secrets masked."""
        return [
            Variable(variable_name(name), _shown(getattr(self, name)), _default(field), field.description or "")
            for name, field in type(self).model_fields.items()
        ]


class HttpSettings(ServiceSettings):
    """The settings of a service that answers HTTP to others than probes."""

    http_drain_s: float = Field(
        5.0,
        ge=0,
        le=25,
        description="seconds that HTTP goes on being answered after a request to stop, so that load balancers look away first",
    )
    http_first_byte_s: float = Field(
        5.0, gt=0, description="seconds that a connection may be open without a byte; in TLS also for the handshake"
    )
    http_headers_s: float = Field(10.0, gt=0, description="seconds from the first byte of a request to its last header")
    http_body_s: float = Field(30.0, gt=0, description="seconds from there to the end of its body")
    http_tls_certificate_file: Path | None = Field(
        None,
        description="file with the door's certificate in PEM, read again when it changes; unset: plaintext, for a proxy in front that speaks TLS",
    )
    http_tls_key_file: Path | None = Field(
        None, description="file with the certificate's key in PEM, without a password", json_schema_extra=SECRET
    )


class AccessLogSettings(HttpSettings):
    """The settings of a service that shows notes to people."""

    access_log_timeout_s: float = Field(
        3.0, gt=0, le=30, description="seconds that the access log may take; what is not logged by then is not shown"
    )


class MlflowSettings(ServiceSettings):
    """The settings of a service that asks MLflow."""

    rules_name: str = Field(
        "rxtract-rules", description="name of the registered model that holds the releases of rules"
    )
    mlflow_timeout_s: float = Field(10.0, gt=0, description="seconds that one call of MLflow may take")
    mlflow_username: str | None = Field(None, description="user of MLflow's basic authentication")
    mlflow_password_file: Path | None = Field(
        None, description="file with the password of that user", json_schema_extra=SECRET
    )

    def needed_mlflow_url(self) -> str:
        """MLflow's address, for a service that cannot do without.

        Raises:
            SettingsError: It is not set.
        """
        if self.mlflow_url is None:
            raise SettingsError(
                "RXTRACT_MLFLOW_URL is not set: give it MLflow's address, for example http://127.0.0.1:5000"
            )
        return self.mlflow_url

    def mlflow_password(self) -> str | None:
        """The password, read now.

        Raises:
            SettingsError: Its file cannot be read.
        """
        if self.mlflow_password_file is None:
            return None
        try:
            return self.mlflow_password_file.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise SettingsError(
                f"RXTRACT_MLFLOW_PASSWORD_FILE cannot be read ({type(error).__name__}): give a readable file"
            ) from None


def time_zone(name: str) -> ZoneInfo:
    """The zone of RXTRACT_TIMEZONE.

    Raises:
        SettingsError: There is no such zone.
    """
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise SettingsError("RXTRACT_TIMEZONE is no time zone: set it to one like Asia/Kolkata") from None


def variable_name(field: str) -> str:
    """The environment variable of a setting."""
    return f"{ENV_PREFIX}{field}".upper()


def own_variables(settings: type[KafkaSecurity]) -> frozenset[str]:
    """The environment variables that a class of settings reads."""
    return frozenset(map(variable_name, settings.model_fields))


def _explain(settings: type[KafkaSecurity], details: ErrorDetails) -> str:
    name = str(details["loc"][0]) if details["loc"] else ""
    field = settings.model_fields.get(name)
    wanted = field.description if field is not None and field.description else "a usable value"
    if not name:
        return details["msg"].removeprefix("Value error, ")
    if details["type"] == "missing":
        return f"{variable_name(name)} is not set: give it the {wanted}"
    return f"{variable_name(name)} is not usable ({_plain(details['msg'])}): set it to {wanted}"


def _plain(message: str) -> str:
    text = message.removeprefix("Value error, ")
    return text[:1].lower() + text[1:]


def _shown(value: object) -> str:
    return "" if value is None else str(value)  # SecretStr prints as asterisks


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "(required)"
    return "(computed)" if field.default_factory is not None else _shown(field.default)


def _path(path: Path | None) -> str | None:
    return None if path is None else str(path)
