from collections import Counter

import pytest
from clinical_ner.notes import Label
from corpus import generate, lexicon
from corpus.lexicon import Vocabulary
from corpus.support import shipped_names


@pytest.mark.parametrize(("names", "least"), [(lexicon.diseases, 1500), (lexicon.treatments, 1200)])
def test_it_is_large_and_every_form_stands_once(names, least):
    forms = Counter(form.casefold() for name in names() for form in name.forms)
    assert len(names()) >= least
    assert [form for form, count in forms.items() if count > 1] == []


@pytest.mark.parametrize("names", [lexicon.diseases, lexicon.treatments])
def test_forms_are_tidy(names):
    for name in names():
        for form in name.forms:
            assert form == " ".join(form.split()), form
            assert not set(form) & set("@<>{}[]\\|"), form


@pytest.mark.parametrize("names", [lexicon.diseases, lexicon.treatments])
def test_the_sides_are_disjoint_and_make_the_whole(names):
    train = {name.text for name in names(Vocabulary.TRAIN)}
    heldout = {name.text for name in names(Vocabulary.HELDOUT)}
    assert not train & heldout
    assert train | heldout == {name.text for name in names()}
    assert 0.07 < len(heldout) / len(names()) < 0.13


def test_a_composed_name_takes_the_side_of_the_name_inside():
    for name in lexicon.diseases(Vocabulary.HELDOUT)[:50]:
        assert lexicon.side(f"zz {name.text} zz") is Vocabulary.HELDOUT
        assert all(lexicon.side(form) is Vocabulary.HELDOUT for form in name.variants)


def test_a_side_does_not_depend_on_case_or_spacing():
    assert lexicon.side("Malignant  ASCITES") is lexicon.side("malignant ascites")


def test_the_split_never_moves():
    heldout = ("hypertensive heart disease", "stent thrombosis", "oxacillin", "piperacillin-tazobactam")
    assert {lexicon.side(name) for name in heldout} == {Vocabulary.HELDOUT}
    assert {lexicon.side(name) for name in ("asthma", "a name that no lexicon holds 7")} == {Vocabulary.TRAIN}


def test_names_of_every_day_are_never_put_aside():
    everyday = (
        "vomiting",
        "dyspnoea",
        "abdominal pain",
        "OHA",
        "CABG",
        "LSCS",
        "TKR",
        "aspirin",
        "diabetic",
        "bukhar",
        "UTI",
    )
    assert {lexicon.side(name) for name in everyday} == {Vocabulary.TRAIN}


def test_building_blocks_are_many():
    classes = lexicon.word_classes()
    assert {"site_adj", "histology", "stage", "severity", "route", "drug_end", "op_end"} <= classes.keys()
    assert sum(map(len, classes.values())) > 1000


def test_brands_are_names_of_their_own_written_as_in_notes():
    names = {name.text for name in lexicon.brands()}
    listed = {
        form.casefold() for names in (lexicon.diseases(), lexicon.treatments()) for name in names for form in name.forms
    }
    assert len(names) > 3000
    assert {"Pan D", "Ciplar LA", "HCQS"} <= names
    assert not any(name.casefold() in listed or set(name) & set("@<>{}[]\\|=~#") for name in names)
    assert not {name.text for name in lexicon.brands(Vocabulary.TRAIN)} & {
        name.text for name in lexicon.brands(Vocabulary.HELDOUT)
    }


def test_shipped_notes_and_the_names_looked_up_know_brands_of_the_training_side_alone():
    looked_up = set(shipped_names().names[Label.TREATMENT])
    assert {name.text for name in lexicon.brands(Vocabulary.TRAIN)} <= looked_up
    assert not looked_up & {name.text for name in lexicon.brands(Vocabulary.HELDOUT)}
    written = {
        note.text[s.start : s.end].casefold()
        for note in generate(3, 400, style="prescription", vocabulary="train")
        for s in note.spans
    }
    assert len(written & {name.text.casefold() for name in lexicon.brands()}) > 20
