"""The base table against lists of how doctors in India write, and what must never be answered."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from terminology import Coder, TerminologyRefused, diseases
from terminology.systems import ICD10, UNII

DATA = Path(__file__).parent / "data"
SHARED = Path(__file__).resolve().parents[5] / "shared/data/icd/open.tsv"


def rows(name):
    lines = (DATA / name).read_text(encoding="utf-8").splitlines()
    return [line.split("\t") for line in lines if "\t" in line]


def measured(coder, pairs):
    """Share answered, and share of the answered whose category is right."""
    answers = [(coder.code(text), right) for text, right in pairs]
    answered = [(found, right) for found, right in answers if found is not None]
    return len(answered) / len(answers), sum(found.code[:3] in right for found, right in answered) / len(answered)


@pytest.mark.parametrize(
    ("name", "least_answered", "least_right"),
    [
        ("mentions.tsv", 0.96, 0.98),
        ("mentions_second.tsv", 0.92, 0.98),
        ("mentions_unworked.tsv", 0.8, 0.96),
        ("mentions_usual.tsv", 0.92, 0.97),
        ("mentions_hindi.tsv", 0.82, 0.97),
    ],
)
def test_mentions_are_answered_and_their_category_is_right(coder, name, least_answered, least_right):
    pairs = [(text, right.split()) for text, right in rows(name)]
    answered, precision = measured(coder, pairs)
    assert len(pairs) >= 100
    assert answered >= least_answered
    assert precision >= least_right


@pytest.mark.parametrize(("name", "most_silent"), [("drugs.tsv", 0.02), ("drugs_usual.tsv", 0.06)])
def test_drugs_are_answered_with_all_their_substances(coder, name, most_silent):
    wrong, silent, pairs = [], [], rows(name)
    for text, right in pairs:
        found = coder.code(text)
        allowed = [sorted(names.split(" + ")) for names in right.split("|")]
        if found is None:
            silent += [text] if right else []
        elif sorted(coding.display for coding in found.codings) not in allowed:
            wrong.append((text, found))
    assert len(pairs) > 150
    assert len(silent) < most_silent * len(pairs), silent
    assert len(wrong) < 0.01 * len(pairs), wrong


@pytest.mark.skipif(
    not SHARED.exists(), reason="the open labels of the Human Disease Ontology are not beside this checkout"
)
def test_labels_of_the_disease_ontology_are_answered_rightly():
    from terminology.projection import read

    coder, project = Coder.open(), read().project
    pairs = []
    for line in SHARED.read_text(encoding="utf-8").splitlines()[1:]:
        text, codes = line.split("\t")
        right = [code.strip().removeprefix("ICD10CM:") for code in codes.split(",")]
        pairs.append((text, {code[:3] for code in right} | {(project(code) or code)[:3] for code in right}))
    answered, precision = measured(coder, pairs)
    assert answered >= 0.6
    assert precision >= 0.94


@pytest.mark.parametrize(
    ("text", "context", "code"),
    [
        ("MS", "RHD, severe MS, MVR advised", "I05.0"),
        ("MS", "MRI: demyelinating plaques, optic neuritis", "G35"),
        ("MS, relapsing", None, "G35"),
        ("MS", None, None),
        ("MS", "came for review", None),
        ("DM", None, "E11.9"),
        ("DM", "heliotrope rash, proximal weakness, CPK raised", "M33.9"),
        ("PE", "G2P1 34 weeks pregnancy, proteinuria", "O14.9"),
        ("PE", "sudden dyspnoea, CTPA shows embolism", "I26.9"),
        ("PE", None, None),
        ("PT", None, None),
        ("AS", "calcified valve, ejection murmur", "I35.0"),
        ("AS", "HLA B27, sacroiliitis", "M45"),
    ],
)
def test_what_is_ambiguous_is_settled_by_its_context_or_not_at_all(coder, text, context, code):
    found = coder.code(text, context=context)
    assert (found.code if found else None) == code


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("IHD s/p PTCA", ["I25.9", "Z95.5"]),
        ("AKI on CKD", ["N17.9"]),
        ("T2DM with HTN", ["E11.9", "I10"]),
        ("primi with breech", ["O32.1", "Z34.9"]),
    ],
)
def test_a_mention_of_two_diseases_has_the_main_one_first(coder, text, codes):
    found = coder.code(text)
    assert [coding.code for coding in found.codings] == codes
    assert all(coding.system == ICD10 for coding in found.codings)


def test_a_combination_has_a_code_for_each_substance(coder):
    found = coder.code("Tab. Telma-AM 40/5")
    assert [coding.display for coding in found.codings] == ["TELMISARTAN", "AMLODIPINE"]
    row = found.as_row()
    assert (row["code"], row["system"]) == (found.codings[0].code, UNII)
    assert [one["code"] for one in row["codes"]] == [coding.code for coding in found.codings]
    assert "codes" not in coder.code("metformin").as_row()


def test_a_combination_with_an_unknown_part_has_no_code(coder):
    assert coder.code("amlodipine + qwertyzole", "TREATMENT") is None
    assert coder.code("Telma ZQX", "TREATMENT") is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "?",
        "xyzzy",
        "follow up",
        "nil",
        "normal",
        "lorem ipsum dolor",
        "OD",
        "1-0-1",
        "2024",
        "\x00",
        "\ud800",
        "a" * 5000,
    ],
)
def test_what_names_nothing_has_no_code(coder, text):
    assert coder.code(text) is None


@pytest.mark.parametrize(
    ("text", "code"),
    [("diabtes", "E11"), ("hypertenson", "I10"), ("pnuemonia", "J18"), ("tubercolosis", "A15"), ("asthama", "J45")],
)
def test_a_misspelling_within_the_bound_is_understood(coder, text, code):
    found = coder.code(text)
    assert found.code[:3] == code
    assert found.how == "typo"


def test_a_longer_word_is_no_misspelling_of_an_abbreviation(coder):
    assert coder.code("nasha", "DISEASE") is None  # Hindi: drunkenness; NASH is a liver's


def test_brands_that_are_two_letters_apart_are_not_taken_for_each_other(coder):
    assert coder.code("Zincovit", "TREATMENT") is None


def test_a_label_decides_which_kind_is_looked_for(coder):
    assert coder.code("iron deficiency", "TREATMENT") is None
    assert coder.code("metformin", "DISEASE") is None
    with pytest.raises(TerminologyRefused, match="unknown label"):
        coder.code("metformin", "DRUG")


def test_a_megabyte_and_markup_are_answered_or_not_like_their_beginning(coder):
    assert coder.code("T2DM " + "x" * (1 << 20)) is None
    assert coder.code("<script>alert(1)</script>") is None
    assert coder.code("<b>T2DM</b>").code == "E11.9"
    assert coder.code("T2DM", context="valve " * (1 << 18)).code == "E11.9"


def test_nothing_is_answered_below_the_threshold():
    assert Coder.open(threshold=1.0).code("T2DM") is None
    every = Coder.open(threshold=0.0)
    assert every.code("split hand-foot malformation") is not None


@given(st.text(max_size=60), st.sampled_from([None, "DISEASE", "TREATMENT"]), st.none() | st.text(max_size=60))
@settings(max_examples=300)
def test_any_text_is_answered_alike_twice_and_within_bounds(coder, text, label, context):
    found = coder.code(text, label, context)
    assert found == coder.code(text, label, context) == Coder(coder.tables).code(text, label, context)
    if found is not None:
        assert coder.threshold <= found.score <= 1
        assert found.codings[0].code == found.code
        assert all(coding.system in {ICD10, UNII} and coding.display for coding in found.codings)


@given(
    st.sampled_from([text for text, _ in rows("mentions.tsv")]),
    st.sampled_from([str.upper, str.lower, str.title, "  {} ".format]),
)
@settings(max_examples=200)
def test_case_and_blanks_change_nothing(coder, text, change):
    one, other = coder.code(text), coder.code(change(text))
    assert (one and one.code) == (other and other.code)


def test_what_is_left_out_of_a_comparison_changes_no_answer(coder, monkeypatch):
    texts = [text for name in ("mentions.tsv", "mentions_unworked.tsv") for text, _ in rows(name)]
    texts += [f"{one} {other}" for one, other in zip(texts, texts[7:], strict=False)]
    table = coder.tables[0]
    now = [diseases.look_up(table, text, frozenset()) for text in texts]
    monkeypatch.setattr(diseases, "_LEAST_RIVAL", 0.0)
    monkeypatch.setattr(diseases, "_LEAST_SHARE", 0.0)
    assert [diseases.look_up(table, text, frozenset()) for text in texts] == now
    assert sum(one is not None and one.how == "words" for one in now) > 50


def test_what_was_looked_up_is_remembered_within_bounds(coder, monkeypatch):
    monkeypatch.setattr("terminology.coder._REMEMBERED", 10)
    small = Coder(coder.tables)
    for number in range(100):
        small.code(f"mention {number}")
    assert len(small._memory) <= 10
    small.code("x" * 200)
    assert ("x" * 200, "") not in small._memory


def test_the_remembered_form_of_one_label_is_not_given_for_another(coder):
    fresh = Coder(coder.tables)
    assert fresh.code("hypertension").code == "I10"
    assert fresh.code("hypertension", "TREATMENT") is None
    assert fresh.code("arterial hypertension", "DISEASE").code == "I10"


def test_every_code_of_the_table_has_a_display(coder):
    table = coder.tables[0]
    bare = [table.coding(place).code for place in range(len(table.concepts)) if not table.coding(place).display]
    assert bare == []


@pytest.mark.parametrize(
    ("mention", "code"),
    [
        ("squamous cell lung cancer", "C34.9"),
        ("squamous cell carcinoma of tongue", "C02.9"),
        ("clear cell carcinoma of kidney", "C64"),
        ("invasive ductal carcinoma breast", "C50.9"),
    ],
)
def test_a_cancer_is_coded_by_its_site_whatever_it_looks_like(coder, mention, code):
    assert coder.code(mention, "DISEASE").code == code


def test_a_cancer_without_a_site_is_not_that_of_an_unknown_one(coder):
    assert coder.code("squamous cell carcinoma", "DISEASE").code == "C80.9"
    found = coder.code("squamous cell carcinoma zorbum", "DISEASE")
    assert found is None or not found.code.startswith("C80")


def test_the_mentions_of_a_note_are_each_others_context(coder):
    first, second = coder.code_note([("MS", "DISEASE"), ("mitral valve murmur", "DISEASE")])
    assert first.code == coder.code("MS", "DISEASE", "mitral valve murmur").code == "I05.0"
    assert second is None or second.codings
    assert coder.code_note([("MS", "DISEASE")]) == [coder.code("MS", "DISEASE")] == [None]


def test_a_coding_says_how_it_was_found(coder):
    found = coder.code("Telma-AM 40/5", "TREATMENT")
    assert [(way.version, way.how) for way in found.ways] == [(found.version, "brand")] * 2


@pytest.mark.parametrize(
    "mention", ["a" * 1_000_000, "<script>alert(1)</script>" * 40_000, "dm " * 300_000, "\x00" * 1000]
)
def test_a_mention_of_a_megabyte_is_answered_at_once_and_not_remembered(coder, mention):
    before = len(coder._memory), len(coder._cues)
    coder.code(mention, "DISEASE")
    coder.code_note([(mention, "DISEASE"), (mention, None)])
    assert (len(coder._memory), len(coder._cues)) == before
