"""Events of entities in, codes out: the same bytes whenever, every refusal a dead letter, and each event coded anew once by newer tables."""

import dataclasses
import json
import threading

import pytest
from contracts.files import schema_text
from contracts.identity import coded_id
from contracts.records import (
    Assertion,
    AssertionStatus,
    AssertionTime,
    EntitiesCoded,
    EntitiesExtracted,
    Entity,
    EntityLabel,
    Experiencer,
    FhirDocumentMade,
    ModelRef,
    Review,
    Segment,
)
from contracts.registry import InMemoryRegistry, WriterSchemas
from contracts.wire import Deserializer, Serializer
from enricher.documents import Documents
from enricher.domain.coding import NoteCoder
from enricher.handler import RECODED_FROM, TABLE_SERIAL, CodingHandler, Publishing, RecodingHandler
from enricher.metrics import DOCUMENTS, MENTIONS, METRICS, NEWER_SERIAL, RECODED
from enricher.pace import Pace
from hypothesis import given, settings
from hypothesis import strategies as st
from runtime.errors import BudgetExceeded
from runtime.kafka.deadletter import REASON, DeadLetterBudget, header
from runtime.kafka.records import InputRecord
from runtime.service.metrics import Metrics
from rxtract_fhir import PROFILES, Guide, as_bytes, check, coded, document, of_event
from terminology import Coder
from terminology.table import Coding, Draft, NameRow, read, write

ICD = "http://hl7.org/fhir/sid/icd-10"
UNII = "http://fdasis.nlm.nih.gov"
FACT = Assertion(
    status=AssertionStatus.PRESENT,
    time=AssertionTime.CURRENT,
    experiencer=Experiencer.PATIENT,
    cue_start=-1,
    cue_end=-1,
)


@pytest.fixture(scope="session")
def table(tmp_path_factory):
    """A few names: this service is tested, not the base table."""
    draft = Draft("base", "1", serial=100)
    draft.concepts = [
        Coding(ICD, "E11.9", "Type 2 diabetes"),
        Coding(UNII, "U5SYW473RQ", "TELMISARTAN"),
        Coding(UNII, "1J444QC288", "AMLODIPINE"),
        Coding(ICD, "I34.2", "Mitral stenosis"),
    ]
    draft.names = [
        NameRow("t2dm", (0,), 0.97, "abbreviation", "DISEASE"),
        NameRow("telma am", (1, 2), 0.95, "brand", "TREATMENT"),
        NameRow("ms", (3,), 0.9, "abbreviation", "DISEASE", frozenset({"valve"})),
        NameRow("ms", (), 0.0, "abbreviation", "DISEASE"),
    ]
    path = tmp_path_factory.mktemp("tables") / "base.table"
    write(draft, path)
    return read(path)


def entity(text, label=EntityLabel.DISEASE, number=1, assertion=FACT):
    return Entity(
        entity_id=f"e{number}", label=label, text=text, start=0, end=len(text), confidence=0.9, assertion=assertion
    )


def event(*entities, note_id="n1", **more):
    made = EntitiesExtracted(
        event_id="b2f0e3f4-0000-5000-8000-000000000000",
        source="clinic",
        note_id=note_id,
        revision=2,
        model=ModelRef(name="m", version="3", serial=4),
        rules_version="2026.11",
        rules_serial=5,
        segment=Segment(city="Pune", specialty="gp"),
        patient_ref="p" * 32,
        written_at=1,
        accepted_at=2,
        extracted_at=3,
        note_confidence=0.9,
        entities=entities,
        relations=(),
        review=Review(requested=False),
    )
    return dataclasses.replace(made, **more)


class Rig:
    """Both handlers over one registry, without a broker."""

    def __init__(self, table, serial=None, profiles=()):
        registry = InMemoryRegistry()
        in_id = registry.register("in-value", schema_text("EntitiesExtracted"))
        out_id = registry.register("out-value", schema_text("EntitiesCoded"))
        self.metrics = Metrics(METRICS)
        self.write = Serializer(EntitiesExtracted, in_id)
        self.read = Deserializer(EntitiesCoded, WriterSchemas(registry, "out-value"))
        self.coder = NoteCoder(Coder((table,)), serial)
        publishing = Publishing(self.coder, Serializer(EntitiesCoded, out_id), "out", self.metrics)
        extracted = Deserializer(EntitiesExtracted, WriterSchemas(registry, "in-value"))
        fhir_id = registry.register("fhir-value", schema_text("FhirDocumentMade"))
        self.read_document = Deserializer(FhirDocumentMade, WriterSchemas(registry, "fhir-value"))
        kinds, write_document = [PROFILES[name] for name in profiles], Serializer(FhirDocumentMade, fhir_id)
        documents = Documents(kinds, Guide.NOW, write_document, topic="fhir", metrics=self.metrics)
        self.code = CodingHandler(extracted, publishing, DeadLetterBudget(), documents if profiles else None)
        self.paced = []
        self.recode = RecodingHandler(
            self.read, publishing, self.paced.append, metrics=self.metrics, budget=DeadLetterBudget()
        )

    def coded(self, *values):
        return list(self.code([InputRecord("in", 0, place, 0, b"k", value) for place, value in enumerate(values)]))

    def recoded(self, *outputs):
        return list(
            self.recode(
                [InputRecord("out", 0, place, 0, one.key, one.value, one.headers) for place, one in enumerate(outputs)]
            )
        )

    def documents(self, *values):
        return [self.read_document(one.value) for one in self.coded(*values) if one.topic == "fhir"]

    def counted(self, profile, result):
        return self.metrics.counter(DOCUMENTS).labels(profile, result)._value.get()

    def mentions(self, label, result):
        return self.metrics.counter(MENTIONS).labels(label, result)._value.get()


def test_a_mention_has_all_its_codes_with_their_table_and_way(table):
    rig = Rig(table)
    source = event(
        entity("T2DM"), entity("Tab Telma-AM 40/5", EntityLabel.TREATMENT, 2), entity("zzqx", number=3), origin="LIVE"
    )
    (output,) = rig.coded(rig.write(source))
    record = rig.read(output.value)
    assert (output.topic, output.key) == ("out", b"clinic|n1")
    assert header(output.headers, TABLE_SERIAL) == b"100"
    assert record.event_id == coded_id("clinic", "n1", 2, 4, 5, table_serial=100)
    assert (record.entities_event_id, record.table_version, record.table_serial) == (
        source.event_id,
        table.version,
        100,
    )
    codes = [[(one.system, one.code, one.how, one.score, one.version) for one in e.codes] for e in record.entities]
    version = table.version
    assert codes == [
        [(ICD, "E11.9", "abbreviation", 0.97, version)],
        [(UNII, "U5SYW473RQ", "brand", 0.95, version), (UNII, "1J444QC288", "brand", 0.95, version)],
        [],
    ]
    assert [one.assertion for one in record.entities] == [FACT] * 3
    assert (record.model, record.rules_serial, record.patient_ref) == (source.model, 5, "p" * 32)
    assert [rig.mentions("DISEASE", "coded"), rig.mentions("TREATMENT", "coded"), rig.mentions("DISEASE", "none")] == [
        1,
        1,
        1,
    ]


def test_the_other_mentions_of_a_note_settle_an_ambiguous_one(table):
    rig = Rig(table)
    outputs = rig.coded(
        rig.write(event(entity("MS"), entity("valve repair", EntityLabel.TREATMENT, 2))), rig.write(event(entity("MS")))
    )
    first, second = (rig.read(one.value).entities[0].codes for one in outputs)
    assert [one.code for one in first] == ["I34.2"]
    assert second == ()


WORDS = st.sampled_from(["T2DM", "MS", "valve", "Telma-AM", "\u0939", "<b>", "a" * 300, "", "t2dm  ", "telma am t2dm"])
MENTIONS_OF_NOTES = st.lists(
    st.lists(st.tuples(WORDS, st.sampled_from(list(EntityLabel))), max_size=5), min_size=1, max_size=8
)


@given(MENTIONS_OF_NOTES, st.randoms())
@settings(max_examples=60)
def test_the_same_event_gives_the_same_bytes_whatever_was_coded_before(table, notes, random):
    events = [
        event(*(entity(text, label, place) for place, (text, label) in enumerate(mentions, 1)), note_id=f"n{number}")
        for number, mentions in enumerate(notes)
    ]
    rig, other = Rig(table), Rig(table)
    once = {one.key: one for one in rig.coded(*map(rig.write, events))}
    random.shuffle(events)
    assert {one.key: one for one in other.coded(*map(other.write, events))} == once


def test_what_cannot_be_read_is_a_dead_letter_and_its_neighbours_go_on(table):
    rig = Rig(table)
    good = rig.write(event(entity("T2DM")))
    outputs = rig.coded(good, b"nonsense", good[:20], None, good)
    assert [one.topic for one in outputs] == ["out", "in.dlq", "in.dlq", "in.dlq", "out"]
    assert [header(one.headers, REASON) for one in outputs[1:4]] == [b"WRONG_MAGIC_BYTE", b"TRUNCATED", b"EMPTY_VALUE"]


def test_codes_that_make_a_record_too_large_make_it_a_dead_letter(table):
    rig = Rig(table)
    many = event(*(entity("telma am", EntityLabel.TREATMENT, place) for place in range(9_000)))
    (output,) = rig.coded(rig.write(many))
    assert (output.topic, header(output.headers, REASON)) == ("in.dlq", b"TOO_LARGE")


def test_many_refusals_stop_the_process_before_they_fill_the_dlq(table):
    rig = Rig(table)
    with pytest.raises(BudgetExceeded):
        rig.coded(*[b"nonsense"] * 20)


def test_a_sealed_record_passes_without_codes_and_is_counted(table):
    rig = Rig(table)
    (output,) = rig.coded(rig.write(event(entity(""), sealed=b"secret", encryption_key_id="k1")))
    record = rig.read(output.value)
    assert (record.sealed, record.encryption_key_id, record.entities[0].codes) == (b"secret", "k1", ())
    assert rig.mentions("DISEASE", "sealed") == 1


def test_newer_tables_code_anew_what_older_ones_coded_as_if_they_had_read_the_event(table):
    old, new = Rig(table), Rig(table, serial=200)
    source = event(entity("T2DM"), entity("MS", number=2), entity("valve", EntityLabel.TREATMENT, 3))
    before = old.coded(old.write(source))
    (again,) = new.recoded(*before)
    (fresh,) = new.coded(new.write(source))
    assert (again.key, again.value) == (fresh.key, fresh.value)
    assert header(again.headers, RECODED_FROM) == b"100"
    assert new.metrics.counter(RECODED)._value.get() == 1
    assert new.paced == [1]


def test_each_event_is_coded_anew_once_by_each_set_of_tables(table):
    """Else every change of the tables would double the topic."""
    first, second, third = Rig(table), Rig(table, serial=200), Rig(table, serial=300)
    topic = first.coded(*(first.write(event(entity("T2DM"), note_id=f"n{number}")) for number in range(5)))
    for rig in (second, third):
        topic += rig.recoded(*topic)
        assert rig.recoded(*topic) == rig.recoded(*topic[:5])  # what was coded anew is passed over
    assert len(topic) == 15


def test_what_our_own_or_newer_tables_coded_is_left_and_newer_ones_are_shown(table):
    ours, newer = Rig(table, serial=200), Rig(table, serial=300)
    source = ours.write(event(entity("T2DM")))
    assert ours.recoded(*ours.coded(source), *newer.coded(source)) == []
    assert ours.metrics.gauge(NEWER_SERIAL)._value.get() == 300
    assert ours.paced == []


def test_a_record_without_our_headers_is_judged_by_its_content(table):
    old, new = Rig(table), Rig(table, serial=200)
    (before,) = old.coded(old.write(event(entity("T2DM"))))
    bare = before._replace(headers=())
    assert len(new.recoded(bare)) == 1
    assert old.recoded(bare) == []


def test_a_code_record_that_cannot_be_read_is_a_dead_letter(table):
    rig = Rig(table)
    (before,) = rig.coded(rig.write(event(entity("T2DM"))))
    (letter,) = rig.recoded(before._replace(value=b"nonsense", headers=()))
    assert (letter.topic, header(letter.headers, REASON)) == ("out.dlq", b"WRONG_MAGIC_BYTE")


def test_the_pace_waits_for_what_was_let_through_and_saves_nothing_up():
    now, waits = [100.0], []

    def wait(seconds):
        waits.append(round(seconds, 3))
        now[0] += seconds

    pace = Pace(100, threading.Event(), clock=lambda: now[0], wait=wait)
    pace(50)
    pace(50)
    assert waits == [0.5]
    now[0] += 60
    pace(10)
    pace(10)
    assert waits == [0.5, 0.1]


BOTH = ("op-consult", "prescription")


def test_beside_its_codes_a_note_has_a_document_for_each_profile_that_is_asked_for(table):
    """What stands in the stream is what the library makes of the same event and tables: the same bytes."""
    rig = Rig(table, profiles=BOTH)
    source = event(entity("T2DM"), entity("Telma-AM", EntityLabel.TREATMENT, 2))
    outputs = rig.coded(rig.write(source))
    assert [(one.topic, one.key) for one in outputs] == [(topic, b"clinic|n1") for topic in ("out", "fhir", "fhir")]
    made = [rig.read_document(one.value) for one in outputs[1:]]
    note = of_event(source)
    assert [one.bundle.encode() for one in made] == [
        as_bytes(document(note, name, coded(note, Coder((table,))))) for name in BOTH
    ]
    assert [check(json.loads(one.bundle)) for one in made] == [[], []]
    assert "E11.9" in made[0].bundle
    assert [(one.profile, one.guide, one.table_serial, one.entities_event_id) for one in made] == [
        (name, "6.5.0", 100, source.event_id) for name in BOTH
    ]
    assert len({one.event_id for one in made}) == 2
    assert [rig.counted(name, "made") for name in BOTH] == [1, 1]
    assert rig.coded(rig.write(source)) == outputs


def test_without_a_profile_no_document_is_made(table):
    assert [one.topic for one in Rig(table).coded(Rig(table).write(event(entity("T2DM"))))] == ["out"]


def test_documents_of_newer_tables_have_another_identity(table):
    one, other = Rig(table, profiles=("r4",)), Rig(table, 200, profiles=("r4",))
    source = one.write(event(entity("T2DM")))
    (before,), (after,) = one.documents(source), other.documents(source)
    assert (before.guide, before.table_serial, after.table_serial) == ("", 100, 200)
    assert before.event_id != after.event_id


def test_a_sealed_record_has_no_document_and_is_counted(table):
    rig = Rig(table, profiles=BOTH)
    (output,) = rig.coded(rig.write(event(entity(""), sealed=b"secret", encryption_key_id="k1")))
    assert output.topic == "out"
    assert [rig.counted(name, "sealed") for name in BOTH] == [1, 1]


def test_what_no_document_can_say_is_a_dead_letter_beside_its_codes(table):
    """A time after the year 9999; and more mentions than a record of documents may have."""
    rig = Rig(table, profiles=BOTH)
    late = rig.write(event(entity("T2DM"), written_at=2**60))
    many = rig.write(event(*(entity(f"T2DM {place}", number=place) for place in range(2_500))))
    good = rig.write(event(entity("T2DM")))
    outputs = rig.coded(late, many, good)
    assert [one.topic for one in outputs] == ["out", "in.dlq", "out", "in.dlq", "out", "fhir", "fhir"]
    assert [header(outputs[place].headers, REASON) for place in (1, 3)] == [b"IMPOSSIBLE_TIME", b"TOO_LARGE"]
    assert [rig.counted(name, "refused") for name in BOTH] == [2, 2]
