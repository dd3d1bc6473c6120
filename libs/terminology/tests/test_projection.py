from hypothesis import given
from hypothesis import strategies as st
from terminology.projection import ICD10_CODE, read

PROJECTION = read()


def test_most_codes_are_cut_to_four_characters():
    assert PROJECTION.project("E11.65") == "E11.6"
    assert PROJECTION.project("I10") == "I10"
    assert PROJECTION.project("S72.001") == "S72.0"


def test_categories_that_icd_10_does_not_have_go_where_it_puts_them():
    assert PROJECTION.project("A90") == "A97.9"
    assert PROJECTION.project("N52.9") == "N48.4"
    assert PROJECTION.project("I96") == "R02"
    assert PROJECTION.project("M1A.9") == "M10.9"
    assert PROJECTION.project("Z68.41") is None
    assert len(PROJECTION.categories) >= 68


def test_where_the_fourth_character_is_another_thing_only_the_category_is_given():
    assert PROJECTION.project("B20") == "B24"
    assert PROJECTION.project("L89.1") == "L89"
    assert PROJECTION.project("I83.8") == "I83"
    assert PROJECTION.project("C50.A") == "C50"


@given(st.from_regex(r"[A-Z]\d\d(\.[0-9A-Z]{1,4})?", fullmatch=True))
def test_whatever_is_projected_is_a_code_of_icd_10(code):
    found = PROJECTION.project(code)
    assert found is None or ICD10_CODE.fullmatch(found)


def test_every_target_is_a_code_of_icd_10():
    targets = {*PROJECTION.categories.values(), *PROJECTION.codes.values()} - {"-"}
    assert all(ICD10_CODE.fullmatch(target) for target in targets)
