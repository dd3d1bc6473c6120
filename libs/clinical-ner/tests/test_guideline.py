"""The guideline says what the rules, the lexicon and the shipped corpus do."""

import re
from hashlib import sha256
from importlib.resources import files

import pytest
from clinical_ner.card import CardFacts, model_card
from clinical_ner.dataset_description import describe
from clinical_ner.guideline import META_KEY, SHIPPED_VERSION, edited, order_of, shipped, versions_of
from clinical_ner.meaning import read_spans
from clinical_ner.notes import AnnotatedNote, Label, Span
from corpus.generator import generate

ENTITY = re.compile(r"\[([^\]]+)\]|<([^>]+)>")
LINES = shipped().text.splitlines()
STATED = [line[2:].split(": ", 1) for line in LINES if re.match(r"\+ [A-Z_]+: ", line)]
RELATIONS = ("TREATS", "TREATED", "PREVENTS", "CAUSES", "CONTRAINDICATED", "TREATS_FAILED")


def read(marked: str) -> tuple[str, list[Span]]:
    text, spans, at = "", list[Span](), 0
    for match in ENTITY.finditer(marked):
        text += marked[at : match.start()]
        name = match[1] or match[2]
        spans.append(Span(len(text), len(text) + len(name), Label.DISEASE if match[1] else Label.TREATMENT))
        text += name
        at = match.end()
    return text + marked[at:], spans


def names(file: str) -> set[str]:
    lines = files("corpus").joinpath(f"data/{file}").read_text(encoding="utf-8").splitlines()
    listed = (re.split(r" [=~] ", line)[0] for line in lines if line and not line.startswith((";", "#")))
    return {name.strip().casefold() for line in listed for name in line.split("|")}


def test_another_text_has_another_version() -> None:
    digest = sha256(shipped().text.encode()).hexdigest()[:16]
    assert (SHIPPED_VERSION, digest) == ("1.0", "8901b4be27420e25"), (
        "raise SHIPPED_VERSION with the text, and put both here"
    )


@pytest.mark.parametrize(("word", "note"), STATED, ids=lambda part: part[:40])
def test_an_example_says_what_the_rules_say(word: str, note: str) -> None:
    text, spans = read(note)
    found = read_spans(text, spans)
    if word in RELATIONS:
        assert [str(one.type) for one in found.relations] == [word]
    else:
        first = found.assertions[0]
        assert word in {str(first.status), str(first.time), str(first.experiencer)}


def test_every_status_time_person_and_relation_stands_in_it() -> None:
    words = {
        *("PRESENT", "NEGATED", "POSSIBLE", "HYPOTHETICAL", "ALLERGY", "REFUSED", "CURRENT", "HISTORICAL", "PLANNED"),
        *("PATIENT", "FAMILY", "OTHER", *RELATIONS),
    }
    assert {word for word in words if word not in shipped().text} == set()
    headings = {line[3:] for line in LINES if line.startswith("## ")}
    assert headings >= {"Disease", "Treatment", "Symptom", "Investigation", "Status", "Relation"}


def test_what_is_a_disease_is_one_in_the_shipped_lexicon_and_what_is_a_test_is_nothing() -> None:
    diseases, treatments = names("diseases.txt"), names("treatments.txt")
    symptoms = {"fever", "cough", "pain", "vomiting", "headache", "chest pain", "low back pain"}
    assert symptoms <= diseases
    assert {"physiotherapy", "exercise", "dialysis", "surgery", "vaccination"} <= treatments
    tests = {"ecg", "hba1c", "cbc", "chest x-ray", "usg", "ns1"}
    assert not tests & (diseases | treatments)


def test_corpus_and_card_name_the_version() -> None:
    notes = generate(3, 4)
    assert {note.meta[META_KEY] for note in notes} == {SHIPPED_VERSION}
    ours = AnnotatedNote("No DM", (), meta={META_KEY: "1.2"})
    assert versions_of([*notes, ours, AnnotatedNote("x", ())]) == {SHIPPED_VERSION: 4, "1.2": 1}
    facts = CardFacts(name="m", artifact_sha256="0", metadata={}, training=describe([*notes, ours]))
    assert f"| annotation guideline | {SHIPPED_VERSION} (4 notes), 1.2 (1 notes) |" in model_card(facts)


def test_versions_are_numbers_and_no_words() -> None:
    assert edited("1.9") == "1.10"
    assert order_of("2.0") > order_of("1.10")
    with pytest.raises(ValueError, match=r"MAJOR\.MINOR"):
        order_of("newest")
