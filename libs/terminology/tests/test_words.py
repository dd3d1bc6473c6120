import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from terminology.words import LONGEST_MENTION, bag, parts, plain, stem, surface, without_lead


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Koch's  chest", "KOCHS-CHEST"),
        ("T2DM", "t2dm."),
        ("<b>T2DM</b>", "T2DM"),
        ("# NOF", "fracture NOF"),
        ("Sj\u00f6gren", "sjogren"),
        ("Graves\u2019 disease", "graves disease"),
    ],
)
def test_what_is_written_alike_has_one_surface(one, other):
    assert surface(one) == surface(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("iron deficiency anaemia", "Anemia, iron-deficiency"),
        ("carcinoma of breast", "malignant neoplasm of breast, unspecified"),
        ("renal calculi", "kidney stones"),
        ("oedema of the larynx", "laryngeal edema"),
        ("tubercular meningitis", "meningitis, tuberculous"),
    ],
)
def test_what_means_alike_has_one_bag(one, other):
    assert bag(one) == bag(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("hepatitis A", "hepatitis"), ("diabetes type 1", "diabetes type 2"), ("hypertension", "hypotension")],
)
def test_what_differs_keeps_its_bag(one, other):
    assert bag(one) != bag(other)


def test_what_stands_before_and_behind_a_name_is_left_out():
    assert without_lead("k/c/o T2DM x 10 yrs") == "t2dm"
    assert without_lead("H/o HTN since 5 years") == "htn"
    assert without_lead("hookworm") == "hookworm"


def test_a_mention_of_two_things_is_divided():
    assert parts("IHD s/p PTCA") == ["ihd", "ptca"]
    assert parts("ACS - unstable angina") == ["acs", "unstable angina"]
    assert parts("x-ray") == ["x-ray"]


@given(st.text(max_size=400))
def test_any_text_has_a_surface_that_is_its_own(text):
    found = surface(text)
    assert surface(found) == found
    assert len(plain(text)) <= LONGEST_MENTION * 18  # one character can become a word: U+FDFA
    bag(text)
    without_lead(text)


@given(st.from_regex(r"[a-z]{1,20}", fullmatch=True))
def test_a_stem_is_no_longer_than_its_word(word):
    assert len(stem(word)) <= len(word)


def test_a_megabyte_costs_no_more_than_its_beginning():
    started = time.process_time()
    for text in ("a" * (1 << 20), "k/c/o " * (1 << 18), "- " * (1 << 19), "<" * (1 << 20), "\u0301" * (1 << 20)):
        surface(text), bag(text), parts(text), without_lead(text)
    assert time.process_time() - started < 5
