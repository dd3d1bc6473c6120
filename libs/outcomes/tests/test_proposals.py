"""What many patients' notes correct is proposed by the words beside it; what few have is not."""

from __future__ import annotations

import pytest
from contracts.records import AnnotationValidated
from outcomes.proposals import Corrections, Proposal
from outcomes.quality import audited, measure
from outcomes.statements import compare_statements, differs


def entity(text: str, words: str, label: str, number: int, said: str | None, **more) -> dict:
    start = text.index(words)
    status, time, whose = (said or "UNKNOWN CURRENT PATIENT").split()
    assertion = {"status": status, "time": time, "experiencer": whose, "cue_start": -1, "cue_end": -1}
    return {
        "entity_id": f"e{number}", "label": label, "text": words, "start": start, "end": start + len(words), "confidence": 0.9,
        "assertion": None if said is None else assertion, **more,
    }  # fmt: skip


USUAL = "PRESENT CURRENT PATIENT"


def word(number: int, text: str, before: list, after: list, patient: str = "", **more) -> AnnotationValidated:
    """One note of a patient of its own; entities as (words, label, what is said, more)."""

    def entities(rows: list) -> list:
        return [entity(text, words, label, at, said, **extra) for at, (words, label, said, extra) in enumerate(rows, 1)]

    given = {
        "annotation_id": f"a{number}", "source": "clinic", "note_id": f"n{number}", "revision": 1, "text": text,
        "segment": {"city": "Pune", "specialty": "x"}, "patient_ref": patient or f"p{number}", "doctor_ref": "d", "written_at": 0,
        "model": {"name": "m", "version": "1", "serial": 1}, "rules_version": "r", "rules_serial": 0, "sample": "AUDIT",
        "inclusion_probability": 0.5, "predictions_shown": True, "outcome": "CORRECTED", "annotator": "v1", "sequence": 1,
        "changes": {"kept": 1, "added": 0, "removed": 0, "moved": 0, "relabelled": 0}, "seconds_spent": 1.0, "annotated_at": number,
        "predicted_entities": entities(before), "entities": entities(after), "predicted_relations": [], "relations": [],
    }  # fmt: skip
    return AnnotationValidated.from_dict(given | more)


def negated(number: int, text: str = "Pt nil of fever 3 days", words: str = "fever", **more) -> AnnotationValidated:
    return word(
        number, text, [(words, "DISEASE", USUAL, {})], [(words, "DISEASE", "NEGATED CURRENT PATIENT", {})], **more
    )


def proposed(words, least: int = 5) -> list[Proposal]:
    corrections = Corrections(least)
    for one in words:
        corrections.take(one)
    return corrections.proposals()


def test_what_five_patients_share_is_proposed_by_its_longest_phrase_without_the_entity():
    names = ["fever", "cough", "rash", "acne", "gout"]
    found = proposed(negated(at, f"Pt nil of {name} 3 days", name) for at, name in enumerate(names))
    assert found == [
        Proposal("status", "[...] # days", "PRESENT", "NEGATED", 5, 5),
        Proposal("status", "pt nil of [...]", "PRESENT", "NEGATED", 5, 5),
    ]
    assert not [one for one in found if any(name in one.phrase for name in names)]


def test_four_patients_however_often_show_nothing():
    assert proposed(negated(at, patient=f"p{at % 4}") for at in range(40)) == []
    with pytest.raises(ValueError, match="at least 5"):
        Corrections(4)


def test_a_rare_word_beside_a_frequent_correction_does_not_show():
    found = proposed(negated(at, f"Secret{chr(97 + at)} nil of fever", "fever") for at in range(9))
    assert [one.phrase for one in found] == ["nil of [...]"]


def test_of_one_note_one_word_counts_and_the_last_of_a_person():
    twice = [negated(at, annotated_at=at, annotator=f"v{who}") for at in range(5) for who in range(2)]
    assert {one.count for one in proposed(twice)} == {5}
    taken_back = [
        word(
            at,
            "Pt nil of fever 3 days",
            [("fever", "DISEASE", USUAL, {})],
            [("fever", "DISEASE", USUAL, {})],
            sequence=2,
        )
        for at in range(5)
    ]
    assert proposed([*(negated(at) for at in range(5)), *taken_back]) == []


def test_relations_are_proposed_by_the_words_between():
    def related(number: int) -> AnnotationValidated:
        text = f"Rash after amoxil{number}"
        rows = [("Rash", "DISEASE", USUAL, {}), (f"amoxil{number}", "TREATMENT", USUAL, {})]
        ends = {"treatment_id": "e2", "disease_id": "e1", "confidence": 0.5}
        return word(number, text, rows, rows, predicted_relations=[], relations=[{"type": "CAUSES", **ends}])

    assert proposed(map(related, range(6))) == [Proposal("relation", "[...] after [...]", "none", "CAUSES", 6, 6)]


def test_what_nobody_judged_and_what_a_skip_left_propose_nothing():
    unjudged = (
        word(at, "nil fever", [("fever", "DISEASE", USUAL, {})], [("fever", "DISEASE", None, {})]) for at in range(9)
    )
    assert proposed(unjudged) == []
    assert proposed(negated(at, outcome="SKIPPED") for at in range(9)) == []


PRESCRIBED = {"prescription": {"strength": "500 mg", "frequency": 2}}


def test_what_is_said_is_compared_class_by_class_by_hand():
    text = "No fever. Metformin for DM"
    ends = {"treatment_id": "e2", "disease_id": "e3", "confidence": 0.5}
    one = word(
        1, text,
        [("fever", "DISEASE", USUAL, {}), ("Metformin", "TREATMENT", USUAL, PRESCRIBED), ("DM", "DISEASE", USUAL, {})],
        [
            ("fever", "DISEASE", "NEGATED CURRENT PATIENT", {}), ("Metformin", "TREATMENT", USUAL, {"prescription": {"frequency": 3}}),
            ("DM", "DISEASE", USUAL, {}),
        ],
        predicted_relations=[{"type": "TREATS", **ends}], relations=[{"type": "PREVENTS", **ends}],
    )  # fmt: skip
    found = compare_statements(one)
    assert (found["status NEGATED"], found["status PRESENT"], found["status"]) == ((0, 0, 1), (2, 1, 0), (2, 1, 1))
    assert (found["time CURRENT"], found["experiencer PATIENT"]) == ((3, 0, 0), (3, 0, 0))
    assert (found["relation TREATS"], found["relation PREVENTS"]) == ((0, 1, 0), (0, 0, 1))
    assert (found["prescription frequency"], found["prescription strength"]) == ((0, 1, 1), (0, 1, 0))
    assert differs(one)
    rows = {row.label: row for row in measure([audited(one), audited(negated(2))])}
    assert (rows["status"].precision, rows["status"].recall, rows["status"].support) == (0.5, 0.5, 4)
    assert 0 <= rows["status"].f1_low < 0.5 < rows["status"].f1_high <= 1
    assert rows["ALL"].f1 == 1, "spans and labels are measured apart from what is said of them"


@pytest.mark.parametrize("said", [None, "UNKNOWN UNKNOWN UNKNOWN"])
def test_what_a_person_did_not_judge_measures_nothing(said):
    one = word(1, "No fever", [("fever", "DISEASE", USUAL, {})], [("fever", "DISEASE", said, {})])
    assert compare_statements(one) == {}
    assert not differs(one)
    assert {row.label for row in measure([audited(one)])} == {"DISEASE", "TREATMENT", "ALL"}


def test_an_answer_of_a_newer_writer_is_missed_and_never_right():
    one = word(1, "No fever", [("fever", "DISEASE", "UNKNOWN UNKNOWN UNKNOWN", {})], [("fever", "DISEASE", USUAL, {})])
    assert compare_statements(one)["status PRESENT"] == (0, 0, 1)
