"""Notes that say more of a name than that it is there, and the gold that their templates give them."""

from __future__ import annotations

from collections import Counter
from hashlib import sha256

import pytest
from clinical_ner.meaning import Experiencer, Prescription, Reader, RelationType, Status, Time
from clinical_ner.meaning_evaluation import score_meaning
from clinical_ner.notes import Label, SpanMeaning
from corpus import Style, generate, marked
from corpus.chance import Chance
from corpus.grammar import GrammarError, Meaning, Reference, _Parser
from corpus.noise import scribble


@pytest.fixture(scope="module")
def notes():
    return generate(2, 600, style=Style.FACTS)


def test_every_span_is_annotated_in_the_words_of_the_rules(notes):
    seen = Counter()
    for note in notes:
        assert len(note.meanings) == len(note.spans)
        for span, meaning in zip(note.spans, note.meanings, strict=True):
            assert meaning.status in set(Status)
            assert meaning.time in set(Time)
            assert meaning.experiencer in set(Experiencer)
            assert (meaning.prescription is None) is (span.label is Label.DISEASE)
            assert set(meaning.prescription or ()) <= set(Prescription._fields)
            seen.update((meaning.status, meaning.time, meaning.experiencer, *(meaning.prescription or ())))
    assert all(seen[each] >= 5 for kind in (Status, Time, Experiencer) for each in kind if each != "UNKNOWN")
    assert all(seen[name] >= 5 for name in Prescription._fields)


def test_relations_of_every_type_and_only_what_is_given_now_is_a_pair(notes):
    types = Counter(kind for note in notes for kind, _, _ in note.relations)
    assert set(types) == set(RelationType)
    for note in notes:
        assert set(note.pairs) == {
            (treatment, disease) for kind, treatment, disease in note.relations if kind == "TREATS"
        }


def test_the_other_styles_say_what_their_lines_are_sure_of():
    for style in (Style.PRESCRIPTION, Style.DISCHARGE):
        some = generate(3, 300, style=style)
        annotated = [meaning for note in some for meaning in note.meanings if meaning.status]
        assert {"NEGATED", "PRESENT"} <= {meaning.status for meaning in annotated}
        assert all(meaning.prescription is None for meaning in annotated)
        assert {"TREATS", "PLANNED", "TREATED"} <= {kind for note in some for kind, _, _ in note.relations}


def test_the_shipped_rules_on_the_gold_of_the_templates(notes):
    scores = score_meaning(notes)
    for group, floor in (("status", 0.9), ("time", 0.9), ("experiencer", 0.9), ("relation", 0.8), ("attribute", 0.9)):
        for name, found in scores["classes"][group].items():
            assert found["f1"] >= floor, (group, name, found)
    assert scores["treats_wrong"] <= 6


def test_the_same_rules_give_the_same_answers_to_the_last_offset(notes):
    """A change of speed keeps this digest; a change of answers changes it, and raises CODE_VERSION if code made it."""
    read = Reader().read([note.text for note in notes], [note.spans for note in notes])
    assert sha256(repr(read).encode()).hexdigest() == "7147b5afc4a9f259a070d387efefc6e34c162de2ade4a86faac0c59094dc6256"


def test_what_stands_beside_a_mention_goes_into_it_and_survives_every_rewriting():
    text = (
        f"{marked.beside('form=tablet', ahead=True)}Tab {marked.wrap('aspirin', 'T', 1, '.h')} "
        f"BD{marked.beside('frequency=2,as_needed=true', ahead=False)} for {marked.wrap('old pain', 'D', 1, 'f')}"
    )
    settled = marked.attach_meanings(text)
    for rewritten in (settled, marked.tidy(settled), marked.set_apart(settled), scribble(settled, Chance(3))):
        note = marked.read(rewritten)
        assert note.meanings == (
            SpanMeaning(
                "PRESENT", "HISTORICAL", "PATIENT", None, {"form": "tablet", "frequency": 2, "as_needed": True}
            ),
            SpanMeaning("PRESENT", "CURRENT", "FAMILY"),
        )
        assert note.relations == (("TREATED", 0, 1),)
        assert note.pairs == ()


def test_a_line_that_says_something_of_nothing_is_refused():
    with pytest.raises(ValueError, match="of a mention that it does not have"):
        marked.attach_meanings("BD" + marked.beside("frequency=2", ahead=False))


def test_the_notation_of_meanings():
    (line,) = (_Parser("no @rxD#1^nf.").parse(),)
    assert line[1] == Reference("rxD", 1, "nf")
    assert line[2].text == "."
    assert _Parser("BD^>(a=b)").parse()[1] == Meaning("a=b", ahead=True)
    with pytest.raises(GrammarError, match=r"no \(name=value\) after"):
        _Parser("5^2").parse()
