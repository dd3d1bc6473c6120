"""The command line connects by the same security variables as the services."""

import pytest
from rxtract.addresses import StackAddresses
from rxtract.app import build
from rxtract.errors import UserError
from rxtract.kafka import client_config
from typer.testing import CliRunner

KAFKA = StackAddresses(bootstrap_servers="127.0.0.1:1")


def test_sasl_and_tls_are_read_from_the_environment(monkeypatch, tmp_path):
    for name, value in {
        "SECURITY_PROTOCOL": "SASL_SSL",
        "SASL_MECHANISM": "SCRAM-SHA-512",
        "SASL_USERNAME": "rxtract",
        "SASL_PASSWORD": "hidden",
        "SSL_CA_LOCATION": str(tmp_path / "ca.crt"),
    }.items():
        monkeypatch.setenv(f"RXTRACT_{name}", value)
    asked = []
    monkeypatch.setattr("runtime.service.kafka_login.check_login", asked.append)
    config = client_config(KAFKA, "rxtract-cli")
    assert config["security.protocol"] == "SASL_SSL"
    assert config["sasl.password"] == "hidden"
    assert config["ssl.ca.location"] == str(tmp_path / "ca.crt")
    assert "ssl.key.location" not in config
    assert asked == [config]


def test_a_wrong_protocol_is_one_line(monkeypatch):
    monkeypatch.setenv("RXTRACT_SECURITY_PROTOCOL", "TLS")
    with pytest.raises(UserError, match="RXTRACT_SECURITY_PROTOCOL is not usable"):
        client_config(KAFKA, "rxtract-cli")


def test_topics_apply_says_in_one_line_that_a_ca_file_is_wrong(monkeypatch, tmp_path):
    (tmp_path / "ca.crt").write_text("no certificate")
    monkeypatch.setenv("RXTRACT_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    monkeypatch.setenv("RXTRACT_SECURITY_PROTOCOL", "SSL")
    monkeypatch.setenv("RXTRACT_SSL_CA_LOCATION", str(tmp_path / "ca.crt"))
    result = CliRunner().invoke(build(["topics"]), ["topics", "apply"])
    assert isinstance(result.exception, UserError)
    assert "ssl.ca.location" in str(result.exception)
