"""Codes at rest: one row for htn and hypertension, by the newest tables, of the event that counts, and few patients stay hidden."""

from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest
from contracts.records import (
    Assertion,
    AssertionStatus,
    AssertionTime,
    CodedEntity,
    Coding,
    EntitiesCoded,
    EntitiesExtracted,
    Entity,
    EntityLabel,
    Experiencer,
    ModelRef,
    Review,
    Segment,
)
from outcomes.omop import COLUMNS, note_number, omop_rows
from outcomes.questions import READY_BY_NAME, ask, open_records
from outcomes.records_at_rest import CODES, CODES_SCHEMA, RecordsAtRest, Stretch, codes_row_of, row_of

ZONE = ZoneInfo("Asia/Kolkata")
DAY_MS = 86_400_000
AT = 1_794_803_400_000
ICD = "http://hl7.org/fhir/sid/icd-10"
HYPERTENSION = Coding(system=ICD, code="I10", display="Hypertension", version="base-1", score=0.97, how="list")
DIABETES = Coding(system=ICD, code="E11.9", display="Diabetes", version="base-1", score=0.97, how="list")


def said(status=AssertionStatus.PRESENT):
    return Assertion(
        status=status, time=AssertionTime.CURRENT, experiencer=Experiencer.PATIENT, cue_start=-1, cue_end=-1
    )


def note(note_id, text="htn", *, patient="p-1", at=AT, status=AssertionStatus.PRESENT, serial=1):
    return EntitiesExtracted(
        event_id=f"{note_id}-{serial}",
        source="clinic",
        note_id=note_id,
        revision=1,
        rules_version="r1",
        rules_serial=1,
        patient_ref=patient,
        model=ModelRef(name="m", version=str(serial), serial=serial),
        segment=Segment(city="Pune", specialty="x"),
        written_at=at,
        accepted_at=at,
        extracted_at=at,
        note_confidence=0.8,
        entities=(
            Entity(
                entity_id="e1",
                label=EntityLabel.DISEASE,
                text=text,
                start=0,
                end=len(text),
                confidence=0.9,
                assertion=said(status),
            ),
        ),
        relations=(),
        review=Review(requested=False),
    )


def coded(event, *codes, table=100):
    (one,) = event.entities
    entity = CodedEntity(
        entity_id="e1",
        label=one.label,
        text=one.text,
        start=0,
        end=one.end,
        assertion=one.assertion,
        codes=codes,
    )
    return EntitiesCoded(
        event_id=f"{event.event_id}-{table}",
        entities_event_id=event.event_id,
        source=event.source,
        note_id=event.note_id,
        revision=event.revision,
        model=event.model,
        rules_version=event.rules_version,
        rules_serial=event.rules_serial,
        table_version="base-1",
        table_serial=table,
        segment=event.segment,
        patient_ref=event.patient_ref,
        written_at=event.written_at,
        accepted_at=event.accepted_at,
        extracted_at=event.extracted_at,
        entities=(entity,),
    )


def kept(folder, *pairs):
    """Records of notes and of codes, each as the scorekeeper writes them."""
    events, codes = RecordsAtRest(folder), RecordsAtRest(folder / CODES, schema=CODES_SCHEMA)
    events.append([Stretch("t", 0, 0, 9, [row_of(event, ZONE) for event, _ in pairs])])
    codes.append([Stretch("c", 0, 0, 9, [codes_row_of(one, ZONE) for _, all_ in pairs for one in all_])])
    events.close()
    codes.close()
    return open_records(folder)


def noted(number, text, **more):
    event = note(f"n{number}", text, patient=f"p-{number}", **more)
    return event, [coded(event, HYPERTENSION)]


def test_spellings_of_one_disease_are_one_row(tmp_path):
    records = kept(tmp_path, *(noted(number, text) for number, text in enumerate(["htn", "HTN", "hypertension"])))
    assert ask(records, READY_BY_NAME["diseases-by-code"], 1) == [("I10", "Hypertension", 3, 3, 2)]


def test_few_patients_are_hidden_however_many_notes_they_have(tmp_path):
    rows = [noted(number, "htn") for number in range(4)]
    again = note("n9", patient="p-1")
    records = kept(tmp_path, *rows, (again, [coded(again, HYPERTENSION)]))
    assert ask(records, READY_BY_NAME["diseases-by-code"], 5) == []
    assert ask(records, READY_BY_NAME["diseases-by-code"], 4) == [("I10", "Hypertension", 4, 5, 1)]


def test_the_newest_tables_of_the_event_that_counts_answer(tmp_path):
    old, new = note("n1"), note("n1", serial=2)
    records = kept(
        tmp_path,
        (old, [coded(old, DIABETES, table=300)]),  # of an event that another one superseded
        (new, [coded(new, DIABETES, table=100), coded(new, HYPERTENSION, table=200)]),
    )
    assert records.execute("SELECT code, category, model_version FROM codes").fetchall() == [("I10", "I10", "2")]


def test_a_negated_disease_has_a_code_and_is_no_fact(tmp_path):
    negated = note("n1", status=AssertionStatus.NEGATED)
    records = kept(tmp_path, (negated, [coded(negated, DIABETES)]))
    assert records.execute("SELECT category, status FROM codes").fetchall() == [("E11", "NEGATED")]
    assert ask(records, READY_BY_NAME["diseases-by-code"], 1) == []


def test_categories_that_rise_are_found_and_small_numbers_of_before_are_not_shown(tmp_path):
    rows = [noted(number, "htn", at=AT) for number in range(8)]
    rows += [noted(number, "htn", at=AT - 9 * DAY_MS) for number in range(20, 22)]
    rows += [(note(f"n{n}", "zz", patient=f"p-{n}", at=AT - 9 * DAY_MS), []) for n in range(30, 40)]
    ((category, disease, now, before, times),) = ask(kept(tmp_path, *rows), READY_BY_NAME["rising-categories"], 5)
    assert (category, disease, now, before) == ("I10", "Hypertension", 8, None)
    assert times > 1


def test_frequent_mentions_that_the_newest_tables_do_not_know_are_found_and_what_nobody_coded_yet_is_none_of_them(
    tmp_path,
):
    rows = []
    for number in range(6):
        event = note(f"n{number}", "Zzq" if number % 2 else "zzq", patient=f"p-{number}")
        rows.append((event, [coded(event, DIABETES, table=100), coded(event, table=200)]))  # the older tables knew it
    rows += [noted(number, "htn") for number in range(20, 30)]
    rows += [(note(f"n{number}", "not coded yet", patient=f"p-{number}"), []) for number in range(40, 50)]
    records = kept(tmp_path, *rows)
    assert ask(records, READY_BY_NAME["mentions-without-code"], 5) == [("Zzq", "DISEASE", 6, 6)]
    assert ask(records, READY_BY_NAME["mentions-without-code"], 7) == []


def test_a_folder_without_codes_has_empty_tables(tmp_path):
    records = RecordsAtRest(tmp_path)
    records.append([Stretch("t", 0, 0, 1, [row_of(note("n1"), ZONE)])])
    assert open_records(tmp_path).execute("SELECT count(*) FROM codes").fetchone() == (0,)


def test_omop_rows_say_whether_the_patient_has_it(tmp_path):
    first, second = note("n1"), note("n2", "dm", status=AssertionStatus.NEGATED)
    records = kept(tmp_path, (first, [coded(first, HYPERTENSION)]), (second, [coded(second)]))
    rows = [dict(zip(COLUMNS, row, strict=True)) for row in omop_rows(records)]
    assert [(row["note_nlp_id"], row["lexical_variant"], row["term_exists"]) for row in rows] == [
        (1, "htn", "Y"),
        (2, "dm", "N"),
    ]
    assert rows[0]["term_modifiers"].endswith(f"code={ICD}|I10")
    assert "code=" not in rows[1]["term_modifiers"]
    assert {row["note_nlp_concept_id"] for row in rows} == {0}
    assert rows[0]["note_id"] == note_number("clinic", "n1") != rows[1]["note_id"]


@pytest.mark.parametrize("note_id", ["n1", "a|b", "\u0939"])
def test_a_notes_number_is_positive_and_stays(note_id):
    assert note_number("clinic", note_id) == note_number("clinic", note_id)
    assert 0 < note_number("clinic", note_id) < 2**63


def test_merging_codes_keeps_them(tmp_path):
    sink = RecordsAtRest(tmp_path, schema=CODES_SCHEMA)
    event = note("n1")
    for number in range(4):
        row = codes_row_of(replace(coded(event, HYPERTENSION), note_id=f"n{number}"), ZONE)
        sink.append([Stretch("c", 0, number, number + 1, [row])])
    assert sink.merge_a_day(at_files=2) == 3
    assert sum(one.rows for one in sink.manifest.files) == 4
