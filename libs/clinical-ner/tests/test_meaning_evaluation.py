"""The scores of the rules: what is right, what is wrong, and what nobody annotated."""

from __future__ import annotations

import pytest
from clinical_ner.meaning_evaluation import annotated, outcomes, score_meaning
from clinical_ner.notes import AnnotatedNote, Label, Span, SpanMeaning
from clinical_ner.phrases import Phrase, Tables

D, T = Label.DISEASE, Label.TREATMENT


def fact(status="PRESENT", time="CURRENT", experiencer="PATIENT", **more):
    return SpanMeaning(status, time, experiencer, **more)


NEGATED = AnnotatedNote("No h/o DM", (Span(7, 9, D),), meanings=(fact("NEGATED"),))
WRONG = AnnotatedNote("No h/o DM", (Span(7, 9, D),), meanings=(fact("POSSIBLE", experiencer="FAMILY"),))
GIVEN = AnnotatedNote(
    "Metformin 500 mg BD for DM",
    (Span(0, 9, T), Span(24, 26, D)),
    relations=(("TREATS", 0, 1),),
    meanings=(
        fact(prescription={"strength": "500 mg", "frequency": 2, "period": 1, "period_unit": "d", "route": "oral"}),
        fact(),
    ),
)


def test_each_class_has_its_precision_recall_and_counts():
    scores = score_meaning([NEGATED, WRONG])
    assert scores["classes"]["status"]["NEGATED"] == {
        "precision": 0.5, "recall": 1.0, "f1": pytest.approx(2 / 3), "support": 1, "predicted": 2, "right": 1,
    }  # fmt: skip
    assert scores["classes"]["status"]["POSSIBLE"]["recall"] == 0.0
    assert scores["shares"]["status"] == {"share": 0.5, "of": 2}
    assert scores["shares"]["time"] == {"share": 1.0, "of": 2}
    assert scores["shares"]["assertion"] == {"share": 0.5, "of": 2}
    assert "relation" not in scores["classes"]
    assert "treats_wrong" not in scores


def test_attributes_and_relations_are_scored_one_by_one_and_by_line():
    scores = score_meaning([GIVEN])
    assert scores["classes"]["relation"]["TREATS"]["f1"] == 1.0
    assert scores["shares"]["relations"] == {"share": 1.0, "of": 1}
    assert scores["classes"]["attribute"]["strength"]["right"] == 1
    assert scores["classes"]["attribute"]["route"]["recall"] == 0.0  # it is not written
    assert scores["shares"]["attributes"] == {"share": 0.8, "of": 5}
    assert scores["shares"]["prescription_lines"] == {"share": 0.0, "of": 1}


def test_a_relation_that_is_not_there_is_a_wrong_one():
    unrelated = AnnotatedNote(GIVEN.text, GIVEN.spans, relations=())
    assert score_meaning([unrelated])["treats_wrong"] == 1
    assert score_meaning([unrelated])["shares"]["relations"]["share"] == 0.0


def test_only_negation_can_be_annotated():
    both = [
        AnnotatedNote("No h/o DM", (Span(7, 9, D),), meanings=(SpanMeaning(negated=True),)),
        AnnotatedNote("?DM", (Span(1, 3, D),), meanings=(SpanMeaning(negated=False),)),
    ]
    assert score_meaning(both)["classes"] == {
        "negation": {"NEGATED": {"precision": 1.0, "recall": 1.0, "f1": 1.0, "support": 1, "predicted": 1, "right": 1}}
    }


def test_tables_are_scored_side_by_side():
    weak = Tables((Phrase("zzz", (0, 11, 0, 0, 0, 0)),), "weak")
    ours, theirs = outcomes([NEGATED, GIVEN]), outcomes([NEGATED, GIVEN], weak)
    assert [
        one.shares["status"].right - other.shares["status"].right for one, other in zip(ours, theirs, strict=True)
    ] == [1, 0]


def test_what_is_not_annotated_is_not_scored():
    bare = AnnotatedNote("No h/o DM", (Span(7, 9, D),))
    assert not annotated([bare])
    assert annotated([NEGATED])
    assert score_meaning([bare]) == {"classes": {}, "shares": {}}


def test_meanings_are_as_many_as_spans():
    with pytest.raises(ValueError, match="1 spans but 2 meanings"):
        AnnotatedNote("DM", (Span(0, 2, D),), meanings=(fact(), fact()))
