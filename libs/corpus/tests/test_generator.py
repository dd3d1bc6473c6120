import re
from collections import Counter
from hashlib import sha256

import pytest
from clinical_ner.notes import AnnotatedNote, Label
from corpus import Style, Vocabulary, generate
from corpus.lexicon import side
from corpus.marked import MARKS

THE_EXAMPLE = (
    "The patient was a 62-year-old man with squamous cell lung cancer, which was first successfully treated by a "
    "combination of radiation therapy and chemotherapy."
)


@pytest.fixture(scope="module")
def notes() -> list[AnnotatedNote]:
    return generate(11, 1500)


def _digest(notes: list[AnnotatedNote]) -> str:
    return sha256(repr([(note.text, note.spans, note.pairs) for note in notes]).encode()).hexdigest()


def test_the_same_seed_gives_the_same_corpus_everywhere():
    assert _digest(generate(7, 200)) == "1d5565e12eddd1c4484ab76c58055d29ec4bf0403441de77b235d7c1f0ccf26d"


def test_another_seed_gives_another_corpus():
    assert _digest(generate(7, 50)) != _digest(generate(8, 50))


def test_a_longer_corpus_begins_with_the_shorter_one():
    assert generate(3, 40)[:15] == generate(3, 15)


def test_spans_are_whole_words_inside_the_text_in_order(notes):
    for note in notes:
        assert not MARKS.search(note.text)
        last = 0
        for span in note.spans:
            assert last <= span.start < span.end <= len(note.text)
            mention = note.text[span.start : span.end]
            assert mention == mention.strip()
            before, after = note.text[span.start - 1 : span.start], note.text[span.end : span.end + 1]
            assert not (before.isalnum() and span.start), note.text
            assert not after.isalnum() or after == "s", note.text
            last = span.end


def test_pairs_join_a_treatment_and_a_disease(notes):
    paired = 0
    for note in notes:
        for treatment, disease in note.pairs:
            assert note.spans[treatment].label is Label.TREATMENT
            assert note.spans[disease].label is Label.DISEASE
        paired += bool(note.pairs)
    assert paired > len(notes) / 10


def test_every_style_is_there_and_marked_as_synthetic(notes):
    styles = Counter(note.meta["style"] for note in notes)
    assert set(styles) == {"abstract", "prose", "case_report", "prescription", "discharge"}
    assert min(styles.values()) > len(notes) / 15
    assert all(note.note_id.startswith("synthetic-") and note.meta["synthetic"] == "true" for note in notes)


def test_many_abstract_sentences_name_nothing():
    sentences = generate(5, 1500, style=Style.ABSTRACT)
    assert 0.35 < sum(not note.spans for note in sentences) / len(sentences) < 0.65


def test_lengths_are_those_of_notes_and_sentences():
    for style, shortest, longest in (("abstract", 4, 30), ("prescription", 8, 60), ("discharge", 8, 60)):
        lengths = [len(note.text.split()) for note in generate(6, 500, style=style)]
        assert shortest < sum(lengths) / len(lengths) < longest, style
        assert max(lengths) < 200


def test_texts_do_not_repeat(notes):
    assert len({note.text for note in notes}) >= 0.999 * len(notes)


def test_names_are_countless(notes):
    mentions = [note.text[span.start : span.end].casefold() for note in notes for span in note.spans]
    assert len(set(mentions)) > 0.6 * len(mentions)


def test_prescriptions_look_like_prescriptions():
    text = "\n".join(note.text for note in generate(9, 400, style="prescription")).casefold()
    for shorthand in ("c/o", "k/c/o", "h/o", "r/o", "rx", "adv", " od", " bd", "tds", "1-0-1", "t2dm", "htn", " din "):
        assert shorthand in text, shorthand


INVESTIGATION = re.compile(
    r"\b(?:MRI|CT(?!-guided)|USG|CBC|LVEF|HbA1c|biopsy|endoscopy|colonoscopy|[Xx]-ray|ECG|echocardiography)\b"
)
HEADING = re.compile(
    r"(?:history|plan|diagnosis|o/e|investigations|advice|treatment|findings|impression)\W*", re.IGNORECASE
)


@pytest.mark.parametrize("style", ["case_report", "prose", "prescription", "discharge"])
def test_investigations_and_headings_are_written_and_never_annotated(style):
    some = generate(21, 400, style=style)
    mentions = [note.text[span.start : span.end] for note in some for span in note.spans]
    assert sum(bool(INVESTIGATION.search(note.text)) for note in some) > 8
    assert [name for name in mentions if INVESTIGATION.search(name) or HEADING.fullmatch(name)] == []


def test_what_hasty_doctors_write_is_annotated():
    names = Counter(
        note.text[span.start : span.end].casefold()
        for note in generate(22, 1500, style="prescription")
        for span in note.spans
    )
    for name in (
        "diabetic",
        "hypothyroid",
        "bukhar",
        "sar dard",
        "pet dard",
        "khansi",
        "sugar",
        "cabg",
        "lscs",
        "tkr",
        "oha",
    ):
        assert names[name] >= 2, name
    assert any(name in names for name in ("diabetis", "hypertention", "pnuemonia"))
    assert any(name in names for name in ("paracitamol", "paracetmol"))


@pytest.mark.slow
def test_held_out_names_never_stand_in_the_training_corpus():
    kinds = {}
    for vocabulary in (Vocabulary.TRAIN, Vocabulary.HELDOUT):
        notes = generate(4, 1500, style=Style.DISCHARGE, vocabulary=vocabulary)
        kinds[vocabulary] = {note.text[span.start : span.end].casefold() for note in notes for span in note.spans}
        wrong = [mention for mention in kinds[vocabulary] if side(mention) is not vocabulary]
        assert len(wrong) <= 0.002 * len(kinds[vocabulary])
    assert not kinds[Vocabulary.TRAIN] & kinds[Vocabulary.HELDOUT]


def test_the_sentence_of_the_design_is_not_given_away(notes):
    assert all(THE_EXAMPLE[:60] not in note.text for note in notes)


def test_unknown_styles_and_vocabularies_are_refused():
    with pytest.raises(ValueError, match="poem"):
        generate(1, 1, style="poem")
    with pytest.raises(ValueError, match="some"):
        generate(1, 1, vocabulary="some")
