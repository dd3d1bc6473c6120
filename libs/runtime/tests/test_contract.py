"""The contract job says in one line what keeps it from applying the contract."""

import threading

import pytest
from contracts.files import NAMESPACE, OLD_NAMESPACE, schema_text
from contracts.records import NoteAccepted
from contracts.registry import InMemoryRegistry
from contracts.wire import Serializer
from runtime.service import contract
from runtime.service.contract import ContractSettings
from runtime.service.health import Liveness, Readiness
from runtime.service.run import run_service
from runtime.service.waiting import CONTRACT_READ, CONTRACT_RETRY_S, until_made

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
def test_a_cluster_of_the_old_namespace_is_refused_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    registry = InMemoryRegistry()
    old = schema_text("NoteAccepted").replace(f'"{NAMESPACE}"', f'"{OLD_NAMESPACE}"')
    registry.register("notes.accepted.v1-value", old)
    monkeypatch.setattr(contract, "ConfluentRegistry", lambda _: registry)
    assert contract.main(["schemas"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("contract: notes.accepted.v1-value holds schemas of the old namespace in.behealthy.rxtract")
    assert error.count("\n") == 1
    assert len(registry.versions_of_subject("notes.accepted.v1-value")) == 1


@pytest.mark.usefixtures("addresses")
def test_a_service_does_not_start_on_the_old_namespace(capsys: pytest.CaptureFixture[str]) -> None:
    def serve(_: ContractSettings) -> None:
        registry = InMemoryRegistry()
        registry.register("n-value", schema_text("NoteAccepted").replace(f'"{NAMESPACE}"', f'"{OLD_NAMESPACE}"'))
        until_made(
            lambda: Serializer.for_topic(NoteAccepted, registry, "n"),
            CONTRACT_READ,
            CONTRACT_RETRY_S,
            stop=threading.Event(),
            liveness=Liveness(),
            readiness=Readiness(),
        )

    assert run_service(ContractSettings, serve) == 2
    error = capsys.readouterr().err
    assert error.startswith("contract: n-value holds schemas of the old namespace")
    assert error.count("\n") == 1


@pytest.mark.usefixtures("addresses")
def test_schemas_are_registered_under_the_prefix_once() -> None:
    registry = InMemoryRegistry()
    settings = ContractSettings.load(topic_prefix="x.")
    assert {change.action for change in contract.schemas(settings, registry)} == {"registered", "level set"}
    assert contract.schemas(settings, registry) == []
    assert registry.ids_of_subject("x.notes.accepted.v1-value")
