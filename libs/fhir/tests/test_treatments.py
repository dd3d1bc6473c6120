"""Drugs and what is done, held against the lists of names that the synthetic notes are made of."""

from importlib.resources import files

import pytest
from rxtract_fhir.notes import Directions
from rxtract_fhir.treatments import is_done, is_drug


def names(*heads):
    """The names under these heads of the corpus' list of treatments."""
    lines = (files("corpus") / "data/treatments.txt").read_text(encoding="utf-8").splitlines()
    found, inside = [], False
    for line in lines:
        if line.startswith("["):
            inside = any(head in line for head in heads)
        elif inside and line and not line.startswith("#"):
            found += [one.strip() for one in line.partition(" = ")[0].split("|")]
    return found


def test_procedures_are_done():
    given = names("procedures]")
    assert len(given) > 300
    assert sum(map(is_done, given)) / len(given) > 0.93


def test_drugs_and_brands_are_not():
    given = names(
        "antibiotics", "antivirals", "cardiovascular", "endocrine", "brand-like", "antiparasitics", "antithrombotics"
    )
    assert len(given) > 600
    assert sum(map(is_done, given)) / len(given) < 0.01


@pytest.mark.parametrize("words", ["physiotherapy", "Bed rest", "haemodialysis", "s/p CABG", "radiotherapy", "I&D"])
def test_these_are_done(words):
    assert is_done(words)


@pytest.mark.parametrize(
    "words", ["Dolo", "insulin therapy", "anti-tubercular therapy", "ORS", "statin therapy", "Zerodol-P"]
)
def test_these_are_drugs(words):
    assert is_drug(words, None, ())


def test_a_form_makes_a_drug_and_a_number_of_times_does_not():
    assert is_drug("lavage", Directions(form="solution"), ())
    assert not is_drug(
        "physiotherapy", Directions(frequency=2, period=1, period_unit="wk", duration=2, duration_unit="wk"), ()
    )
