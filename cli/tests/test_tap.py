"""What `rxtract tap` prints of a record: what people look for comes first."""

from dataclasses import replace

from contracts.records import (
    Assertion,
    AssertionStatus,
    AssertionTime,
    EntitiesExtracted,
    Entity,
    EntityLabel,
    Experiencer,
    ModelRef,
    Review,
    Segment,
)
from contracts.topics import ENTITIES_EXTRACTED
from runtime.kafka.seen import Seen
from rxtract.commands.tap import describe

NOT_THERE = Assertion(
    status=AssertionStatus.NEGATED,
    time=AssertionTime.CURRENT,
    experiencer=Experiencer.FAMILY,
    cue_start=0,
    cue_end=2,
)
FEVER = Entity(
    entity_id="e1", label=EntityLabel.DISEASE, text="fever", start=3, end=8, confidence=0.9, assertion=NOT_THERE
)
RECORD = EntitiesExtracted(
    event_id="e", source="clinic", note_id="n", revision=1, rules_version="", rules_serial=0, patient_ref="p",
    model=ModelRef(name="m", version="1", serial=1), segment=Segment(city="Pune", specialty="x"), written_at=1,
    accepted_at=1, extracted_at=1, note_confidence=0.9, relations=(), review=Review(requested=False),
    entities=(FEVER, replace(FEVER, entity_id="e2", text="cough", assertion=None)),
)  # fmt: skip


def test_entities_stand_before_the_other_fields_with_what_is_not_as_usual():
    seen = Seen(ENTITIES_EXTRACTED, 0, 7, 1, b"clinic|n", b"", (), RECORD, "")
    head, first, second, rest = str(describe(seen)).splitlines()
    assert head == "0:7 clinic|n"
    assert first.split() == ["fever", "3-8", "0.90", "negated", "family"]
    assert second.split() == ["cough", "3-8", "0.90"]
    assert "event_id=e" in rest
    assert "city" in rest
