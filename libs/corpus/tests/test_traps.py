"""What files of others do to whoever trusts them: each trap is repaired where that is certain, and said, or refused with all its lines."""

from __future__ import annotations

import json
import zlib

import pytest
from clinical_ner.notes import AnnotatedNote

SENTENCES = (
    ("She has gout and takes colchicine daily.", "gout"),
    ("Dengue was treated with paracetamol at home.", "Dengue"),
    ("Known asthma on inhaled budesonide.", "asthma"),
    ("Hypertension controlled on telmisartan 40.", "Hypertension"),
    ("Typhoid fever, given ceftriaxone for 7 days.", "Typhoid fever"),
    ("Migraine eased after sumatriptan.", "Migraine"),
)


def marked(note):
    return [note.text[span.start : span.end] for span in note.spans]


def lines(*records):
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)


def counted(move, sentences=SENTENCES, *, texted=False):
    """Lines whose offsets are those of the words, moved by `move(text, start, end)`."""
    records = []
    for text, words in sentences:
        start = text.index(words)
        left, right = move(text, start, start + len(words))
        span = {"start": left, "end": right, "label": "DISEASE", **({"text": words} if texted else {})}
        records.append({"text": text, "spans": [span]})
    return lines(*records)


def utf16(text, start, end):
    return tuple(len(text[:place].encode("utf-16-le")) // 2 for place in (start, end))


def octets(text, start, end):
    return tuple(len(text[:place].encode()) for place in (start, end))


EMOJI = tuple((f"😷🙂 {text}", words) for text, words in SENTENCES)
HINDI = tuple((f"रोगी को बुखार है। {text}", words) for text, words in SENTENCES)


WAYS = {
    "the end included": (lambda _, start, end: (start, end - 1), SENTENCES),
    "from 1": (lambda _, start, end: (start + 1, end + 1), SENTENCES),
    "the end included, from 1": (lambda _, start, end: (start + 1, end), SENTENCES),
    "in UTF-16 units": (utf16, EMOJI),
    "in bytes of UTF-8": (octets, HINDI),
}


class TestOffsets:
    @pytest.mark.parametrize("how", WAYS)
    @pytest.mark.parametrize("texted", [True, False])
    def test_a_way_of_counting_that_fits_all_is_taken_and_said(self, write, take, how, texted):
        move, sentences = WAYS[how]
        reading, notes = take(write("a.jsonl", counted(move, sentences, texted=texted)))
        assert [marked(note) for note in notes] == [[words] for _, words in sentences]
        assert any(
            "6 of 6 spans fit no words" in remark and remark.endswith(f"read {how}") for remark in reading.remarks
        )

    def test_right_offsets_are_left_alone_without_a_word(self, write, take):
        for sentences in (SENTENCES, EMOJI, HINDI):
            reading, notes = take(write("a.jsonl", counted(lambda _, *places: places, sentences)))
            assert [marked(note) for note in notes] == [[words] for _, words in sentences]
            assert reading.remarks == []

    def test_one_sentence_proves_nothing_and_is_asked_about(self, write, take, refused):
        path = write("a.jsonl", counted(lambda _, start, end: (start, end - 1), SENTENCES[:1]))
        message = refused(path)
        assert "a.jsonl:1: 1 of 1 spans begin or end inside a word" in message
        assert "--offsets codepoints,inclusive" in message
        assert [marked(note) for note in take(path, offsets="codepoints,inclusive")[1]] == [["gout"]]
        assert [marked(note) for note in take(path, offsets="codepoints")[1]] == [["gou"]]

    def test_spans_that_cut_words_in_no_common_way_are_refused_with_all_lines(self, write, refused):
        shifts = iter((1, -2, 3, 1, -3, 2))

        def move(_, start, end):
            by = next(shifts)
            return max(0, start + by), end + by + 1

        message = refused(write("a.jsonl", counted(move)))
        assert "spans begin or end inside a word: are the ends inclusive" in message
        assert "a.jsonl:1-6:" in message

    def test_a_slip_among_many_is_taken_and_said_with_its_line(self, write, take):
        text = counted(lambda _, *places: places, SENTENCES * 3).splitlines(keepends=True)
        text[4] = text[4].replace('"end": 13', '"end": 11')
        reading, notes = take(write("a.jsonl", "".join(text)))
        assert marked(notes[4]) == ["Typhoid fev"]
        assert "spans that begin or end inside a word, taken as they stand: 1 (a.jsonl:5)" in reading.remarks

    def test_words_that_contradict_their_offsets(self, write, take, refused):
        good, bad = ({"text": t, "spans": [{"start": s, "end": e, "label": "D", "text": w}]} for t, s, e, w in (
            ("Known asthma.", 6, 12, "asthma"), ("On gout, no asthma.", 3, 7, "asthma"),
        ))  # fmt: skip
        path = write("a.jsonl", lines(good, bad, bad))
        message = refused(path)
        assert "a.jsonl:2-3: the file says 'asthma' but its offsets [3, 7) cover 'gout'" in message
        reading, notes = take(path, repair=True)
        assert marked(notes[1]) == ["asthma"]
        assert "spans put where their words stand: 2 (a.jsonl:2-3)" in reading.remarks

    def test_scripts_without_blanks_are_not_suspected(self, write, take):
        reading, notes = take(write("a.jsonl", lines(*[{"text": "患者有糖尿病史", "spans": [[3, 6, "D"]]}] * 6)))
        assert marked(notes[0]) == ["糖尿病"]
        assert reading.remarks == []

    def test_vowel_signs_belong_to_their_word(self, write, take):
        reading, notes = take(write("a.jsonl", lines(*[{"text": "उसे मधुमेह है", "spans": [[4, 10, "D"]]}] * 6)))
        assert marked(notes[0]) == ["मधुमेह"]
        assert reading.remarks == []

    def test_an_unknown_way_of_counting_is_named(self, write, refused):
        assert "is no way of counting" in refused(write("a.jsonl", counted(lambda _, *p: p)), offsets="feet")


FOREIGN = {
    "text": "Known asthma on budesonide, CXR normal.",
    "label": [[6, 12, "PROBLEM"], [16, 26, "DRUG"], [28, 31, "TEST"]],
}


class TestLabels:
    def test_unknown_ones_are_named_with_all_lines_and_an_option_to_decide(self, write, refused):
        message = refused(write("a.jsonl", lines(FOREIGN, FOREIGN)))
        for label in ("PROBLEM", "DRUG", "TEST"):
            assert f"a.jsonl:1-2: unknown label '{label}'" in message
        assert "--map DRUG=TREATMENT,PROBLEM=DISEASE,TEST=-" in message

    def test_a_map_decides(self, write, take):
        reading, (note,) = take(write("a.jsonl", lines(FOREIGN)), map="PROBLEM=DISEASE,drug=TREATMENT,TEST=-")
        assert [(str(span.label), note.text[span.start : span.end]) for span in note.spans] == [
            ("DISEASE", "asthma"), ("TREATMENT", "budesonide"),
        ]  # fmt: skip
        assert reading.remarks == ["labels left out as asked: TEST (1)"]
        assert len(take(write("a.jsonl", lines(FOREIGN)), map="PROBLEM=DISEASE,*=-")[1][0].spans) == 1

    def test_labels_in_devanagari(self, write, take, refused):
        record = {"text": "उसे मधुमेह है", "spans": [[4, 10, "रोग"]]}
        path = write("a.jsonl", lines(record))
        assert "unknown label 'रोग'" in refused(path)
        assert marked(take(path, map="रोग=DISEASE")[1][0]) == ["मधुमेह"]
        conll = write("a.conll", "उसे\tO\nमधुमेह\tB-रोग\nहै\tO\n")
        assert marked(take(conll, map="रोग=DISEASE")[1][0]) == ["मधुमेह"]

    @pytest.mark.parametrize("given", ["PROBLEM=ILLNESS", "PROBLEM=X-"])
    def test_a_target_that_is_none_is_named(self, write, refused, given):
        assert "is no target" in refused(write("a.jsonl", lines(FOREIGN)), map=given)

    def test_words_in_the_place_of_labels_are_not_listed_one_by_one(self, write, refused):
        text = "".join(f"word{place}\tlabel{place}\n" for place in range(500))
        message = refused(write("a.tsv", text))
        assert message.count("\n") < 30
        assert "500 different names: are these labels at all?" in message


class TestKeys:
    def test_an_empty_key_beside_a_filled_one(self, write, take):
        reading, (note,) = take(
            write("a.jsonl", lines({"text": "Known asthma, stable.", "entities": [], "label": [[6, 12, "D"]]}))
        )
        assert marked(note) == ["asthma"]
        assert 'two keys for spans: the filled "label" was taken' in reading.remarks[0]

    def test_two_filled_keys_that_differ(self, write, take, refused):
        record = {"text": "Known asthma, gout.", "entities": [[6, 12, "D"]], "label": [[14, 18, "D"]]}
        assert '"entities" and "label" hold different spans' in refused(write("a.jsonl", lines(record)))
        assert marked(take(write("a.jsonl", lines({**record, "label": [[6, 12, "D"]]})))[1][0]) == ["asthma"]

    def test_one_key_twice_in_an_object(self, write, refused):
        assert "the key 'spans' stands twice" in refused(
            write("a.jsonl", '{"text": "gout", "spans": [], "spans": [[0, 4, "D"]]}')
        )


class TestAnswers:
    def example(self, answer, **more):
        return {
            "text": "Known asthma.",
            "spans": [{"start": 6, "end": 12, "label": "DISEASE"}],
            "answer": answer,
            **more,
        }

    def test_rejected_and_ignored_examples_are_no_annotation(self, write, take):
        reading, notes = take(write("a.jsonl", lines(*map(self.example, ("accept", "reject", "ignore", "reject")))))
        assert len(notes) == 1
        assert 'examples answered "reject", left out: 2 (a.jsonl:2, 4)' in reading.remarks
        assert 'examples answered "ignore", left out: 1 (a.jsonl:3)' in reading.remarks

    def test_binary_answers_judge_one_span_alone(self, write, take):
        reading, notes = take(write("a.jsonl", lines(self.example("accept", _view_id="ner"), self.example("accept"))))
        assert len(notes) == 1
        assert any("binary answers, left out" in remark for remark in reading.remarks)

    def test_nothing_accepted(self, write, refused):
        assert 'examples answered "reject", left out: 1' in refused(write("a.jsonl", lines(self.example("reject"))))

    def test_tasks_nobody_annotated_and_those_that_were_skipped(self, write, take):
        result = [{"type": "labels", "value": {"start": 6, "end": 12, "text": "asthma", "labels": ["DISEASE"]}}]
        task = {"data": {"text": "Known asthma."}}
        tasks = [
            {**task, "annotations": [{"result": result}]}, {**task, "annotations": [], "predictions": [{"result": result}]},
            {**task, "annotations": [{"result": result, "was_cancelled": True}]}, {**task, "annotations": [{"result": []}]},
        ]  # fmt: skip
        reading, notes = take(write("a.json", json.dumps(tasks)))
        assert [len(note.spans) for note in notes] == [1, 0]
        assert any("tasks without an annotation, left out" in remark for remark in reading.remarks)


class TestAnnotators:
    def task(self, *labels):
        return {"id": 1, "data": {"text": "Known asthma."}, "annotations": [
            {"result": [{"type": "labels", "value": {"start": 6, "end": 12, "text": "asthma", "labels": [label]}}]} for label in labels
        ]}  # fmt: skip

    def test_annotations_of_one_task_that_contradict_each_other(self, write, take, refused):
        path = write("a.json", json.dumps([self.task("DISEASE", "DISEASE")]))
        assert len(take(path)[1]) == 1
        task = self.task("DISEASE", "TREATMENT")
        assert "2 annotations of one task contradict" in refused(write("a.json", json.dumps([task])))
        task["annotations"][0]["ground_truth"] = True
        assert str(take(write("a.json", json.dumps([task])))[1][0].spans[0].label) == "DISEASE"

    def test_one_note_by_two_annotators(self, write, take, refused):
        one = {"id": 7, "text": "Known asthma, gout.", "label": [[6, 12, "D"]], "annotator": "asha"}
        other = {**one, "label": [[14, 18, "D"]], "annotator": "ravi"}
        path = write("a.jsonl", lines(one, {**one, "id": 8}, other))
        message = refused(path)
        assert "a.jsonl:1, 3: one note (same id, same text) is annotated in different ways" in message
        assert [marked(note) for note in take(path, annotator="ravi")[1]] == [["gout"]]

    def test_one_note_twice_alike_is_taken_once(self, write, take):
        one = {"id": 7, "text": "Known asthma.", "label": [[6, 12, "D"]]}
        reading, notes = take(write("a.jsonl", lines(one, one)))
        assert len(notes) == 1
        assert "notes that stand twice with equal annotations, taken once: 1 (a.jsonl:2)" in reading.remarks

    def test_one_text_twice_under_no_name_is_kept_and_said(self, write, take):
        reading, notes = take(
            write("a.jsonl", lines({"text": "gout", "spans": []}, {"text": "gout", "spans": [[0, 4, "D"]]}))
        )
        assert len(notes) == 2
        assert any("annotated in more than one way" in remark for remark in reading.remarks)


class TestSpans:
    def test_equal_spans_are_one_and_nested_ones_give_way(self, write, take):
        spans = [[0, 24, "D"], [0, 24, "D"], [13, 24, "D"]]
        reading, (note,) = take(write("a.jsonl", lines({"text": "deep venous, thrombosis.", "spans": spans})))
        assert len(note.spans) == 1
        assert "repeated spans, merged: 1 (a.jsonl:1)" in reading.remarks
        assert "spans inside another, left out (the outer one is kept): 1 (a.jsonl:1)" in reading.remarks

    def test_spans_that_cross_are_refused_or_the_longest_kept(self, write, take, refused):
        record = {"text": "acute renal failure", "spans": [[0, 11, "D"], [6, 19, "D"]]}
        path = write("a.jsonl", lines(record))
        assert "spans [0, 11) and [6, 19) overlap" in refused(path)
        assert marked(take(path, overlaps="longest")[1][0]) == ["renal failure"]

    def test_one_place_with_two_labels_is_refused(self, write, refused):
        assert "is annotated as DISEASE and as TREATMENT" in refused(
            write("a.jsonl", lines({"text": "gout", "spans": [[0, 4, "D"], [0, 4, "T"]]}))
        )

    def test_blanks_at_the_edges_are_trimmed(self, write, take):
        reading, (note,) = take(write("a.jsonl", lines({"text": "Known asthma today", "spans": [[5, 13, "D"]]})))
        assert marked(note) == ["asthma"]
        assert "spans with blanks at their edges, trimmed: 1 (a.jsonl:1)" in reading.remarks

    def test_every_fault_is_told_with_every_line(self, write, refused):
        bad = {"text": "gout", "spans": [[0, 99, "D"]]}
        path = write(
            "a.jsonl", lines(bad, {"text": "gout", "spans": []}, bad, bad) + "{\n" + lines({"text": "", "spans": []})
        )
        message = refused(path)
        assert message.startswith("5 faults, nothing was read:")
        for place in ("a.jsonl:1, 3-4: span [0, 99)", "a.jsonl:5: not JSON", 'a.jsonl:6: "text" is empty'):
            assert place in message


class TestColumns:
    def test_punctuation_that_nobody_took_off_is_no_part_of_a_name(self, write, take):
        reading, (note,) = take(write("a.conll", "Known O\nasthma, B-D\n(COPD) B-D\non O\niron. B-T\n"))
        assert marked(note) == ["asthma", "COPD", "iron"]
        assert "spans with punctuation glued to their last word, trimmed: 3" in reading.remarks[-1]

    def test_where_marks_stand_alone_a_mark_in_a_word_is_the_words_own(self, write, take):
        reading, (note,) = take(write("a.conll", "Inj. B-T\niron I-T\n, O\nH. B-D\npylori I-D\n"))
        assert marked(note) == ["Inj. iron", "H. pylori"]
        assert reading.remarks == []

    @pytest.mark.parametrize("first", ["1\t{}\tX\t{}\n", "0\t{}\tX\t{}\n"])
    def test_an_index_column_is_no_word(self, write, take, first):
        start = int(first[0])
        rows = "".join(
            f"{start + place}\t{word}\tX\t{tag}\n"
            for place, (word, tag) in enumerate((("known", "O"), ("asthma", "B-D")))
        )
        reading, notes = take(write("a.tsv", rows + "\n" + rows))
        assert [note.text for note in notes] == ["known asthma"] * 2
        assert "a.tsv: the first column counts the tokens, the words are read from the second" in reading.remarks

    def test_a_header_and_labels_that_are_not_last(self, write, take):
        reading, (note,) = take(write("a.tsv", "token\ttag\nasthma\tB-D\n"))
        assert note.text == "asthma"
        assert "a.tsv: the first line names the columns" in reading.remarks
        reading, (note,) = take(write("b.tsv", "asthma\tB-D\t0.93\nmild\tO\t0.50\n"))
        assert marked(note) == ["asthma"]
        assert any("column 2 from the end" in remark for remark in reading.remarks)

    @pytest.mark.parametrize("end", ["\r\n", "\r"])
    def test_line_ends_of_other_systems(self, write, take, end):
        _, notes = take(write("a.tsv", end.join(["asthma\tB-D", "mild\tO", "", "gout\tB-D", ""])))
        assert [note.text for note in notes] == ["asthma mild", "gout"]


class TestEncodings:
    def test_utf_16_is_read_by_its_mark_and_said(self, write, take):
        reading, (note,) = take(
            write("a.jsonl", lines({"text": "naïve asthma", "spans": [[6, 12, "D"]]}).encode("utf-16"))
        )
        assert marked(note) == ["asthma"]
        assert reading.remarks == ["a.jsonl: is UTF-16, converted"]

    def test_another_encoding_is_refused_with_all_lines_or_named(self, write, take, refused):
        path = write("a.csv", "sentence_id,word,tag\n1,naïve,O\n1,asthma,B-DISEASE\n1,café,O\n".encode("windows-1252"))
        message = refused(path)
        assert "a.csv:2, 4: byte 0xef is not UTF-8" in message
        assert take(path, encoding="windows-1252")[1][0].text == "naïve asthma café"
        assert "is no encoding" in refused(path, encoding="klingon")

    def test_texts_that_were_decoded_wrongly_are_said(self, write, take):
        wrong = "naïve asthma – mild".encode().decode("windows-1252")
        reading, _ = take(write("a.jsonl", lines({"text": wrong, "spans": []})))
        assert any("wrong decoding" in remark for remark in reading.remarks)


class TestPartial:
    def test_a_file_of_one_label_among_others_is_unknown_for_the_other(self, write, take):
        write("a.jsonl", lines(*[{"text": "Known asthma on iron.", "spans": [[6, 12, "D"]]}] * 20))
        folder = write(
            "b.jsonl", lines({"text": "Known asthma on iron.", "spans": [[6, 12, "D"], [16, 20, "T"]]})
        ).parent
        reading, notes = take(folder)
        assert [note.meta.get("annotates") for note in notes] == ["DISEASE"] * 20 + [None]
        assert any(
            "a.jsonl annotates DISEASE alone: its 20 notes are unknown for TREATMENT" in remark
            for remark in reading.remarks
        )

    def test_its_user_says_so(self, write, take):
        _, (note,) = take(write("a.jsonl", lines({"text": "gout", "spans": [[0, 4, "D"]]})), annotates=("DISEASE",))
        assert note.meta["annotates"] == "DISEASE"


def test_a_docbin_whose_spans_stand_in_groups_is_not_read_as_empty(write, refused):
    from corpus.formats.docbin import write_docbin
    from corpus.formats.msgpack import pack, unpack

    plain = unpack(zlib.decompress(write_docbin([AnnotatedNote("Known asthma.", ())])))
    groups = write("a.spacy", zlib.compress(pack({**plain, "span_groups": [b"\x91\xc4\x01a"]})))
    assert "all its spans stand in span groups" in refused(groups)


def test_either_spelling_of_a_label_in_devanagari(write, take, refused):
    """A letter with a dot is one character or two: the file and the command line need not agree on which."""
    one, two = "पी\u095cा", "पी\u0921\u093cा"
    path = write("a.jsonl", lines({"text": "Known asthma, on insulin.", "spans": [[6, 12, one], [17, 24, "उपचार"]]}))
    assert f"--map उपचार=TREATMENT,{one}=-" in refused(path)
    _, (note,) = take(path, map=f"{two}=DISEASE,उपचार=TREATMENT")
    assert marked(note) == ["asthma", "insulin"]


def test_a_set_of_one_sentence(write, take):
    assert len(take(write("a.jsonl", lines({"text": "gout", "spans": [[0, 4, "D"]]})))[1]) == 1


@pytest.mark.slow
def test_memory_does_not_grow_with_the_file(tmp_path):
    """A list of tasks, eight times as long as another, is judged and handed out in about the same memory."""
    import subprocess
    import sys

    task = json.dumps({"text": "Known asthma on budesonide. " * 40, "spans": [[6, 12, "DISEASE"]]})
    code = (
        "import re, sys, pathlib, collections; from corpus.loaders import read; "
        "collections.deque(read(pathlib.Path(sys.argv[1])).notes(), 0); "
        "print(re.search(r'VmHWM:\\s+(\\d+)', pathlib.Path('/proc/self/status').read_text())[1])"
    )
    peaks = []
    for count in (2_000, 16_000):
        path = tmp_path / f"{count}.json"
        path.write_text("[" + ",\n".join([task] * count) + "]")
        peaks.append(
            int(subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True).stdout)
        )
    assert peaks[1] - peaks[0] < 8 * 1024, peaks
