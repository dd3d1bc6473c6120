"""Identity, splits, description and checks of data sets."""

from __future__ import annotations

import dataclasses
import random
import string

import pytest
from clinical_ner.dataset_checks import check, consistency
from clinical_ner.dataset_description import describe
from clinical_ner.dataset_duplicates import duplicates, leakage
from clinical_ner.dataset_suspects import suspects
from clinical_ner.datasets import digest, folds, holdout
from clinical_ner.notes import AnnotatedNote, Label, Span

D, T = Label.DISEASE, Label.TREATMENT


def annotated(text, note_id="", group=""):
    """Read `[D type 2 diabetes] on [T metformin]` as a note."""
    plain, spans = "", []
    for part in text.replace("]", "[").split("["):
        marked = part.startswith(("D ", "T "))
        if marked:
            spans.append(Span(len(plain), len(plain) + len(part) - 2, D if part[0] == "D" else T))
        plain += part[2:] if marked else part
    return AnnotatedNote(plain, tuple(spans), note_id=note_id, group=group)


NOTES = [
    annotated("[D fever] treated with [T paracetamol] 500 mg", "a"),
    annotated("known case of [D type 2 diabetes] on [T metformin]", "b"),
    annotated("review after two weeks", "c"),
]


class TestDigest:
    def test_ids_order_and_given_tokens_do_not_count(self):
        other = [dataclasses.replace(note, note_id="x", meta={"token_offsets": "0:1"}) for note in reversed(NOTES)]
        assert digest(other) == digest(NOTES)

    @pytest.mark.parametrize(
        "changed",
        [
            NOTES[:2],
            [*NOTES, NOTES[0]],
            [annotated("[D fever] treated with paracetamol 500 mg"), *NOTES[1:]],
            [annotated("[T fever] treated with [T paracetamol] 500 mg"), *NOTES[1:]],
            [annotated("[D fever] treated with [T paracetamol] 501 mg"), *NOTES[1:]],
            [dataclasses.replace(NOTES[0], pairs=((1, 0),)), *NOTES[1:]],
        ],
    )
    def test_whatever_a_model_could_see_counts(self, changed):
        assert digest(changed) != digest(NOTES)

    def test_order_of_spans_does_not_count_but_pairs_follow_them(self):
        note = dataclasses.replace(NOTES[0], pairs=((1, 0),))
        turned = dataclasses.replace(note, spans=note.spans[::-1], pairs=((0, 1),))
        assert digest([turned]) == digest([note])
        assert digest([dataclasses.replace(turned, pairs=((1, 0),))]) != digest([note])


class TestFolds:
    def notes(self):
        made = [annotated(f"note {index} about [D fever {index}]", group=f"g{index // 3}") for index in range(30)]
        return [*made, annotated("NOTE 0 about  [D fever 0]")]

    def test_every_note_is_held_out_once_and_the_rest_trains(self):
        found = folds(self.notes(), 5, seed=1)
        assert sorted(index for _, held in found for index in held) == list(range(31))
        for train, held in found:
            assert sorted([*train, *held]) == list(range(31))
            assert 3 <= len(held) <= 9

    def test_documents_and_equal_texts_stay_together(self):
        notes = self.notes()
        for train, held in folds(notes, 5, seed=1):
            assert not {notes[i].group for i in train} & {notes[i].group for i in held} - {""}
            assert (0 in held) == (30 in held)

    def test_the_seed_decides(self):
        assert folds(self.notes(), 5, 1) == folds(self.notes(), 5, 1) != folds(self.notes(), 5, 2)

    def test_too_few_notes_are_refused(self):
        with pytest.raises(ValueError, match="3 independent notes cannot be split into 5 folds"):
            folds(NOTES, 5)

    def test_holdout(self):
        train, held = holdout(self.notes(), 0.2)
        assert 3 <= len(held) <= 9
        assert not set(train) & set(held)


class TestDescription:
    def test_counts(self):
        found = describe(NOTES)
        assert (found["notes"], found["notes_without_entity"]) == (3, 1)
        assert found["labels"]["DISEASE"]["mentions"] == 2
        assert found["labels"]["DISEASE"]["tokens"] == 4
        assert found["labels"]["TREATMENT"]["most_frequent"][0] == {"text": "paracetamol", "mentions": 1}
        assert found["tokens"] == 6 + 8 + 4

    def test_what_is_missing_is_said(self):
        remarks = " ".join(describe([annotated("[D fever]")])["remarks"])
        assert "only 1 note:" in remarks
        assert "no TREATMENT is annotated" in remarks

    def test_nothing_is_said_of_a_healthy_set(self):
        healthy = [annotated(f"[D fever] {index} got [T rest]") for index in range(200)]
        assert describe(healthy)["remarks"] == []


class TestDuplicates:
    long = "patient with {} since two weeks , no relief with rest , advised review after three days in clinic"

    def test_exact_and_near(self):
        notes = [
            annotated(self.long.format("fever")),
            annotated("something else entirely was written here today"),
            annotated(self.long.format("fever").upper()),
            annotated(self.long.format("cough")),
        ]
        found = [(pair.first, pair.second, pair.exact) for pair in duplicates(notes)]
        assert found == [(0, 2, True), (0, 3, False)]

    def test_short_notes_are_never_near(self):
        assert duplicates([annotated("no fever today"), annotated("no cough today")]) == []

    def test_leakage_names_both_sides(self):
        train = [annotated("x y z"), annotated(self.long.format("[D fever]"))]
        test = [annotated("a b c"), annotated(self.long.format("fever"))]
        (pair,) = leakage(train, test)
        assert (pair.first, pair.second, pair.exact, pair.same_spans) == (1, 1, True, False)

    def test_five_thousand_alike_notes_stay_fast(self):
        random.seed(1)
        words = ["".join(random.choices(string.ascii_lowercase, k=5)) for _ in range(300)]
        notes = [
            annotated("the patient was seen in clinic " + " ".join(random.choices(words, k=20))) for _ in range(5000)
        ]
        assert duplicates(notes) == []


class TestSuspects:
    def reasons(self, *texts):
        return {(found.text, found.reason) for found in suspects([annotated(text) for text in texts])}

    def test_a_rare_label_of_a_common_string(self):
        found = self.reasons(*["on [T dialysis] today"] * 5, "on [D dialysis] today")
        assert ("dialysis", "DISEASE here, TREATMENT in 5 of its 6 places") in found

    def test_a_place_that_was_forgotten(self):
        found = self.reasons(*["has [D fever] today"] * 5, "has Fever today")
        assert ("Fever", "not annotated here, DISEASE in 5 of its 6 places") in found

    def test_a_common_word_annotated_once(self):
        found = self.reasons(*["seen by the doctor"] * 5, "seen by the [T doctor]")
        assert ("doctor", "TREATMENT here, not annotated in 5 of its 6 places") in found

    def test_a_part_of_a_longer_mention_is_no_forgotten_place(self):
        assert not self.reasons(*["has [D pain] now"] * 4, "has [D back pain] now")

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("[D cancer of] lung", "ends with 'of'"),
            ("[D the flu] again", "begins with 'the'"),
            ("[T 500] mg", "holds no letter"),
            ("[D carcinoma (left] lung)", "a bracket is cut off"),
            ("[D fever ,] cough", "ends with punctuation"),
            ("[D fever ]today", "begins or ends with a blank"),
            ("[D fever] [T rest]", "touches another label: is the boundary right?"),
            ("[D a1 b c d e f g h i j k l m]", "13 words long"),
        ],
    )
    def test_odd_forms(self, text, reason):
        assert reason in {found for _, found in self.reasons(text)}

    def test_good_annotations_are_left_alone(self):
        assert suspects(NOTES) == []


class TestCheck:
    def test_consistency_counts_strings_and_places(self):
        notes = [annotated("[D rash] [T rash] rash"), annotated("[D fever] fever"), annotated("[D cough]")]
        found = consistency(notes)
        assert (found["strings"], found["repeated"], found["two_labels"], found["sometimes_unlabelled"]) == (3, 2, 1, 2)
        assert found["inconsistent"][0] == {"text": "rash", "counts": {"DISEASE": 1, "TREATMENT": 1, "O": 1}}

    def test_all_of_it(self):
        found = check(NOTES, {"test": [NOTES[0], annotated("new [D gout]")]})
        leak = found["leakage"]["test"]
        assert (leak["exact"], leak["near"], leak["notes"]) == (1, 0, 2)
        assert (leak["mention_strings"], leak["mention_strings_also_in_train"]) == (3, 2)
        assert found["digest"] == digest(NOTES)
