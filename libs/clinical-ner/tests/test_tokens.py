"""The tokeniser: nothing lost, offsets right, clinical shorthand whole, sentences with offsets kept."""

from __future__ import annotations

import pytest
from clinical_ner.tokens import sentences, tokenise
from hypothesis import given, settings
from hypothesis import strategies as st

PIECES = st.sampled_from(
    [
        " ",
        "\n\n",
        *"a A 1 . , / - + ' ’ ( ) % : ; * & ^ × ° _ = < > ! ? \n \t – — … • µ é Ä ß अ 漢 😀 \u200d \x00 \ud800 \xa0".split(
            " "
        ),
    ]
)
TEXTS = st.one_of(
    st.text(max_size=200), st.lists(PIECES, max_size=60).map("".join), st.text(st.characters(), max_size=80)
)


@settings(max_examples=500)
@given(TEXTS)
def test_tokens_are_the_text_and_only_white_space_is_lost(text):
    at = 0
    for token in tokenise(text):
        assert token.text == text[token.start : token.end]
        assert token.text
        assert not any(character.isspace() for character in token.text)
        assert not text[at : token.start].strip()
        at = token.end
    assert not text[at:].strip()


@settings(max_examples=200)
@given(TEXTS)
def test_sentences_hold_every_token_once(text):
    bounds = sentences(text)
    assert all(sentence.text == text[sentence.start : sentence.end] for sentence in bounds)
    assert [s.start for s in bounds] == sorted({s.start for s in bounds})
    tokens = tokenise(text)
    for token in tokens:
        assert sum(s.start <= token.start and token.end <= s.end for s in bounds) == 1


@pytest.mark.parametrize(
    "shorthand",
    "500mg 0.5mg k/c/o c/o 2/7 T2DM non-small-cell mg/dl mg/m2 b.d. t.d.s. 1-0-1 140/90 i.e. U.S.A 1,000 10:30 Ca2+ "
    "+ve -ve -induced p53-/- 4G/5G +/- H&E D&C 101°F q8h HbA1c COVID-19 IL-2 5-FU o/e s/p N/A w/o naïve".split(),
)
def test_shorthand_stays_whole(shorthand):
    assert [token.text for token in tokenise(f"Pt has {shorthand} now")] == ["Pt", "has", shorthand, "now"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("fever, cough;cold", "fever|,|cough|;|cold"),
        ("(HTN/DM)", "(|HTN|/|DM|)"),
        ("DM2/HTN/T2DM", "DM2|/|HTN|/|T2DM"),
        ("SpO2/FiO2 CO2/O2", "SpO2/FiO2|CO2/O2"),
        ("cisplatin/etoposide", "cisplatin|/|etoposide"),
        ("Crohn's disease.", "Crohn|'s|disease|."),
        ("fever.Patient stable", "fever|.|Patient|stable"),
        ("Tab.Paracetamol 5%", "Tab|.|Paracetamol|5|%"),
        ("BP:140/90,SpO2:98%", "BP|:|140/90|,|SpO2|:|98|%"),
        ("pain...worse -- no", "pain|...|worse|--|no"),
        ("DM+HTN", "DM|+|HTN"),
        ("-Fever", "-|Fever"),
        ("fever—cough", "fever|—|cough"),
        ("x\u2028y", "x|y"),
        ("E. coli in vitamin D. The", "E.|coli|in|vitamin|D|.|The"),
        ("", ""),
        ("  \n ", ""),
    ],
)
def test_separators_separate(text, expected):
    assert "|".join(token.text for token in tokenise(text)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("He has fever. He takes Tab. Dolo 650. Review b.d. as told.", 3),
        ("Dr. Rao saw her vs. him", 1),
        ("c/o fever\nRx: Dolo 650\n\nreview", 3),
        ("a long line that\ngoes on here", 1),
        ("Really? Yes! No", 3),
        ("बुखार है। खांसी है।", 2),
        ("p < 0.05. and so on", 1),
    ],
)
def test_sentences_end_where_they_should(text, expected):
    assert len(sentences(text)) == expected


def test_a_sentence_has_at_most_a_thousand_tokens():
    assert [len(tokenise(s.text)) for s in sentences("word " * 2_500)] == [1_000, 1_000, 500]


def test_a_million_characters_in_one_token():
    assert len(tokenise("x" * 1_000_000)) == 1
    assert len(tokenise("a-" * 500_000)) > 0
