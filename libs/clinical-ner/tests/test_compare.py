from __future__ import annotations

import json

from clinical_ner.compare import Contender, changes, compare
from clinical_ner.errors import Kind, errors
from clinical_ner.mentions import mention_digests
from clinical_ner.notes import AnnotatedNote, Label, Span
from clinical_ner.predictions import Prediction, gold

D, T = Label.DISEASE, Label.TREATMENT
TEXT = "acute renal failure on dialysis , no fever"
NOTE = AnnotatedNote(TEXT, (Span(0, 19, D), Span(23, 31, T)), note_id="n1")


def found(*spans):
    return Prediction(tuple(spans))


class TestErrors:
    def test_every_kind(self):
        cases = {
            Kind.MISSED: found(Span(23, 31, T)),
            Kind.BOUNDARY: found(Span(6, 19, D), Span(23, 31, T)),
            Kind.LABEL: found(Span(0, 19, T), Span(23, 31, T)),
            Kind.SPURIOUS: found(*NOTE.spans, Span(37, 42, D)),
        }
        for kind, prediction in cases.items():
            (error,) = errors([NOTE], [prediction])
            assert error.kind is kind
        assert errors([NOTE], gold([NOTE])) == []

    def test_what_stood_in_its_place_and_around_it(self):
        (error,) = errors([NOTE], [found(Span(6, 19, D), Span(23, 31, T))])
        assert error.found == "DISEASE renal failure"
        assert error.context == "[acute renal failure] on dialysis , no fever"


class TestCompare:
    def test_what_changed_is_told_apart(self):
        first, second = found(Span(23, 31, T), Span(37, 42, D)), found(Span(0, 19, D))
        told = changes([NOTE], [first], [second])
        assert [(row["kind"], row["text"]) for row in told["fixed"]] == [
            ("missed", "acute renal failure"),
            ("spurious", "fever"),
        ]
        assert [(row["kind"], row["text"]) for row in told["broken"]] == [("missed", "dialysis")]
        assert told["both_wrong"] == []
        assert told["notes_changed"] == 1

    def test_the_report_is_json_and_says_who_is_better(self):
        notes = [NOTE] * 80
        weak = [found() if index % 2 else gold([NOTE])[0] for index in range(80)]
        report = compare(
            notes, Contender("a", weak, mention_digests([NOTE])), Contender("b", gold(notes)), resamples=400
        )
        assert json.loads(json.dumps(report)) == report
        gain = report["exact_span_f1"]["micro"]["difference"]
        assert 0.2 < gain["low"] < gain["value"] < gain["high"] < 0.5
        assert "all labels: better" in report["verdict"]
        assert [view["support"] for view in report["seen"]] == [160, 160]
        assert report["scores"][1]["seen"] is None

    def test_equal_models_are_not_told_apart(self):
        report = compare(
            [NOTE] * 20, Contender("a", gold([NOTE] * 20)), Contender("b", gold([NOTE] * 20)), resamples=100
        )
        assert report["verdict"].count("no clear difference") == 3

    def test_a_label_that_nobody_annotated_has_no_verdict(self):
        """A model that knows DISEASE alone was called better, for the other named treatments that nobody had annotated."""
        notes = [AnnotatedNote(TEXT, (Span(0, 19, D),))] * 40
        both, alone = [Prediction((*note.spans, Span(23, 31, T))) for note in notes], gold(notes)
        report = compare(notes, Contender("both", both), Contender("disease alone", alone), resamples=100)
        assert report["exact_span_f1"]["TREATMENT"] is None
        assert "all labels but TREATMENT: no clear difference" in report["verdict"]
        assert "TREATMENT: -, not annotated in these notes" in report["verdict"]
        assert report["changes"] == {"fixed": [], "broken": [], "both_wrong": [], "notes_changed": 40}

    def test_nothing_annotated_judges_no_model(self):
        report = compare(
            [AnnotatedNote("fine", ())], Contender("a", [found()]), Contender("b", [found()]), resamples=100
        )
        assert "they judge no model" in report["verdict"]
