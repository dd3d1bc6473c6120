"""Data sets of strangers: what is read, and the one line said about what is not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from clinical_ner.notes import AnnotatedNote, Label, Span, SpanMeaning
from corpus import generate
from corpus.formats.report import Report
from corpus.formats.resolve import ReadingOptions, resolve
from corpus.formats.token_records import note_of_tokens
from corpus.formats.vocabulary import Vocabulary
from corpus.loaders import DatasetError, Format, load, load_conll, load_jsonl, load_pairs, read
from corpus.loaders_jsonl import dump_jsonl
from hypothesis import given
from hypothesis import strategies as st

D, T = Label.DISEASE, Label.TREATMENT


def sentence_of(tokens, tags):
    """The note that token rows give, as every reader of tokens makes it."""
    found = note_of_tokens(Path("document"), 1, tokens, tags, Vocabulary())
    found.note_id, found.group = "id", "document"
    return resolve(found, ReadingOptions(Vocabulary()), Report())


TEXT = "Type 2 diabetes , started metformin"


@pytest.fixture
def write(tmp_path):
    def _write(name, content):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return _write


def column(*sentences):
    return "\n\n".join("\n".join(sentence.split()) for sentence in sentences) + "\n"


def refusal(call, *arguments):
    with pytest.raises(DatasetError) as caught:
        call(*arguments)
    message = str(caught.value)
    assert "\n" not in message or "faults, nothing was read:\n" in message
    assert ": " in message
    return message


class TestPairs:
    def test_tokens_are_joined_and_runs_become_spans(self, write):
        notes = load_pairs(write("s", column(TEXT, "Fever .")), write("l", column("D D D O O T", "D O")))
        assert [note.text for note in notes] == [TEXT, "Fever ."]
        assert notes[0].spans == (Span(0, 15, D), Span(26, 35, T))
        assert notes[0].meta["token_offsets"] == "0:4,5:6,7:15,16:17,18:25,26:35"
        assert [note.note_id for note in notes] == ["s:1", "s:8"]

    def test_windows_line_ends_byte_order_mark_and_spare_blank_lines_change_nothing(self, write):
        plain = load_pairs(write("s", column(TEXT, "Fever .")), write("l", column("D D D O O T", "D O")))
        sentences = (
            b"\xef\xbb\xbf\r\n" + column(TEXT, "Fever .").replace("\n\n", "\n \n\t\n").replace("\n", "\r\n").encode()
        )
        labels = column("D D D O O T", "D O").replace("\n", "\r\n").encode() + b"\r\n\r\n"
        other = load_pairs(write("s", sentences), write("l", labels))
        assert [(note.text, note.spans) for note in other] == [(note.text, note.spans) for note in plain]

    @pytest.mark.parametrize("label", ["D", "DISEASE", "disease", "B-D", "S-DISEASE", "U-Disease"])
    def test_names_of_labels(self, write, label):
        assert load_pairs(write("s", "Fever\n"), write("l", label))[0].spans == (Span(0, 5, D),)

    def test_an_unknown_label_is_told_with_its_line(self, write):
        message = refusal(load_pairs, write("s", column("a b", "c d")), write("l", column("O O", "O PROBLEM")))
        assert "l:5:" in message
        assert "'PROBLEM'" in message
        assert "known are" in message

    def test_different_token_counts_are_told_with_the_line_where_one_ends(self, write):
        message = refusal(load_pairs, write("s", column("a b", "c d e")), write("l", column("O O", "O O")))
        assert "s:6: sentence 2 has 3 tokens (from line 4) but 2 labels (l, from line 4)" in message

    def test_a_sentence_too_many_is_told(self, write):
        message = refusal(load_pairs, write("s", column("a", "b", "c")), write("l", column("O", "O")))
        assert "s:5: s has 3 sentences but l has 2" in message

    def test_swapped_files_are_guessed(self, write):
        message = refusal(load_pairs, write("l", column("O O")), write("s", column("a b")))
        assert "swapped" in message

    def test_columns_and_several_words_are_refused(self, write):
        labels = write("l", column("O"))
        assert "--sentences-format conll" in refusal(load_pairs, write("s", "a\tO\n"), labels)
        assert "one token a line" in refusal(load_pairs, write("s", "a b\n"), labels)


@pytest.mark.parametrize("position", [0, 1])
class TestFilesThatAreNoText:
    def refusal(self, write, position, content):
        good = [write("sentences", "a\n"), write("labels", "O\n")]
        good[position].write_bytes(content)
        return refusal(load_pairs, *good)

    @pytest.mark.parametrize("content", [b"", b"\n \n", b"\xef\xbb\xbf\n"])
    def test_empty(self, write, position, content):
        assert "is empty" in self.refusal(write, position, content)

    def test_latin_1(self, write, position):
        message = self.refusal(write, position, "a\n\nnaïve\n".encode("latin-1"))
        assert ":3: byte 0xef is not UTF-8" in message
        assert "iconv" in message

    def test_utf_16_is_read_by_its_mark(self, write, position):
        good = [write("sentences", "fever\n"), write("labels", "D\n")]
        good[position].write_bytes(good[position].read_text().encode("utf-16"))
        reading = read(*good)
        assert [note.spans for note in reading.notes()] == [(Span(0, 5, D),)]
        assert reading.remarks == [f"{good[position].name}: is UTF-16, converted"]

    def test_lone_surrogate_bytes(self, write, position):
        message = self.refusal(write, position, b"a\n\nb\xed\xa0\x80\n")
        assert ":3: a lone surrogate" in message

    def test_control_characters(self, write, position):
        assert ":2: a control character (U+0000)" in self.refusal(write, position, b"a\n\x00\n")

    def test_a_million_characters(self, write, position):
        assert ":1: one word of 1,000,000 characters" in self.refusal(write, position, b"x" * 1_000_000)


class TestPaths:
    def test_a_missing_file_and_a_folder(self, tmp_path):
        assert "no such file" in refusal(load_jsonl, tmp_path / "x.jsonl")
        assert "no annotated file" in refusal(load_jsonl, tmp_path)

    def test_the_format_follows_from_the_name(self, write):
        assert len(load(write("a.jsonl", '{"text": "a", "spans": []}\n'))) == 1
        assert len(load(write("a.tsv", "a\tO\n"))) == 1
        assert len(load(write("s", "a\n"), write("l", "O\n"))) == 1
        assert "cannot tell the format" in refusal(load, write("a.dat", "a\n"))

    def test_labels_belong_to_pairs_and_pairs_need_labels(self, write):
        data = write("a.tsv", "a\tO\n")
        assert "--labels" in refusal(load, data, None, Format.PAIRS)
        assert "leave --labels out" in refusal(load, data, data, Format.CONLL)


SCHEMES = {
    "IO": "I-D I-D O I-T",
    "IO bare": "D D O T",
    "BIO": "B-D I-D O B-T",
    "BIOES": "B-D E-D O S-T",
    "BILOU": "B-D L-D O U-T",
    "IOBES, long names": "B-DISEASE E-DISEASE O S-TREATMENT",
}


class TestConll:
    @pytest.mark.parametrize("tags", SCHEMES.values(), ids=SCHEMES)
    def test_every_scheme_gives_the_same_spans(self, write, tags):
        rows = zip(["renal", "failure", "on", "dialysis"], tags.split(), strict=True)
        note = load_conll(write("a.tsv", "".join(f"{token}\t{tag}\n" for token, tag in rows)))[0]
        assert note.spans == (Span(0, 13, D), Span(17, 25, T))

    @pytest.mark.parametrize("tags", ["B-D B-D", "S-D S-D", "B-D S-D", "E-D I-D", "U-D B-D"])
    def test_neighbours_stay_apart_where_the_scheme_says_so(self, tags):
        spans = sentence_of(["fever", "cough"], tags.split()).spans
        assert spans == (Span(0, 5, D), Span(6, 11, D))

    def test_middle_columns_comments_and_documents(self, write):
        text = "-DOCSTART- -X- O\n\n# text = x\nfever NN D\n\ncough NN D\n\n-DOCSTART- -X- O\n\n# NN O\n"
        notes = load_conll(write("a.conll", text))
        assert [(note.text, note.group) for note in notes] == [
            ("fever", "a.conll#1"),
            ("cough", "a.conll#1"),
            ("#", "a.conll#2"),
        ]

    def test_bad_rows_are_told(self, write):
        assert "a.tsv:2: no label" in refusal(load_conll, write("a.tsv", "a\tO\nb\n"))
        assert "a.tsv:2: unknown label 'X'" in refusal(load_conll, write("a.tsv", "a\tO\nb\tX\n"))
        assert "several words" in refusal(load_conll, write("a.tsv", "a b\tO\n"))
        assert "no note" in refusal(load_conll, write("a.tsv", "# a\n-DOCSTART-\tO\n"))


def line(**record):
    return json.dumps({"text": "fever, paracetamol", "spans": [], **record}) + "\n"


class TestJsonLines:
    def test_objects_and_triples_under_any_usual_key(self, write):
        expected = (Span(0, 5, D), Span(7, 18, T))
        objects = [{"start": 7, "end": 18, "label": "TREATMENT"}, {"start": 0, "end": 5, "label": "D"}]
        assert load_jsonl(write("a.jsonl", line(spans=objects)))[0].spans == expected
        for key in ("entities", "label", "labels"):
            text = json.dumps({"text": "fever, paracetamol", key: [[0, 5, "disease"], [7, 18, "T"]]})
            assert load_jsonl(write("a.jsonl", text))[0].spans == expected

    def test_pairs_follow_their_spans_when_these_are_sorted(self, write):
        text = line(spans=[[7, 18, "T"], [0, 5, "D"]], pairs=[[0, 1]])
        assert load_jsonl(write("a.jsonl", text))[0].pairs == ((1, 0),)

    @pytest.mark.parametrize(
        ("record", "said"),
        [
            ({"spans": [[0, 99, "D"]]}, "not inside the text of 18 characters"),
            ({"spans": [[-1, 3, "D"]]}, "not inside the text"),
            ({"spans": [[3, 3, "D"]]}, "not inside the text"),
            ({"spans": [[0, 5, "D"], [4, 8, "T"]]}, "overlap"),
            ({"spans": [[0, 5, "D"], [0, 5, "T"]]}, "annotated as DISEASE and as TREATMENT"),
            ({"spans": [[0, 5, "DRUG"]]}, "unknown label 'DRUG'"),
            ({"spans": [[0, 5, None]]}, "unknown label"),
            ({"spans": [[0.0, 5, "D"]]}, "whole numbers"),
            ({"spans": [[True, 5, "D"]]}, "whole numbers"),
            ({"spans": ["fever"]}, "a span must be"),
            ({"spans": {"start": 0}}, "must be a list"),
            ({"text": 3}, '"text" is missing'),
            ({"text": " "}, '"text" is empty'),
            ({"text": "a \ud800 b"}, "lone surrogate (U+D800)"),
            ({"text": "a\x00"}, "control character"),
            ({"text": "x" * 1_000_000}, "one word of 1,000,000 characters"),
            ({"note_id": "\udfff"}, "lone surrogate"),
            ({"note_id": []}, "must be a string"),
            ({"spans": [[0, 5, "D"]], "pairs": [[0, 0]]}, "does not name a treatment span"),
            ({"pairs": [1]}, '"pairs" must hold'),
            ({"meta": {"a": [1]}}, '"meta" must be'),
            ({"tokens": [[0, 5], [4, 6]]}, "before its predecessor"),
        ],
    )
    def test_each_mistake_is_one_line_with_its_place(self, write, record, said):
        message = refusal(load_jsonl, write("a.jsonl", line() + line(**record)))
        assert "a.jsonl:2: " in message
        assert said in message

    @pytest.mark.parametrize("text", ["{", "[]", "3", '{"text": "a"}', "[" * 100_000, '{"text": 1' + "0" * 5000 + "}"])
    def test_lines_that_are_no_note(self, write, text):
        assert "a.jsonl:1: " in refusal(load_jsonl, write("a.jsonl", text))

    def test_a_file_without_a_note(self, write):
        assert "is empty" in refusal(load_jsonl, write("a.jsonl", "\n"))


words = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Z")), min_size=1, max_size=8)
sentences = st.lists(st.tuples(words, st.sampled_from(["O", "B-D", "I-D", "E-D", "S-T", "T"])), min_size=1, max_size=12)


@given(sentences)
def test_canonical_lines_read_back_the_same(tmp_path_factory, rows):
    note = sentence_of([token for token, _ in rows], [tag for _, tag in rows])
    path = tmp_path_factory.mktemp("canonical") / "a.jsonl"
    path.write_text("\n".join(dump_jsonl([note])), encoding="utf-8")
    assert load_jsonl(path) == [note]


def test_pairs_and_meta_read_back_the_same(tmp_path):
    note = AnnotatedNote("fever, paracetamol", (Span(0, 5, D), Span(7, 18, T)), ((1, 0),), "n", "", {"city": "Pune"})
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(dump_jsonl([note])), encoding="utf-8")
    assert load_jsonl(path) == [note]


class TestWhatNotesSay:
    TEXT = "No DM. Tab aspirin BD for MI"
    SPANS = '[{"start": 3, "end": 5, "label": "D", "status": "NEGATED", "time": "CURRENT", "experiencer": "PATIENT"}, '

    def line(self, treatment="", relations="", more=""):
        spans = (
            self.SPANS
            + f'{{"start": 11, "end": 18, "label": "T"{treatment}}}, {{"start": 26, "end": 28, "label": "D"}}]'
        )
        return f'{{"text": "{self.TEXT}", "spans": {spans}{relations}{more}}}\n'

    def test_statuses_attributes_and_relations(self, write):
        path = write(
            "a.jsonl",
            self.line(
                ', "prescription": {"form": "tablet", "frequency": 2, "route": null}',
                ', "relations": [{"type": "TREATS", "treatment": 1, "disease": 2}]',
            ),
        )
        (note,) = load_jsonl(path)
        assert note.meanings == (
            SpanMeaning("NEGATED", "CURRENT", "PATIENT"),
            SpanMeaning(prescription={"form": "tablet", "frequency": 2}),
            SpanMeaning(),
        )
        assert note.relations == (("TREATS", 1, 2),)
        assert note.pairs == ((1, 2),)
        path.write_text("\n".join(dump_jsonl([note])), encoding="utf-8")
        assert load_jsonl(path) == [note]

    def test_no_relation_is_not_the_same_as_none_annotated(self, write):
        assert load_jsonl(write("a.jsonl", self.line()))[0].relations is None
        assert load_jsonl(write("b.jsonl", self.line(relations=', "relations": []')))[0].relations == ()

    def test_negation_as_in_the_negex_kit(self, write):
        row = '{"text": "No DM", "spans": [{"start": 3, "end": 5, "label": "DISEASE"}], "negation": "%s"}\n'
        notes = load_jsonl(write("a.jsonl", row % "Negated" + row % "Affirmed"))
        assert [note.meanings[0].negated for note in notes] == [True, False]

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            ({"treatment": ', "status": "ABSENT"'}, "unknown status 'ABSENT': known are UNKNOWN, PRESENT"),
            ({"treatment": ', "time": 3'}, "unknown time '3'"),
            ({"treatment": ', "negated": "no"'}, "must be true or false"),
            ({"treatment": ', "prescription": []'}, "must be an object"),
            ({"treatment": ', "prescription": {"colour": "red"}'}, "unknown attribute 'colour'"),
            ({"treatment": ', "prescription": {"frequency": "2"}'}, '"frequency" must be a whole number'),
            (
                {"relations": ', "relations": [{"type": "HEALS", "treatment": 1, "disease": 2}]'},
                "unknown type of a relation",
            ),
            ({"relations": ', "relations": [{"type": "TREATS", "treatment": 2, "disease": 1}]'}, "does not name"),
            ({"relations": ', "relations": [[1, 2]]'}, '"relations" must hold'),
            ({"more": ', "negation": "perhaps"'}, '"negation" must be'),
        ],
    )
    def test_unknown_words_are_one_clear_line(self, write, words, said):
        message = refusal(load_jsonl, write("a.jsonl", self.line(**words)))
        assert said in message
        assert "a.jsonl:1" in message

    def test_notes_of_the_corpus_read_back_the_same(self, tmp_path):
        notes = generate(1, 40, style="facts")
        path = tmp_path / "a.jsonl"
        path.write_text("\n".join(dump_jsonl(notes)), encoding="utf-8")
        assert load_jsonl(path) == notes

    def test_directions_with_units_a_day(self, write):
        (note,) = load(write("sigs.tsv", "sig\tmax_units_a_day\n1 tab twice daily\t2\n"))
        assert (note.text, note.meta["max_units_a_day"]) == ("drug 1 tab twice daily", "2")

    @pytest.mark.parametrize("rows", ["", "1 tab\n", "1 tab\ttwo\n", "\t2\n", "1 tab\tnan\n"])
    def test_directions_that_cannot_be_read(self, write, rows):
        assert "sigs.tsv" in refusal(load, write("sigs.tsv", "sig\tmax_units_a_day\n" + rows))
