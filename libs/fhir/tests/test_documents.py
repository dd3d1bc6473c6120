"""What becomes of a note in a document: every status, dosage, codes, ids, and that the bytes stay the same."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rxtract_fhir import PROFILES, Code, Codes, FhirRefused, Guide, as_bytes, check, document, guide_named
from rxtract_fhir.notes import LONGEST_WORDS, Directions, Entity, Relation, words_of

from tests.fhir.kinds import STATUSES, TIMES, WHOSE, drug, entity, every_meaning, every_prescription, note

ICD10, UNII, SNOMED = "http://hl7.org/fhir/sid/icd-10", "http://fdasis.nlm.nih.gov", "http://snomed.info/sct"


def held(bundle, name):
    """The resources of one type."""
    return [one["resource"] for one in bundle["entry"] if one["resource"]["resourceType"] == name]


def the(bundle, name):
    (one,) = held(bundle, name)
    return one


def code_of(concept):
    return concept["coding"][0]["code"]


def clinical_types(bundle):
    frame = {"Composition", "Patient", "Practitioner", "Encounter", "Device", "Provenance"}
    return {one["resource"]["resourceType"] for one in bundle["entry"]} - frame


@pytest.mark.parametrize(
    ("status", "time", "clinical", "verification", "section"),
    [
        ("PRESENT", "CURRENT", "active", "confirmed", "Chief complaints"),
        ("PRESENT", "HISTORICAL", "resolved", "confirmed", "Medical history"),
        ("POSSIBLE", "CURRENT", "active", "unconfirmed", "Chief complaints"),
        ("POSSIBLE", "HISTORICAL", "resolved", "unconfirmed", "Medical history"),
    ],
)
def test_a_disease_is_a_condition_with_what_the_note_says_of_it(status, time, clinical, verification, section):
    bundle = document(note(entity(1, status=status, time=time)))
    condition = the(bundle, "Condition")
    assert (code_of(condition["clinicalStatus"]), code_of(condition["verificationStatus"])) == (clinical, verification)
    assert condition["code"] == {"text": "T2DM"}
    (shown,) = the(bundle, "Composition")["section"]
    assert (shown["title"], shown["entry"][0]["reference"]) == (section, f"urn:uuid:{condition['id']}")


def test_what_the_note_denies_is_never_stated_as_present():
    denied = note(entity(1, status="NEGATED"), drug(2, status="NEGATED"), drug(3, "dialysis", status="NEGATED"))
    assert clinical_types(document(denied)) == set()
    bundle = document(denied, refuted=True)
    condition = the(bundle, "Condition")
    assert code_of(condition["verificationStatus"]) == "refuted"
    assert "clinicalStatus" not in condition
    assert the(bundle, "MedicationStatement")["status"] == "not-taken"
    assert the(bundle, "Procedure")["status"] == "not-done"
    assert "refuted" in the(bundle, "Composition")["section"][0]["text"]["div"]


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("refuted", [True, False])
def test_what_was_not_judged_is_hypothetical_or_is_anothers_is_left_out(profile, refuted):
    everything = every_meaning()
    never = [
        one
        for one in everything.entities
        if one.status in {"UNKNOWN", "HYPOTHETICAL"}
        or "UNKNOWN" in {one.time, one.experiencer}
        or one.experiencer == "OTHER"
        or (one.label == "TREATMENT" and one.experiencer == "FAMILY")
        or (one.label == "TREATMENT" and one.status == "POSSIBLE")
        or (one.label == "DISEASE" and one.time == "PLANNED")
    ]
    assert len(never) > 200
    assert clinical_types(document(everything._replace(entities=tuple(never)), profile, refuted=refuted)) == set()


def test_of_all_kinds_of_mentions_each_becomes_what_the_table_says():
    rows = {
        one.entity_id: one
        for one in every_meaning().entities
    }  # fmt: skip
    stated = {}
    for entity_id, one in rows.items():
        found = clinical_types(document(note(one)))
        if found:
            stated[entity_id] = ((one.label, one.words.split()[0], one.status, one.time, one.experiencer), found.pop())
    counts = {}
    for (_, words, status, time, whose), resource in stated.values():
        counts.setdefault(resource, set()).add((words, status, time, whose))
    assert counts["FamilyMemberHistory"] == {("dengue", "PRESENT", t, "FAMILY") for t in ("CURRENT", "HISTORICAL")}
    assert len(counts["Condition"]) == 4
    assert counts["MedicationRequest"] == {("metformin", "PRESENT", t, "PATIENT") for t in ("CURRENT", "PLANNED")}
    assert counts["ServiceRequest"] == {("cholecystectomy", "PRESENT", "PLANNED", "PATIENT")}
    assert ("metformin", "PRESENT", "HISTORICAL", "PATIENT") in counts["MedicationStatement"]
    assert {status for _, status, _, _ in counts["AllergyIntolerance"]} == {"ALLERGY"}
    assert {status for _, status, _, _ in counts["Procedure"]} == {"PRESENT", "REFUSED"}


def test_a_drug_is_a_request_and_how_it_is_taken_is_its_dosage():
    way = Directions("tablet", "500 mg", "1 tablet", 2, 1, "d", "PC", True, 10, "d", "oral")
    request = the(document(note(drug(1, directions=way))), "MedicationRequest")
    assert (request["status"], request["intent"]) == ("active", "order")
    assert request["medicationCodeableConcept"] == {"text": "Metformin 500 mg tablet"}
    assert request["requester"]["reference"].startswith("urn:uuid:")
    (dosage,) = request["dosageInstruction"]
    assert dosage["timing"]["repeat"] == {
        "boundsDuration": {"value": 10, "unit": "day", "system": "http://unitsofmeasure.org", "code": "d"},
        "frequency": 2,
        "period": 1,
        "periodUnit": "d",
        "when": ["PC"],
    }
    assert dosage["asNeededBoolean"] is True
    assert code_of(dosage["route"]) == "26643006"
    assert dosage["doseAndRate"] == [{"doseQuantity": {"value": 1, "unit": "tablet"}}]
    assert dosage["text"] == "tablet, 500 mg, dose 1 tablet, 2 times a day, after food, as needed, for 10 days, oral"


@pytest.mark.parametrize(
    ("dose", "form", "amount"),
    [
        ("5 ml", None, {"doseQuantity": {"value": 5, "unit": "mL", "system": "http://unitsofmeasure.org", "code": "mL"}}),
        ("0.5", "tablet", {"doseQuantity": {"value": 0.5, "unit": "tablet"}}),
        ("1", "cream", {"doseQuantity": {"value": 1}}),
        ("1-2 tablets", None, {"doseRange": {"low": {"value": 1, "unit": "tablets"}, "high": {"value": 2, "unit": "tablets"}}}),
        ("2-1 tablets", None, None),
        ("a pinch", None, None),
        ("1/2 tablet", None, None),
    ],
)  # fmt: skip
def test_a_dose_is_a_quantity_where_it_can_be_read_and_words_always(dose, form, amount):
    request = the(document(note(drug(1, directions=Directions(form=form, dose=dose)))), "MedicationRequest")
    (dosage,) = request["dosageInstruction"]
    assert dosage.get("doseAndRate", [None])[0] == amount
    assert dose in dosage["text"]


def test_where_no_directions_are_written_none_are_invented():
    request = the(document(note(drug(1))), "MedicationRequest")
    assert request["dosageInstruction"] == [{"text": "Not stated"}]


def test_planned_is_no_order_past_is_no_request_refused_is_not_taken():
    bundle = document(
        note(
            drug(1, "Insulin", time="PLANNED"),
            drug(2, "Glimepiride", time="HISTORICAL"),
            drug(3, "Warfarin", status="REFUSED"),
            drug(4, "CABG", time="HISTORICAL"),
            drug(5, "cataract surgery", time="PLANNED"),
            drug(6, "amputation", status="REFUSED"),
        )
    )
    assert the(bundle, "MedicationRequest")["intent"] == "plan"
    assert {one["status"] for one in held(bundle, "MedicationStatement")} == {"completed", "not-taken"}
    assert {one["status"] for one in held(bundle, "Procedure")} == {"completed", "not-done"}
    assert the(bundle, "ServiceRequest")["intent"] == "plan"


def test_an_allergy_has_what_it_showed_itself_by():
    said = note(drug(1, "penicillin", status="ALLERGY"), entity(2, words="rash"), relations=[("CAUSES", "e1", "e2")])
    allergy = the(document(said), "AllergyIntolerance")
    assert allergy["code"] == {"text": "penicillin"}
    assert allergy["reaction"] == [{"manifestation": [{"text": "rash"}]}]
    assert code_of(allergy["verificationStatus"]) == "unconfirmed"


def test_the_family_has_a_history_of_its_own_and_no_condition():
    bundle = document(note(entity(1, words="MI", whose="FAMILY")))
    history = the(bundle, "FamilyMemberHistory")
    assert history["condition"] == [{"code": {"text": "MI"}}]
    assert code_of(history["relationship"]) == "FAMMEMB"
    assert not held(bundle, "Condition")


def test_a_treatment_names_the_condition_that_it_is_for_and_a_refuted_one_never():
    said = note(
        entity(1), entity(2, words="TB", status="NEGATED"), drug(3), relations=[("TREATS", "e3", "e1"), ("TREATS", "e3", "e2"), ("PREVENTS", "e3", "e1")]
    )  # fmt: skip
    for refuted in (False, True):
        bundle = document(said, refuted=refuted)
        first = held(bundle, "Condition")[0]
        assert the(bundle, "MedicationRequest")["reasonReference"] == [{"reference": f"urn:uuid:{first['id']}"}]


def test_a_drug_named_twice_is_ordered_once_and_keeps_its_directions():
    twice = Directions(frequency=2, period=1, period_unit="d")
    said = note(
        entity(1),
        drug(2),
        drug(3, "metformin", twice),
        entity(4, words="t2dm"),
        relations=[("TREATS", "e2", "e1"), ("TREATS", "e3", "e4")],
    )
    bundle = document(said)
    condition, request = the(bundle, "Condition"), the(bundle, "MedicationRequest")
    assert request["dosageInstruction"][0]["timing"]["repeat"]["frequency"] == 2
    assert request["reasonReference"] == [{"reference": f"urn:uuid:{condition['id']}"}]
    night = Directions(frequency=1, period=1, period_unit="d", when="HS")
    assert len(held(document(note(drug(1), drug(2, directions=twice), drug(3, directions=night))), "MedicationRequest")) == 2  # fmt: skip


def test_a_prescription_holds_what_is_prescribed_and_what_for():
    said = note(
        entity(1),
        entity(2, words="HTN"),
        drug(3),
        drug(4, "CABG", time="HISTORICAL"),
        drug(5, "Glimepiride", time="HISTORICAL"),
        drug(6, "penicillin", status="ALLERGY"),
        relations=[("TREATS", "e3", "e1")],
    )
    bundle = document(said, "prescription")
    assert [one["code"]["text"] for one in held(bundle, "Condition")] == ["T2DM"]
    assert clinical_types(bundle) == {"Condition", "MedicationRequest"}
    (section,) = the(bundle, "Composition")["section"]
    assert [one["type"] for one in section["entry"]] == ["MedicationRequest"]
    assert code_of(section["code"]) == "440545006"


@pytest.mark.parametrize("profile", PROFILES)
def test_a_note_without_findings_says_so_and_an_empty_prescription_claims_no_profile(profile):
    bundle = document(note(), profile)
    assert check(bundle) == []
    composition = the(bundle, "Composition")
    (section,) = composition["section"]
    assert code_of(section["emptyReason"]) == "unavailable"
    assert "entry" not in section
    assert ("meta" in composition) == (profile == "op-consult")


def codes(**of):
    return Codes({name: tuple(Code(*one) for one in given) for name, given in of.items()}, "table 1")


T2DM, HTN = (ICD10, "E11.9", "Type 2 diabetes mellitus without complications"), (ICD10, "I10", "Hypertension")
AMOXICILLIN, CLAVULANATE = (UNII, "804826J2HU", "AMOXICILLIN"), (UNII, "23521W1S24", "CLAVULANIC ACID")


def test_codes_are_of_the_systems_that_the_profile_allows():
    said, given = note(entity(1), drug(2)), codes(e1=[T2DM, (SNOMED, "44054006", "")], e2=[AMOXICILLIN])
    plain = document(said, "r4", given)
    assert [one["system"] for one in the(plain, "Condition")["code"]["coding"]] == [ICD10, SNOMED]
    assert code_of(the(plain, "MedicationRequest")["medicationCodeableConcept"]) == "804826J2HU"
    now, old = document(said, "op-consult", given), document(said, "op-consult", given, guide=Guide.OLD)
    assert [one["system"] for one in the(now, "Condition")["code"]["coding"]] == [ICD10, SNOMED]
    assert [one["system"] for one in the(old, "Condition")["code"]["coding"]] == [SNOMED]
    assert the(now, "MedicationRequest")["medicationCodeableConcept"] == {"text": "Metformin"}
    assert (check(now), check(old, Guide.OLD)) == ([], [])
    assert check(now, Guide.OLD)


def test_two_codes_of_one_system_are_two_things():
    bundle = document(note(entity(1, words="DM/HTN")), "r4", codes(e1=[T2DM, HTN]))
    assert [code_of(one["code"]) for one in held(bundle, "Condition")] == ["E11.9", "I10"]
    assert len({one["id"] for one in held(bundle, "Condition")}) == 2
    bundle = document(note(drug(1, "Augmentin")), "r4", codes(e1=[AMOXICILLIN, CLAVULANATE]))
    request = the(bundle, "MedicationRequest")
    (medication,) = request["contained"]
    assert request["medicationReference"] == {"reference": "#medication"}
    assert [code_of(one["itemCodeableConcept"]) for one in medication["ingredient"]] == ["804826J2HU", "23521W1S24"]
    assert check(bundle) == []


def test_a_drugs_code_makes_a_drug_of_it():
    assert the(document(note(drug(1, "gold therapy"))), "MedicationRequest")
    assert the(document(note(drug(1, "massage"))), "Procedure")
    assert the(document(note(drug(1, "massage")), "op-consult", codes(e1=[AMOXICILLIN])), "MedicationRequest")


def test_the_machine_is_named_with_its_versions():
    bundle = document(note(entity(1), drug(2)), "op-consult", codes(e1=[T2DM]))
    device, provenance = the(bundle, "Device"), the(bundle, "Provenance")
    assert {one["type"]["text"]: one["value"] for one in device["version"]} == {
        "model": "rxtract-ner 7, serial 9",
        "rules": "2026.11",
        "codes": "table 1",
    }
    assert provenance["agent"][0]["who"] == {"reference": f"urn:uuid:{device['id']}"}
    made = {f"urn:uuid:{one['id']}" for name in ("Composition", "Condition", "MedicationRequest") for one in held(bundle, name)}  # fmt: skip
    assert {one["reference"] for one in provenance["target"]} == made
    assert the(bundle, "Composition")["status"] == "preliminary"


def test_the_patient_is_a_pseudonym_and_the_same_one_in_all_notes():
    first, second = note(entity(1)), note(entity(1), note_id="n-2", identity="another")
    patients = [the(document(one), "Patient") for one in (first, second)]
    assert patients[0] == patients[1]
    assert patients[0]["identifier"][0]["value"] == "6b2babcdef14"
    assert patients[0]["name"] == [{"text": "Withheld"}]
    unknown = [the(document(one._replace(patient_ref="")), "Patient")["id"] for one in (first, second)]
    assert len(set(unknown)) == 2


def test_ids_follow_from_the_note_the_model_the_rules_and_the_table():
    said = note(entity(1))
    ids = {
        document(said)["id"],
        document(said, "r4")["id"],
        document(said, guide=Guide.OLD)["id"],
        document(said._replace(identity="of the next model"))["id"],
        document(said, "op-consult", Codes({}, "table 2"))["id"],
    }
    assert len(ids) == 5
    assert document(said)["id"] == document(said._replace(made_at=said.made_at + 1))["id"]


def test_the_bytes_are_the_same_each_time_and_a_bundle_may_be_changed_by_whoever_has_it():
    for profile in PROFILES:
        said = every_prescription()
        first = as_bytes(document(said, profile))
        changed = document(said, profile)
        _scramble(changed)
        assert as_bytes(document(said, profile)) == first


def _scramble(value):
    for one in value.values() if isinstance(value, dict) else value:
        if isinstance(one, dict | list):
            _scramble(one)
    if isinstance(value, dict):
        value["changed"] = True
    else:
        value.append("changed")


def test_a_mention_is_shown_as_text_however_it_is_written():
    bundle = document(note(entity(1, words='<script>alert("x")</script> & co')))
    assert "<script>" not in as_bytes(bundle).decode().replace('"text":"<script>', "")
    assert "&lt;script&gt;" in the(bundle, "Condition")["text"]["div"]
    assert check(bundle) == []


words = st.text(min_size=1, max_size=40)
directions = st.builds(
    Directions,
    st.none() | st.sampled_from(("tablet", "drops")),
    st.none() | words,
    st.none() | words | st.sampled_from(("1", "2 puffs", "0.5 ml", "1-2")),
    st.none() | st.integers(1, 24),
    st.none() | st.integers(1, 24),
    st.none() | st.sampled_from(("h", "d", "wk", "mo", "fortnight")),
    st.none() | st.sampled_from(("AC", "PC", "HS", "NOON")),
    st.none() | st.booleans(),
    st.none() | st.integers(1, 90),
    st.none() | st.sampled_from(("d", "wk", "mo", "aeon")),
    st.none() | st.sampled_from(("oral", "telepathic")),
)
mention = st.tuples(
    st.sampled_from(("DISEASE", "TREATMENT", "UNKNOWN")),
    words,
    st.sampled_from((*STATUSES, "NEWER")),
    st.sampled_from(TIMES),
    st.sampled_from(WHOSE),
    st.none() | directions,
)


@settings(max_examples=150)
@given(st.lists(mention, max_size=8), st.lists(st.tuples(st.sampled_from(("TREATS", "CAUSES", "PLANNED", "NEWER")), st.integers(1, 9), st.integers(1, 9)), max_size=6), st.sampled_from(tuple(PROFILES)), st.booleans())  # fmt: skip
def test_whatever_a_note_says_its_document_is_one(mentions, bonds, profile, refuted):
    entities = [Entity(f"e{n}", label, words_of(text), *said) for n, (label, text, *said) in enumerate(mentions, 1)]
    relations = [Relation(name, f"e{left}", f"e{right}") for name, left, right in bonds]
    said = note(*entities, relations=relations)
    bundle = document(said, profile, refuted=refuted)
    assert [str(one) for one in check(bundle)] == []
    assert json.loads(as_bytes(bundle)) == bundle
    assert as_bytes(document(said, profile, refuted=refuted)) == as_bytes(bundle)


def test_a_mention_of_a_million_characters_is_cut():
    bundle = document(note(entity(1, words=words_of("x" * 1_000_000))))
    assert len(the(bundle, "Condition")["code"]["text"]) == LONGEST_WORDS + 3
    assert len(as_bytes(bundle)) < 20_000


def test_unknown_profiles_and_guides_are_refused_in_one_line():
    with pytest.raises(FhirRefused, match="give one of op-consult, prescription, r4"):
        document(note(), "opconsult")
    assert [guide_named(one) for one in ("2.0.1", "6.5", "7")] == [Guide.OLD, Guide.NOW, Guide.NOW]
    with pytest.raises(FhirRefused, match=r"known are 2\.0\.1, 6\.5\.0"):
        guide_named("latest")
