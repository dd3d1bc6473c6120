"""An extracted note from a record, a row of Parquet and JSON: the same note, and bad JSON refused without its words."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from contracts.records import EntitiesExtracted
from rxtract_fhir import (
    Code,
    FhirRefused,
    Found,
    Model,
    as_bytes,
    coded,
    document,
    given_codes,
    of_event,
    of_found,
    of_row,
)
from rxtract_fhir.notes import moment, words_of, written

EXAMPLES = sorted((Path(__file__).parents[3] / "schemas/examples/entities.extracted.v1").glob("*.json"))
FOUND = Found("file", 1_796_011_200_000, Model("a folder", "ab12", "2026.11"))


def example(name="disease-with-two-treatments"):
    (path,) = [one for one in EXAMPLES if one.stem == name]
    return EntitiesExtracted.from_json(path.read_text())


def row_of(event):
    """The row of the records at rest, as the scorekeeper reads it back."""
    plain = event.to_dict()
    model = plain.pop("model")
    return plain | {"model_name": model["name"], "model_version": model["version"], "model_serial": model["serial"]}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_a_record_and_its_row_at_rest_give_the_same_bytes(path):
    event = EntitiesExtracted.from_json(path.read_text())
    assert of_event(event) == of_row(row_of(event))
    assert as_bytes(document(of_event(event))) == as_bytes(document(of_row(row_of(event))))


def test_a_replayed_record_gives_the_same_bytes():
    assert as_bytes(document(of_event(example()))) == as_bytes(document(of_event(example())))


def test_a_sealed_record_is_no_document():
    sealed = replace(example(), sealed=b"x", encryption_key_id="k1")
    with pytest.raises(FhirRefused, match="open the record with its key"):
        of_event(sealed)
    row = row_of(example())
    row["entities"] = [one | {"text": ""} for one in row["entities"]]
    with pytest.raises(FhirRefused, match="open the record with its key"):
        of_row(row)


def found_row(**changed):
    entity = {
        "entity_id": "e1",
        "label": "TREATMENT",
        "text": "Secretol",
        "start": 0,
        "end": 8,
        "confidence": 0.9,
        "assertion": {"status": "PRESENT", "time": "CURRENT", "experiencer": "PATIENT", "cue_start": -1, "cue_end": -1},
        "prescription": {"frequency": 2, "period": 1, "period_unit": "d"},
    }
    return {"id": "n1", "entities": [entity | changed], "relations": []}


def test_a_row_of_extract_is_a_note():
    note = of_found(found_row() | {"written_at": "2026-11-30T09:30:00+05:30", "patient_ref": "p1"}, "n1", FOUND)
    assert (note.source, note.note_id, note.patient_ref, note.written_at) == ("file", "n1", "p1", 1_796_011_200_000)
    assert note.entities[0].directions.frequency == 2
    assert of_found(found_row(), "n1", FOUND).identity == note.identity != of_found(found_row(), "n2", FOUND).identity


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"entity_id": 7}, "entity_id"),
        ({"text": None}, "text"),
        ({"assertion": "PRESENT"}, "assertion"),
        ({"assertion": {"status": 1}}, "status"),
        ({"prescription": {"frequency": "2"}}, "frequency"),
        ({"prescription": {"frequency": 0}}, "frequency"),
        ({"prescription": {"period_unit": "fortnight"}}, "period_unit"),
        ({"prescription": {"when": "NOON"}}, "when"),
        ({"prescription": {"as_needed": "yes"}}, "as_needed"),
        ({"prescription": {"form": 1}}, "form"),
    ],
)
def test_a_row_that_no_note_has_is_refused_by_the_field_and_not_its_words(changed, said):
    with pytest.raises(FhirRefused, match=said) as refusal:
        of_found(found_row(**changed), "n1", FOUND)
    assert "Secretol" not in str(refusal.value)


@pytest.mark.parametrize(
    "row",
    [
        {"entities": "x"},
        {"entities": [1]},
        found_row() | {"relations": [{"type": "TREATS"}]},
        found_row() | {"written_at": "yesterday"},
        found_row() | {"written_at": "2026-11-30T09:30:00"},
        found_row() | {"written_at": 10**18},
        found_row() | {"patient_ref": 7},
        {"entities": [*found_row()["entities"], *found_row()["entities"]]},
    ],
)
def test_rows_of_a_wrong_shape_are_refused(row):
    with pytest.raises(FhirRefused):
        of_found(row, "n1", FOUND)


def test_times_are_written_as_fhir_wants_them():
    assert written(moment("2026-11-30T09:30:00+05:30")) == "2026-11-30T04:00:00.000Z"
    assert written(1_795_408_200_420) == "2026-11-23T04:30:00.420Z"
    with pytest.raises(FhirRefused, match="years 1 to 9999"):
        written(10**17)


def test_words_lose_what_fhir_cannot_hold_and_nothing_else():
    assert words_of("type 2\n\tdiabetes\x00\ud800 ") == "type 2 diabetes"
    assert words_of("मधुमेह") == "मधुमेह"


class _Coder:
    version = "t1"

    def code(self, text, label=None):
        from terminology import Coded, Coding

        if text != "squamous cell lung cancer":
            return None
        codings = (Coding("http://hl7.org/fhir/sid/icd-10", "C34.9", "Lung"),)
        return Coded("C34.9", codings[0].system, "Lung", 0.9, "list", "t1", codings)


def test_a_coder_gives_a_note_its_codes():
    found = coded(of_event(example()), _Coder())
    assert (list(found.of), found.version) == (["e1"], "t1")
    assert json.loads(as_bytes(document(of_event(example()), "op-consult", found)))


def test_codes_that_entities_came_with_are_taken():
    icd = {"system": "http://hl7.org/fhir/sid/icd-10", "code": "E11.9", "display": None, "version": "t2", "score": 0.9}
    found = given_codes([{"entity_id": "e1", "codes": [icd]}, {"entity_id": "e2", "codes": None}, {"entity_id": "e3"}])
    assert (found.of, found.version) == ({"e1": (Code(icd["system"], "E11.9"),)}, "t2")
