from collections import Counter

import pytest
from corpus import lexicon
from corpus.lexicon import Vocabulary


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
