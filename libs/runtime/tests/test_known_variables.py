"""A variable that nobody reads is named at the start, and one that was surely meant for us ends it."""

import json
import os
import subprocess
import sys
from typing import ClassVar

import pytest
from pydantic import Field
from runtime.errors import SettingsError
from runtime.service.contract import main as contract
from runtime.service.known_variables import OF_TOOLS, every_variable, refuse_misspelt, unknown_variables
from runtime.service.run import NOT_STARTED, OK, run_service
from runtime.service.settings import ServiceSettings, own_variables

NEEDED = {"RXTRACT_BOOTSTRAP_SERVERS": "127.0.0.1:1", "RXTRACT_SCHEMA_REGISTRY_URL": "http://127.0.0.1:1"}


class DoorSettings(ServiceSettings):
    service: ClassVar[str] = "door"
    http_tokens_file: str = Field("", description="file with tokens")


OWN = own_variables(DoorSettings)


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in [name for name in os.environ if name.upper().startswith("RXTRACT_")]:
        monkeypatch.delenv(name)
    for name, value in NEEDED.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def never(_settings: ServiceSettings) -> None:
    raise AssertionError("it was started")


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("RXTRACT_HTTP_TOKEN_FILE", "RXTRACT_HTTP_TOKENS_FILE"),
        ("RXTRACT_TOPICS_PREFIX", "RXTRACT_TOPIC_PREFIX"),
        ("RXTRACT_LOGLEVEL", "RXTRACT_LOG_LEVEL"),
        ("rxtract_health_prot", "RXTRACT_HEALTH_PORT"),
        ("RXTRACT_TRACING_RATIOS", "RXTRACT_TRACING_RATIO"),
    ],
)
def test_what_was_surely_meant_for_us_ends_the_start(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, meant: str
) -> None:
    environment.setenv(name, "s3cr3t")
    assert run_service(DoorSettings, never) == NOT_STARTED
    assert capsys.readouterr().err == f"door: unknown variable {name}, did you mean {meant}?\n"


def test_a_missing_setting_is_named_by_its_misspelling(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    environment.delenv("RXTRACT_BOOTSTRAP_SERVERS")
    environment.setenv("RXTRACT_BOOTSTRAP_SERVER", "127.0.0.1:1")
    assert run_service(DoorSettings, never) == NOT_STARTED
    assert "did you mean RXTRACT_BOOTSTRAP_SERVERS?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "meant"), [("RXTRACT_FOO", None), ("RXTRACT_DESK_TOKEN_FILE", "RXTRACT_DESK_TOKENS_FILE")]
)
@pytest.mark.parametrize("level", ["INFO", "ERROR"])
def test_what_was_not_is_named_in_the_log_at_every_level(
    environment: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], name: str, meant: str | None, level: str
) -> None:
    environment.setenv(name, "s3cr3t")
    environment.setenv("RXTRACT_LOG_LEVEL", level)
    assert run_service(DoorSettings, lambda _: None) == OK
    err = capfd.readouterr().err
    (line,) = [json.loads(one) for one in err.splitlines() if "unknown variable" in one]
    assert (line["name"], line["did_you_mean"]) == (name, meant)
    assert "s3cr3t" not in err


def test_the_right_name_beside_the_wrong_one_is_enough_to_start(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("RXTRACT_LOGLEVEL", "INFO")
    environment.setenv("RXTRACT_LOG_LEVEL", "INFO")
    assert run_service(DoorSettings, lambda _: None) == OK


def test_one_file_of_variables_may_serve_all() -> None:
    everything = dict.fromkeys(every_variable() | OWN, "x")
    assert refuse_misspelt(OWN, everything) == []
    assert unknown_variables(environ=dict.fromkeys(every_variable(), "x")) == []


def test_an_empty_one_counts_as_unset_and_others_are_none_of_our_business() -> None:
    assert unknown_variables(environ={"RXTRACT_FOO": "", "PATH": "/bin", "MY_RXTRACT_FOO": "x"}) == []


def test_nothing_known_is_refused_for_being_like_another() -> None:
    """RXTRACT_AUDIT_RATE and RXTRACT_AUDIT_RATES are both right."""
    for name in every_variable():
        assert refuse_misspelt(OWN, {name: "x"}) == []


def test_the_contract_job_does_the_same(environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    environment.setenv("RXTRACT_TOPIC_PREFIXS", "t.")
    assert contract(["topics"]) == NOT_STARTED
    assert "did you mean RXTRACT_TOPIC_PREFIX?" in capsys.readouterr().err


def test_the_command_line_names_it_and_goes_on() -> None:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("RXTRACT_")}
    ended = subprocess.run(
        [sys.executable, "-m", "rxtract", "topics", "--help"],
        env=clean | {"RXTRACT_INGEST_URLS": "http://127.0.0.1:1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (
        0,
        "rxtract: unknown variable RXTRACT_INGEST_URLS, did you mean RXTRACT_INGEST_URL?\n",
    )


def test_tools_and_services_are_told_apart() -> None:
    assert OF_TOOLS & (every_variable() - OF_TOOLS) == set()
    with pytest.raises(SettingsError):
        refuse_misspelt(OWN, {"RXTRACT_HEALTHPORT": "1"})
