"""The environment is usable, or says in one line what to set."""

from pathlib import Path

import pytest
from pydantic import Field, SecretStr
from runtime.errors import SettingsError, Stopped
from runtime.service.run import CRASHED, NOT_STARTED, OK, run_service
from runtime.service.settings import KafkaSecurity, ServiceSettings

NEEDED = {"RXTRACT_BOOTSTRAP_SERVERS": "127.0.0.1:9092", "RXTRACT_SCHEMA_REGISTRY_URL": "http://127.0.0.1:8081"}


class OwnSettings(ServiceSettings):
    service = "own"
    key_file: Path | None = Field(None, description="file with a key")
    api_secret: SecretStr = Field(SecretStr("hidden"), description="secret of the API")


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, value in NEEDED.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def test_the_environment_is_read(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("RXTRACT_TOPIC_PREFIX", "t1.")
    environment.setenv("RXTRACT_GROUP_PREFIX", "t1-")
    settings = OwnSettings.load()
    assert settings.bootstrap_servers == "127.0.0.1:9092"
    assert settings.topic("notes.submitted.v1") == "t1.notes.submitted.v1"
    assert settings.group("rxtract-own") == "t1-rxtract-own"


def test_a_missing_variable_is_named_with_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NEEDED:
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(SettingsError) as error:
        OwnSettings.load()
    first, second = str(error.value).splitlines()
    assert first == "RXTRACT_BOOTSTRAP_SERVERS is not set: give it the Kafka's address, for example 127.0.0.1:9092"
    assert second.startswith("RXTRACT_SCHEMA_REGISTRY_URL is not set")


@pytest.mark.parametrize(
    ("name", "value"),
    [("RXTRACT_HEALTH_PORT", "99999"), ("RXTRACT_LOG_LEVEL", "LOUD"), ("RXTRACT_SECURITY_PROTOCOL", "s3cr3t")],
)
def test_a_wrong_value_is_named_but_not_repeated(environment: pytest.MonkeyPatch, name: str, value: str) -> None:
    environment.setenv(name, value)
    with pytest.raises(SettingsError) as error:
        OwnSettings.load()
    assert str(error.value).startswith(f"{name} is not usable")
    assert value not in str(error.value)
    assert "\n" not in str(error.value)


BAD_ADDRESSES = [
    *(
        ("bootstrap_servers", bad)
        for bad in ("kafka", "kafka:", ":9092", "kafka:70000", "kafka:9092,", "http://kafka:9092")
    ),
    *(("schema_registry_url", bad) for bad in ("registry:8081", "ftp://registry", "http://", "http://registry:70000")),
    *(("redis_url", bad) for bad in ("redis:6379", "http://redis:6379", "redis://:s3cr3t@redis:70000/0", "redis://")),
    *(("mlflow_url", bad) for bad in ("mlflow:5000", "http://mlflow:0", "http://[::1")),
    *(
        ("schema_registry_url", bad)
        for bad in (
            "http://registry:8081\n",
            "http://reg istry:8081",
            "http://registry:8081/\tapis",
            "http://reg\ristry:8081",
        )
    ),
    ("redis_url", "redis://:s3cr3t@redis:6379/0\n"),
    ("mlflow_url", "http://mlflow:5000 "),
]


@pytest.mark.parametrize(("field", "bad"), BAD_ADDRESSES)
def test_an_address_that_no_client_takes_is_refused(environment: pytest.MonkeyPatch, field: str, bad: str) -> None:
    environment.setenv(f"RXTRACT_{field.upper()}", bad)
    with pytest.raises(SettingsError) as error:
        OwnSettings.load()
    assert str(error.value).startswith(f"RXTRACT_{field.upper()} is not usable")
    assert "for example" in str(error.value)
    assert "s3cr3t" not in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("field", "good"),
    [
        ("bootstrap_servers", "kafka-0.kafka:9092,kafka-1.kafka:9092"),
        ("bootstrap_servers", "[::1]:9092"),
        ("schema_registry_url", "https://user:pass@registry/apis/ccompat/v7"),
        ("redis_url", "rediss://:open%20sesame@redis:6380/2?ssl_cert_reqs=none"),
        ("redis_url", "unix:///run/redis.sock?db=1"),
        ("mlflow_url", "http://[::1]:5000"),
    ],
)
def test_an_address_that_clients_take_is_kept(environment: pytest.MonkeyPatch, field: str, good: str) -> None:
    environment.setenv(f"RXTRACT_{field.upper()}", good)
    assert getattr(OwnSettings.load(), field) == good


def test_spaces_between_servers_do_no_harm(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("RXTRACT_BOOTSTRAP_SERVERS", "a:1, b:2")
    assert OwnSettings.load().bootstrap_servers == "a:1,b:2"


def test_secrets_are_masked(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("RXTRACT_SASL_PASSWORD", "open sesame")
    settings = OwnSettings.load()
    shown = repr(settings) + "".join(map(str, settings.variables()))
    assert "open sesame" not in shown
    assert "hidden" not in shown
    assert "RXTRACT_API_SECRET" in shown


def test_the_clients_get_the_security_settings(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("RXTRACT_SECURITY_PROTOCOL", "SASL_SSL")
    environment.setenv("RXTRACT_SASL_MECHANISM", "SCRAM-SHA-512")
    environment.setenv("RXTRACT_SASL_USERNAME", "own")
    environment.setenv("RXTRACT_SASL_PASSWORD", "open sesame")
    environment.setenv("RXTRACT_SSL_CA_LOCATION", "/ca.pem")
    config = OwnSettings.load().kafka_client_config()
    assert config["security.protocol"] == "SASL_SSL"
    assert config["sasl.password"] == "open sesame"
    assert config["ssl.ca.location"] == "/ca.pem"
    assert "ssl.key.location" not in config


def test_every_setting_is_described() -> None:
    assert [name for name, field in OwnSettings.model_fields.items() if not field.description] == []


def test_a_process_that_cannot_start_says_so_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("RXTRACT_BOOTSTRAP_SERVERS", raising=False)
    monkeypatch.setenv("RXTRACT_SCHEMA_REGISTRY_URL", "http://127.0.0.1:1")
    assert run_service(OwnSettings, lambda _: None) == NOT_STARTED
    assert capsys.readouterr().err.count("\n") == 1


def test_a_process_that_ends_in_order_ends_with_zero(environment: pytest.MonkeyPatch) -> None:
    assert run_service(OwnSettings, lambda _: None) == OK


def test_a_process_that_is_stopped_while_it_waits_ends_with_zero(environment: pytest.MonkeyPatch) -> None:
    def serve(_: ServiceSettings) -> None:
        raise Stopped("asked to stop")

    assert run_service(OwnSettings, serve) == OK


def test_a_crash_ends_with_one(environment: pytest.MonkeyPatch) -> None:
    def serve(_: ServiceSettings) -> None:
        raise ZeroDivisionError

    assert run_service(OwnSettings, serve) == CRASHED


LOGIN = {"RXTRACT_SASL_MECHANISM": "SCRAM-SHA-512", "RXTRACT_SASL_USERNAME": "u", "RXTRACT_SASL_PASSWORD": "s3cr3t"}


@pytest.mark.parametrize("protocol", ["SASL_SSL", "SASL_PLAINTEXT"])
@pytest.mark.parametrize("missing", LOGIN)
@pytest.mark.parametrize("settings", [KafkaSecurity, OwnSettings])
def test_a_login_that_lacks_a_part_is_named_in_our_words(
    environment: pytest.MonkeyPatch, protocol: str, missing: str, settings: type[KafkaSecurity]
) -> None:
    environment.setenv("RXTRACT_SECURITY_PROTOCOL", protocol)
    for name, value in LOGIN.items():
        environment.setenv(name, value)
    assert settings.load().security_config()["sasl.mechanism"] == "SCRAM-SHA-512"
    environment.delenv(missing)
    with pytest.raises(SettingsError) as error:
        settings.load()
    assert str(error.value).startswith(f"{missing} is not set and {protocol} needs it (")
    assert "\n" not in str(error.value)


def test_a_mechanism_that_we_do_not_speak_is_refused_by_name(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("RXTRACT_SASL_MECHANISM", "GSSAPI")
    with pytest.raises(SettingsError, match=r"RXTRACT_SASL_MECHANISM is not usable.*SCRAM-SHA-512"):
        OwnSettings.load()
