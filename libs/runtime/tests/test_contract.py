"""The contract job says in one line what keeps it from applying the contract."""

import pytest
from contracts.registry import InMemoryRegistry
from runtime import contract
from runtime.contract import ContractSettings

ADDRESSES = {
    "RXTRACT_BOOTSTRAP_SERVERS": "127.0.0.1:1",
    "RXTRACT_SCHEMA_REGISTRY_URL": "http://127.0.0.1:1/apis/ccompat/v7",
}


@pytest.fixture
def addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ADDRESSES.items():
        monkeypatch.setenv(name, value)


def test_a_step_that_does_not_exist_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert contract.main(["topics", "schema"]) == 2
    assert capsys.readouterr().err == "contract: say what to apply: topics schemas\n"
    assert contract.main([]) == 2


def test_without_an_address_it_does_not_start(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ADDRESSES:
        monkeypatch.delenv(name, raising=False)
    assert contract.main(["schemas"]) == 2
    assert "RXTRACT_SCHEMA_REGISTRY_URL is not set" in capsys.readouterr().err


@pytest.mark.usefixtures("addresses")
def test_a_registry_that_is_away_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert contract.main(["schemas"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("contract: the schema registry does not answer")
    assert error.count("\n") == 1


@pytest.mark.usefixtures("addresses")
def test_schemas_are_registered_under_the_prefix_once() -> None:
    registry = InMemoryRegistry()
    settings = ContractSettings.load(topic_prefix="x.")
    assert {change.action for change in contract.schemas(settings, registry)} == {"registered", "level set"}
    assert contract.schemas(settings, registry) == []
    assert registry.ids_of_subject("x.notes.accepted.v1-value")
