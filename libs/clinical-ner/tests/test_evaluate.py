"""Our scores against seqeval, nervaluate and scikit-learn, and by hand where they have no word for it."""

from __future__ import annotations

import numpy as np
import pytest
from clinical_ner.datasets import given_tokens
from clinical_ner.evaluate import score, token_labels
from clinical_ner.mentions import mention_digest, mention_digests
from clinical_ner.notes import AnnotatedNote, Label, Span
from clinical_ner.predictions import Prediction, gold
from hypothesis import given, settings
from hypothesis import strategies as st

D, T = Label.DISEASE, Label.TREATMENT


def note_of(tags, words=None):
    """A note of given tokens and one span per run of a tag."""
    words = words or [f"w{index}" for index in range(len(tags))]
    offsets, position = [], 0
    for word in words:
        offsets.append((position, position + len(word)))
        position += len(word) + 1
    spans = []
    for index, tag in enumerate(tags):
        if tag != "O":
            label = D if tag == "D" else T
            if index and tags[index - 1] == tag:
                spans[-1] = Span(spans[-1].start, offsets[index][1], label)
            else:
                spans.append(Span(*offsets[index], label))
    meta = {"token_offsets": ",".join(f"{start}:{end}" for start, end in offsets)}
    return AnnotatedNote(" ".join(words), tuple(spans), meta=meta)


tag_lists = st.lists(
    st.integers(1, 12).flatmap(
        lambda size: st.tuples(*[st.lists(st.sampled_from("OODT"), min_size=size, max_size=size)] * 2)
    ),
    min_size=1,
    max_size=8,
)


def bio(tags):
    return [
        "O" if tag == "O" else ("I-" if index and tags[index - 1] == tag else "B-") + tag
        for index, tag in enumerate(tags)
    ]


def judgeable(pairs):
    """Without the tags that no annotation has: what nobody annotated judges nothing."""
    annotated = {tag for left, _ in pairs for tag in left}
    return [(left, [tag if tag in annotated else "O" for tag in right]) for left, right in pairs]


def numbers(found):
    return [found[name] or 0 for name in ("precision", "recall", "f1")]


def scored(pairs):
    notes = [note_of(left) for left, _ in pairs]
    predicted = gold([note_of(right) for _, right in pairs])
    return score(notes, predicted)


@settings(max_examples=50)
@given(tag_lists)
def test_exact_spans_agree_with_seqeval(pairs):
    from seqeval.metrics import classification_report
    from seqeval.scheme import IOB2

    known = judgeable(pairs)
    left, right = [bio(a) for a, _ in known], [bio(b) for _, b in known]
    if not any(tag != "O" for tags in [*left, *right] for tag in tags):
        return
    report = classification_report(left, right, output_dict=True, zero_division=0, mode="strict", scheme=IOB2)
    ours = scored(pairs)["exact_span"]
    for theirs, name in (("micro avg", "micro"), ("D", "DISEASE"), ("T", "TREATMENT")):
        expected = report.get(theirs, {"precision": 0, "recall": 0, "f1-score": 0, "support": 0})
        found = ours[name]
        assert found["support"] == expected["support"]
        assert numbers(found) == pytest.approx([expected["precision"], expected["recall"], expected["f1-score"]])


def test_exact_spans_agree_with_nervaluate():
    from nervaluate.evaluator import Evaluator

    random = np.random.default_rng(5)
    pairs = [tuple(list(random.choice(list("OOODT"), 15)) for _ in range(2)) for _ in range(60)]
    evaluator = Evaluator([bio(a) for a, _ in pairs], [bio(b) for _, b in pairs], tags=["D", "T"], loader="list")
    strict = evaluator.evaluate()["overall"]["strict"]
    ours = scored(pairs)["exact_span"]["micro"]
    assert ours["f1"] > 0.05
    assert [ours["precision"], ours["recall"], ours["f1"]] == pytest.approx(
        [strict.precision, strict.recall, strict.f1], abs=1e-9
    )


@settings(max_examples=50)
@given(tag_lists)
def test_tokens_agree_with_scikit_learn(pairs):
    from sklearn.metrics import f1_score, precision_recall_fscore_support

    left = [tag for tags, _ in pairs for tag in tags]
    right = [tag for _, tags in judgeable(pairs) for tag in tags]
    ours = scored(pairs)["token"]
    weighted = f1_score(left, right, labels=["O", "D", "T"], average="weighted", zero_division=0)
    assert ours["weighted_f1_with_o"] == pytest.approx(weighted)
    table = precision_recall_fscore_support(left, right, labels=["D", "T"], zero_division=0)
    for column, label in enumerate(("DISEASE", "TREATMENT")):
        expected = [float(row[column]) for row in table]
        assert [*numbers(ours[label]), ours[label]["support"]] == pytest.approx(expected)


def test_the_shape_that_scripts_rely_on():
    result = score([note_of("DDOT")], gold([note_of("DDOT")]), training_mentions=[])
    assert list(result["exact_span"]) == ["micro", "DISEASE", "TREATMENT"]
    assert list(result["token"]) == ["DISEASE", "TREATMENT", "weighted_f1_with_o"]
    for found in (*result["exact_span"].values(), result["token"]["DISEASE"], result["seen"], result["unseen"]):
        assert list(found)[:4] == ["precision", "recall", "f1", "support"]
    assert result["notes"] == 1


def test_predicting_nothing_scores_high_only_on_the_figure_nobody_may_gate_on():
    result = score([note_of("O" * 8 + "DT")], [Prediction(())])
    assert result["exact_span"]["micro"]["f1"] == 0
    assert result["token"]["weighted_f1_with_o"] > 0.7


def test_seen_and_unseen_strings_are_told_apart_by_their_hash():
    notes = [note_of("DOD", ["Fever", "and", "cough"]), note_of("DOT", ["rash", "on", "aspirin"])]
    predicted = [Prediction((Span(0, 5, D),)), Prediction((Span(0, 4, D), Span(8, 15, D)))]
    result = score(notes, predicted, mention_digests([note_of("DOT", ["fever", "on", "ASPIRIN"])]))
    assert result["seen"]["support"] == 2
    assert result["seen"]["recall"] == 0.5
    assert result["seen"]["precision"] == 0.5
    assert result["unseen"]["support"] == 2
    assert result["unseen"]["recall"] == 0.5
    assert result["unseen"]["precision"] == 1.0
    assert result["seen"]["TREATMENT"]["recall"] == 0.0


def test_without_training_mentions_seen_is_unknown_rather_than_zero():
    assert scored([("D", "D")])["seen"] is None


def test_hash_of_a_mention_ignores_case_and_spaces_only():
    assert mention_digest("Type 2  Diabetes") == mention_digest("type 2 diabetes")
    assert mention_digest("type 1 diabetes") != mention_digest("type 2 diabetes")


def test_one_label_only_is_scored_and_said():
    result = score([note_of("DOO")] * 10, gold([note_of("DOO")] * 10))
    assert result["exact_span"]["DISEASE"]["f1"] == 1.0
    assert result["exact_span"]["TREATMENT"] == {"precision": None, "recall": None, "f1": None, "support": 0}
    assert any("no TREATMENT is annotated" in remark for remark in result["remarks"])
    assert any("only 10 notes" in remark for remark in result["remarks"])


def test_a_token_takes_the_label_that_covers_most_of_it():
    tokens = [(0, 3), (4, 14)]
    assert token_labels(tokens, [Span(4, 7, T), Span(8, 14, D)]) == ["O", "DISEASE"]
    assert token_labels(tokens, [Span(0, 1, T)]) == ["TREATMENT", "O"]


def test_given_tokens_win_over_ours():
    note = note_of("DO", ["T2DM/HTN", "."])
    assert given_tokens(note) == [(0, 8), (9, 10)]


def test_pairs_are_scored_by_place_not_by_index():
    text = "fever: paracetamol, rash"
    spans = (Span(0, 5, D), Span(7, 18, T), Span(20, 24, D))
    note = AnnotatedNote(text, spans, ((1, 0),))
    shifted = Prediction((spans[1], spans[0]), None, ((0, 1),))
    assert score([note], [shifted])["pairs"]["f1"] == 1.0
    assert score([note], [Prediction(spans, None, ((1, 2),))])["pairs"]["recall"] == 0.0


def test_calibration_needs_confidences():
    note = note_of("DOT")
    sure = Prediction(tuple(note.spans), (0.9, 0.7))
    assert score([note], [sure])["calibration"]["ece"] == pytest.approx(0.2)
    assert "calibration" not in scored([("D", "D")])


def test_one_prediction_a_note():
    with pytest.raises(ValueError, match="2 notes but 1 predictions"):
        score([note_of("D")] * 2, [Prediction(())])


def test_a_label_that_a_set_does_not_annotate_is_in_no_sum():
    notes = [note_of("DOO"), note_of("OOO")]
    everything = [Prediction((Span(0, 2, D), Span(3, 5, T)), (0.9, 0.8)), Prediction((Span(6, 8, T),), (0.7,))]
    diseases = [Prediction((Span(0, 2, D),), (0.9,)), Prediction((), ())]
    found, expected = score(notes, everything, []), score(notes, diseases, [])
    for name in ("exact_span", "overlap", "seen", "unseen", "calibration"):
        assert found[name] == expected[name], name
    assert found["annotated"] == ["DISEASE"]
    assert found["predicted"] == {"DISEASE": 1, "TREATMENT": 2}
    assert found["without_gold"] == {
        "notes": 1, "notes_with_predictions": 1, "predicted": {"DISEASE": 0, "TREATMENT": 1},
    }  # fmt: skip


def test_a_note_annotated_for_one_label_alone_is_unknown_for_the_other():
    whole = note_of("DOT")
    partial = AnnotatedNote(whole.text, (whole.spans[0],), meta={**whole.meta, "annotates": "DISEASE"})
    found = score([whole, partial], gold([whole, whole]))
    assert found["exact_span"]["micro"] == {"precision": 1.0, "recall": 1.0, "f1": 1.0, "support": 3}
    assert found["exact_span"]["TREATMENT"]["support"] == 1


def test_what_is_predicted_where_nothing_is_annotated_counts_against_precision():
    found = score([note_of("DOO"), note_of("OOO")], [Prediction((Span(0, 2, D),)), Prediction((Span(0, 2, D),))])
    assert found["exact_span"]["DISEASE"]["precision"] == 0.5
    assert found["without_gold"]["predicted"]["DISEASE"] == 1


def test_overlap_stands_beside_exact():
    note = note_of("DDOOT")
    found = score([note], [Prediction((Span(0, 2, D), Span(9, 11, T)))])
    assert found["exact_span"]["micro"]["f1"] == 0.0
    assert found["overlap"]["DISEASE"] == {"precision": 1.0, "recall": 1.0, "f1": 1.0, "support": 1}
    assert found["overlap"]["TREATMENT"]["f1"] == 0.0


def test_scores_by_source_and_specialty():
    notes = [
        AnnotatedNote(note.text, note.spans, meta={**note.meta, "source": source, "specialty": "cardiology"})
        for note, source in ((note_of("DO"), "a"), (note_of("DO"), "b"))
    ]
    found = score(notes, [gold(notes)[0], Prediction(())])["by"]
    assert [found["source"][name]["exact_span"]["micro"]["f1"] for name in "ab"] == [1.0, 0.0]
    assert found["specialty"]["cardiology"]["notes"] == 2
    assert score([note_of("DO")], [Prediction(())])["by"] == {}
