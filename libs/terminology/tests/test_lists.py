import pytest
from corpus import lexicon
from terminology.errors import TerminologyRefused
from terminology.lists import parse, read_list
from terminology.projection import ICD10_CODE
from terminology.systems import SYSTEMS, system_of, verhoeff
from terminology.words import surface


def test_a_line_says_forms_target_sureness_and_cues():
    line = parse("ms|m s : mitral valve = I05.0")
    assert (line.forms, line.targets, line.sure, line.cues) == (("ms", "m s"), ("I05.0",), True, {"mitral", "valve"})
    assert parse("pan d ~ pantoprazole + domperidone").targets == ("pantoprazole", "domperidone")
    assert not parse("pan d ~ pantoprazole").sure


@pytest.mark.parametrize("line", ["htn", "htn =", " = I10", "htn = ", "htn=I10"])
def test_a_line_without_a_side_is_refused(line):
    with pytest.raises(ValueError, match=r"write form|a side is empty"):
        parse(line)


def test_every_abbreviation_names_a_code_of_icd_10():
    lines = list(read_list("abbreviations"))
    assert len(lines) > 600
    assert [line for line in lines if line.targets != ("-",) and not all(map(ICD10_CODE.fullmatch, line.targets))] == []
    assert all(surface(form) for line in lines for form in line.forms)


def test_a_brand_stands_for_one_set_of_substances():
    found = {}
    for line in read_list("brands"):
        for form in line.forms:
            assert found.setdefault(surface(form), set(line.targets)) == set(line.targets), form
    assert len(found) > 2000


def test_the_corpus_lists_carry_codes():
    diseases, treatments = lexicon.diseases(), lexicon.treatments()
    assert sum(bool(name.codes) for name in diseases) > 0.95 * len(diseases)
    assert all(ICD10_CODE.fullmatch(code) for name in diseases for code in name.codes)
    unii = system_of("unii")
    assert sum(bool(name.codes) for name in treatments) > 1000
    assert all(unii.accepts(code) for name in treatments for code in name.codes)
    assert not any(" = " in form or " ~ " in form for name in (*diseases, *treatments) for form in name.forms)


def test_a_system_accepts_its_own_example():
    assert all(system.accepts(system.example) for system in SYSTEMS)


def test_snomed_codes_end_in_a_check_digit():
    assert verhoeff("73211009")
    assert not verhoeff("73211008")
    assert not system_of("snomed").accepts("73211008")


def test_an_unknown_system_is_refused_with_what_may_have_been_meant():
    with pytest.raises(TerminologyRefused, match="did you mean rxnorm"):
        system_of("rxnrom")
    assert system_of("https://hospital.example/codes").accepts("X-17")
    with pytest.raises(TerminologyRefused, match="unknown code system"):
        system_of("ftp://x")
