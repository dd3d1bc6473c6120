"""`rxtract why`: an id of several sources is several notes, and each is told by itself."""

import json

import pytest
from contracts.identity import note_key
from contracts.records import EntitiesExtracted, ModelRef, Review, Segment
from runtime.kafka.seen import Seen
from rxtract.addresses import StackAddresses
from rxtract.commands import why as command
from rxtract.errors import UserError
from typer import Typer
from typer.testing import CliRunner

TOPIC = "entities.extracted.v1"


def seen(source: str, note_id: str, at: int = 1_000, serial: int = 1, rules: int = 1, **more) -> Seen:
    record = EntitiesExtracted(
        event_id="e", source=source, note_id=note_id, revision=1, model=ModelRef(name="m", version=f"v{serial}", serial=serial),
        rules_version=f"r{rules}", rules_serial=rules, segment=Segment(city="Pune", specialty="x"), patient_ref="p", written_at=1,
        accepted_at=1, extracted_at=1 + rules, note_confidence=0.9, entities=(), relations=(), review=Review(requested=False), **more,
    )  # fmt: skip
    return Seen(TOPIC, 0, 0, at, note_key(source, note_id).encode(), b"", (), record, "")


class FakeReader:
    """A topic of notes whose ids hold what keys are made of."""

    kept = (
        seen("clinic-a", "rx|1"), seen("clinic-b", "rx|1", at=500), seen("clinic-a", "1"), seen("rx", "1"),
        Seen(TOPIC, 0, 0, 1, b"rx|1 of no source", None, (), None, "UNDECODABLE"), Seen(TOPIC, 0, 0, 1, None, None, (), None, "UNDECODABLE"),
    )  # fmt: skip

    def __init__(self, _addresses: StackAddresses) -> None:
        pass

    def names(self) -> list[str]:
        return [TOPIC]

    def read(self, topics, *, wanted=lambda _: True, on_open=None):
        assert topics == [TOPIC]
        return [one for one in self.kept if wanted(one.key)]


@pytest.fixture
def ask(monkeypatch):
    monkeypatch.setattr(command, "TopicReader", FakeReader)
    app = Typer()
    app.command()(command.why)
    return lambda *words: CliRunner().invoke(app, [*words])


def keys(result) -> list[str]:
    return [one["key"] for one in json.loads(result.output)]


def test_without_a_source_every_source_that_has_the_id_is_found_and_the_ambiguity_is_shown(ask):
    assert keys(ask("rx|1", "--json")) == ["clinic-a|rx|1", "clinic-b|rx|1"]
    shown = ask("rx|1").output
    assert "2 notes have this id, of clinic-a, clinic-b; --source names one" in shown
    assert shown.count("Structured:") == 2


def test_with_a_source_the_note_is_one(ask):
    assert keys(ask("rx|1", "--source", "clinic-b", "--json")) == ["clinic-b|rx|1"]
    shown = ask("rx|1", "--source", "clinic-b").output
    assert "--source names one" not in shown
    assert shown.count("Structured:") == 1


def test_an_id_is_never_taken_for_the_end_of_another(ask):
    assert keys(ask("1", "--json")) == ["clinic-a|1", "rx|1"]


def test_what_is_not_there_is_one_line(ask):
    result = ask("rx|1", "--source", "clinic-c")
    assert isinstance(result.exception, UserError)
    assert "no record of rx|1 of clinic-c" in str(result.exception)


def test_the_event_of_the_newest_model_and_rules_counts():
    rows = [seen("a", "n", serial=2, rules=7), seen("a", "n", serial=2, rules=3), seen("a", "n", serial=1, rules=9)]
    for order in (rows, rows[::-1]):
        assert "by model version v2, 7 ms" in command.verdict(order)


def test_a_sealed_record_is_printed_as_json(ask, monkeypatch):
    sealed = seen("clinic-a", "sealed", sealed=b"\x00secret", encryption_key_id="k")
    monkeypatch.setattr(FakeReader, "kept", (sealed,))
    (found,) = json.loads(ask("sealed", "--json").output)
    assert found["value"]["sealed"] == "AHNlY3JldA=="
