"""Each tool's own file, written here in small, is recognised by what it holds and read for what it means."""

from __future__ import annotations

import json

import pytest

TEXT = "Known asthma on budesonide."
BOTH = [("D", "asthma"), ("T", "budesonide")]


def marked(note):
    return [(str(span.label)[0], note.text[span.start : span.end]) for span in note.spans]


def lines(*records):
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)


REGIONS = [
    {"start": 6, "end": 12, "text": "asthma", "labels": ["DISEASE"]},
    {"start": 16, "end": 26, "text": "budesonide", "labels": ["TREATMENT"]},
]
QUOTED = json.dumps(REGIONS).replace('"', '""')
RESULTS = [
    {"id": f"r{place}", "from_name": "label", "to_name": "text", "type": "labels", "value": region}
    for place, region in enumerate(REGIONS)
]
TASK = {"id": 1, "data": {"text": TEXT}, "annotations": [{"id": 1, "result": RESULTS}]}
SPANS = [
    {"start": 6, "end": 12, "label": "DISEASE", "token_start": 1, "token_end": 1},
    {"start": 16, "end": 26, "label": "TREATMENT", "token_start": 3, "token_end": 3},
]
OFFSETS = [[6, 12, "DISEASE"], [16, 26, "TREATMENT"]]
TOKENS, TAGS = ["Known", "asthma", "on", "budesonide", "."], ["O", "B-DISEASE", "O", "B-TREATMENT", "O"]
PASSAGE = {
    "offset": 10,
    "infons": {},
    "text": TEXT,
    "annotations": [
        {"id": "1", "infons": {"type": "Disease"}, "text": "asthma", "locations": [{"offset": 16, "length": 6}]},
        {"id": "2", "infons": {"type": "Treatment"}, "text": "budesonide", "locations": [{"offset": 26, "length": 10}]},
    ],
}
SPACY2 = {
    "id": 0,
    "paragraphs": [{"raw": TEXT, "sentences": [{"tokens": [
        {"orth": word, "ner": tag.replace("B-", "U-")} for word, tag in zip(TOKENS, TAGS, strict=True)
    ]}]}],
}  # fmt: skip
JSON_FILES = {
    "Label Studio JSON": ("a.json", json.dumps([TASK])),
    "Label Studio JSON, pretty": ("a.json", json.dumps([TASK], indent=2)),
    "Label Studio JSON, one task": ("a.json", json.dumps(TASK, indent=2)),
    "Label Studio JSON_MIN": ("a.json", json.dumps([{"id": 1, "text": TEXT, "ner": REGIONS, "annotation_id": 1}])),
    "doccano": ("a.jsonl", lines({"id": 1, "text": TEXT, "label": OFFSETS, "Comments": []})),
    "doccano, old": (
        "a.jsonl",
        lines(
            {
                "id": 1,
                "text": TEXT,
                "annotations": [
                    {"label": name, "start_offset": start, "end_offset": end, "user": 1} for start, end, name in OFFSETS
                ],
                "annotation_approver": None,
            }
        ),
    ),
    "Prodigy": ("a.jsonl", lines({"text": TEXT, "spans": SPANS, "_task_hash": 5, "answer": "accept"})),
    "spaCy training pairs": ("a.json", json.dumps([[TEXT, {"entities": OFFSETS}]])),
    "spaCy training pairs, lines": ("a.jsonl", json.dumps([TEXT, {"entities": OFFSETS}])),
    "spaCy training pairs, annotator": (
        "a.json",
        json.dumps({"classes": ["DISEASE"], "annotations": [[TEXT, {"entities": OFFSETS}], None]}),
    ),
    "spaCy documents as JSON": (
        "a.jsonl",
        lines({"text": TEXT, "ents": SPANS, "tokens": [{"id": 0, "start": 0, "end": 5}]}),
    ),
    "LightTag": (
        "a.json",
        json.dumps(
            {
                "examples": [
                    {
                        "id": "x",
                        "content": TEXT,
                        "annotations": [
                            {"start": start, "end": end, "tag_name": name, "value": TEXT[start:end]}
                            for start, end, name in OFFSETS
                        ],
                    }
                ]
            }
        ),
    ),
    "BioC JSON": ("a.json", json.dumps({"source": "x", "documents": [{"id": "d", "passages": [PASSAGE]}]})),
    "BioC JSON, lines": ("a.jsonl", lines({"id": "d", "passages": [PASSAGE]})),
    "Rxtract JSON lines": ("a.jsonl", lines({"text": TEXT, "spans": OFFSETS})),
    "text with spans": ("a.json", json.dumps([{"text": TEXT, "labels": OFFSETS}])),
}
TOKEN_FILES = {
    "Hugging Face tokens and tags": ("a.jsonl", lines({"id": "0", "tokens": TOKENS, "ner_tags": TAGS})),
    "Hugging Face tokens and tags, in data": ("a.json", json.dumps({"data": [{"tokens": TOKENS, "ner_tags": TAGS}]})),
    "GLiNER": ("a.json", json.dumps([{"tokenized_text": TOKENS, "ner": [[1, 1, "disease"], [3, 3, "treatment"]]}])),
    "SpERT": (
        "a.json",
        json.dumps([{"tokens": TOKENS, "entities": [{"type": "Disease", "start": 1, "end": 2}, {"type": "Treatment", "start": 3, "end": 4}], "relations": []}]),
    ),
    "spaCy 2 training JSON": ("a.json", json.dumps([SPACY2])),
    "CoNLL columns": ("a.conll", "".join(f"{w} -X- _ {t}\n" for w, t in zip(TOKENS, TAGS, strict=True))),
    "CoNLL columns, txt": ("a.txt", "".join(f"{w}\t{t}\n" for w, t in zip(TOKENS, TAGS, strict=True))),
    "CoNLL columns, Label Studio": ("a.conll", "-DOCSTART- -X- O\n" + "".join(f"{w} -X- _ {t}\n" for w, t in zip(TOKENS, TAGS, strict=True))),
    "table": ("a.csv", "Sentence #,Word,POS,Tag\n" + "".join(f"{'Sentence: 1' if w == 'Known' else ''},{w},X,{t}\n" for w, t in zip(TOKENS, TAGS, strict=True))),
    "table, semicolons": ("a.csv", "sentence_id;words;labels\n" + "".join(f"1;{w};{t}\n" for w, t in zip(TOKENS, TAGS, strict=True))),
    "table, a sentence a row": ("a.csv", 'Sentence #,Sentence,Tag\n1,Known asthma on budesonide .,"' + str(TAGS) + '"\n'),
}  # fmt: skip
TEXT_FILES = {
    "PubTator": ("a.txt", f"12|t|{TEXT}\n12|a|No fever.\n12\t6\t12\tasthma\tDisease\tD001\n12\t16\t26\tbudesonide\tTreatment\tD002\n\n"),
    "table, Label Studio CSV": ("a.csv", f'id,text,label,annotator\n1,{TEXT},"{QUOTED}",1\n'),
    "table, a span a row": ("a.csv", f"text,start,end,label\n{TEXT},6,12,DISEASE\n{TEXT},16,26,TREATMENT\n"),
}  # fmt: skip
XML = (
    '<?xml version="1.0"?><!DOCTYPE collection SYSTEM "BioC.dtd"><collection><document><id>d</id><passage><offset>10</offset>'
    f'<text>{TEXT}</text><annotation id="1"><infon key="type">Disease</infon><location offset="16" length="6"/><text>asthma</text></annotation>'
    '<annotation id="2"><infon key="type">Treatment</infon><location offset="26" length="10"/><text>budesonide</text></annotation>'
    "</passage></document></collection>"
)  # fmt: skip


@pytest.mark.parametrize("name", [*JSON_FILES, *TOKEN_FILES, *TEXT_FILES])
def test_a_tool_is_recognised_and_read(write, take, name):
    files = {**JSON_FILES, **TOKEN_FILES, **TEXT_FILES}
    reading, (note,) = take(write(*files[name]))
    assert marked(note) == BOTH
    assert reading.formats == [f"{name.split(', ')[0]}: 1 note"]


def test_bioc_xml(write, take):
    reading, (note,) = take(write("a.xml", XML))
    assert marked(note) == BOTH
    assert reading.formats == ["BioC XML: 1 note"]
    assert note.group == "d"


def test_entities_of_xml_are_refused(write, refused):
    bomb = XML.replace('SYSTEM "BioC.dtd"', '[<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;">]')
    assert "declares entities" in refused(write("a.xml", bomb))
    assert "not XML" in refused(write("b.xml", XML[:200]))


class TestBrat:
    ANN = "T1\tDisease 6 12\tasthma\nT2\tTreatment 16 26\tbudesonide\nR1\ttreats Arg1:T2 Arg2:T1\n"

    def test_entities_relations_and_assertions(self, write, take):
        write("a.txt", TEXT)
        ann = self.ANN + "A1\tNegation T1\nA2\tMystery T2 high\n#1\tAnnotatorNotes T1\tsure?\n"
        reading, (note,) = take(write("a.ann", ann), map="treats=TREATS")
        assert marked(note) == BOTH
        assert note.relations == (("TREATS", 1, 0),)
        assert note.pairs == ((1, 0),)
        assert [meaning.negated for meaning in note.meanings] == [True, None]
        assert any('attributes "Mystery=high", not read' in remark for remark in reading.remarks)

    def test_a_relation_that_nobody_named_is_left_out_and_said(self, write, take):
        write("a.txt", TEXT)
        reading, (note,) = take(write("a.ann", self.ANN.replace("treats", "is_taken_with")))
        assert note.relations == ()
        assert any("--map is_taken_with=TREATS" in remark for remark in reading.remarks)

    def test_pieces_over_a_line_end_are_one_span(self, write, take):
        write("a.txt", "renal\nfailure noted")
        _, (note,) = take(write("a.ann", "T1\tDisease 0 5;6 13\trenal failure\n"))
        assert marked(note) == [("D", "renal\nfailure")]

    def test_a_text_with_other_line_ends_than_its_offsets(self, write, take):
        write("a.txt", "Plan.\r\n\r\nKnown asthma on budesonide.\r\n")
        reading, (note,) = take(write("a.ann", "T1\tDisease 13 19\tasthma\nT2\tTreatment 23 33\tbudesonide\n"))
        assert marked(note) == BOTH
        assert any("a line end of two characters as one" in remark for remark in reading.remarks)

    def test_faults_are_all_told(self, write, refused):
        write("a.txt", TEXT)
        message = refused(write("a.ann", "T1 Disease 6 12 asthma\nT2\tTreatment 0 5\tbudesonide\n"))
        assert "a.ann:1: no line of brat" in message
        assert "a.ann:2: the file says 'budesonide'" in message
        assert "is not beside it" in refused(write("lonely.ann", self.ANN))


class TestI2b2:
    TEXT = "Known asthma .\nOn Budesonide daily ."

    def test_concepts_assertions_and_relations(self, write, take):
        write("concept/a.con", 'c="asthma" 1:1 1:1||t="problem"\nc="budesonide" 2:1 2:1||t="treatment"\n')
        write("txt/a.txt", self.TEXT)
        write("ast/a.ast", 'c="asthma" 1:1 1:1||t="problem"||a="possible"\n')
        write("rel/a.rel", 'c="budesonide" 2:1 2:1||r="TrAP"||c="asthma" 1:1 1:1\n')
        folder = write("concept/x", "").parent.parent
        (folder / "concept/x").unlink()
        reading, (note,) = take(folder, map="problem=DISEASE")
        assert marked(note) == [("D", "asthma"), ("T", "Budesonide")]
        assert note.meanings[0].status == "POSSIBLE"
        assert note.relations == (("TREATS", 1, 0),)
        assert reading.formats == ["i2b2: 1 note"]

    def test_words_that_stand_elsewhere_are_refused(self, write, refused):
        write("a.txt", self.TEXT)
        message = refused(
            write("a.con", 'c="asthma" 1:0 1:0||t="problem"\nc="x" 9:0 9:0||t="problem"\n'), map="problem=DISEASE"
        )
        assert "a.con:1: the words do not stand at these tokens" in message
        assert "a.con:2: the text has no token 9:0" in message

    def test_xml_of_2012_counts_from_one(self, write, take):
        xml = (
            "<?xml version='1.0'?><ClinicalNarrativeTemporalAnnotation><TEXT><![CDATA[Known asthma, no fever.]]></TEXT><TAGS>"
            '<EVENT id="E0" start="7" end="13" text="asthma" polarity="POS" type="PROBLEM"/>'
            '<EVENT id="E1" start="18" end="23" text="fever" polarity="NEG" type="PROBLEM"/></TAGS></ClinicalNarrativeTemporalAnnotation>'
        )
        reading, (note,) = take(write("a.xml", xml), map="PROBLEM=DISEASE")
        assert marked(note) == [("D", "asthma"), ("D", "fever")]
        assert [meaning.negated for meaning in note.meanings] == [False, True]
        assert any("from 1" in remark for remark in reading.remarks)


class TestRelations:
    def test_doccano(self, write, take):
        record = {
            "id": 1,
            "text": TEXT,
            "entities": [
                {"id": 1, "label": "Disease", "start_offset": 6, "end_offset": 12},
                {"id": 2, "label": "Treatment", "start_offset": 16, "end_offset": 26},
            ],
            "relations": [{"id": 1, "from_id": 1, "to_id": 2, "type": "treats"}],
            "Comments": [],
        }
        _, (note,) = take(write("a.jsonl", lines(record)))
        assert note.relations == (("TREATS", 1, 0),)

    def test_label_studio_with_an_assertion(self, write, take):
        relation = {"type": "relation", "from_id": "r1", "to_id": "r0", "labels": ["CAUSES"]}
        choice = {
            "id": "r0",
            "from_name": "status",
            "type": "choices",
            "value": {"start": 6, "end": 12, "choices": ["NEGATED"]},
        }
        task = {**TASK, "annotations": [{"result": [*RESULTS, relation, choice]}]}
        _, (note,) = take(write("a.json", json.dumps([task])))
        assert note.relations == (("CAUSES", 1, 0),)
        assert note.pairs == ()
        assert note.meanings[0].status == "NEGATED"

    def test_prodigy(self, write, take):
        relation = {
            "head": 3, "child": 1, "label": "TREATS",
            "head_span": {"start": 16, "end": 26}, "child_span": {"start": 6, "end": 12},
        }  # fmt: skip
        record = {"text": TEXT, "spans": SPANS, "relations": [relation], "answer": "accept"}
        _, (note,) = take(write("a.jsonl", lines(record)))
        assert note.relations == (("TREATS", 1, 0),)


class TestTables:
    def test_excel(self, tmp_path, take):
        openpyxl = pytest.importorskip("openpyxl")
        book = openpyxl.Workbook()
        book.active.append(["Sentence #", "Word", "Tag"])
        for place, (word, tag) in enumerate(zip(TOKENS, TAGS, strict=True)):
            book.active.append(["Sentence: 1" if not place else None, word, tag])
        book.save(tmp_path / "a.xlsx")
        _, (note,) = take(tmp_path / "a.xlsx")
        assert marked(note) == BOTH

    def test_what_excel_made_of_a_word_is_refused(self, tmp_path, refused):
        from datetime import date

        openpyxl = pytest.importorskip("openpyxl")
        book = openpyxl.Workbook()
        for row in (
            ["sentence_id", "word", "tag"],
            [1, date(2026, 1, 2), "O"],
            [1, "asthma", "B-DISEASE"],
        ):
            book.active.append(row)
        book.save(tmp_path / "a.xlsx")
        assert "a.xlsx:2: Excel turned a cell into a date" in refused(tmp_path / "a.xlsx")

    def test_holes_and_unknown_columns(self, write, refused):
        message = refused(write("a.csv", "sentence_id,word,tag\n1,asthma,B-DISEASE\n1,,O\n1,on,\n"))
        assert "a.csv:3-4: a row without a word or without a label" in message
        assert "call them word and tag" in refused(write("b.csv", "first,second\nasthma,1\n"))


class TestNumberedTags:
    NUMBERS = lines({"tokens": TOKENS, "ner_tags": [0, 1, 0, 3, 0]})

    def test_names_are_needed(self, write, take, refused):
        path = write("a.jsonl", self.NUMBERS)
        assert "--map 0=O,1=B-DISEASE" in refused(path)
        _, (note,) = take(path, map="0=O,1=B-DISEASE,3=B-TREATMENT")
        assert marked(note) == BOTH

    def test_the_hub_says_them(self, write, take):
        names = {
            "features": {
                "ner_tags": {
                    "feature": {"names": ["O", "B-DISEASE", "I-DISEASE", "B-TREATMENT"], "_type": "ClassLabel"}
                }
            }
        }
        write("dataset_info.json", json.dumps(names))
        _, (note,) = take(write("a.jsonl", self.NUMBERS))
        assert marked(note) == BOTH

    def test_parquet(self, tmp_path, take):
        pyarrow = pytest.importorskip("pyarrow")
        from pyarrow import parquet

        features = {
            "info": {"features": {"ner_tags": {"feature": {"names": ["O", "B-DISEASE", "I-DISEASE", "B-TREATMENT"]}}}}
        }
        table = pyarrow.table({"tokens": [TOKENS], "ner_tags": [[0, 1, 0, 3, 0]]})
        parquet.write_table(
            table.replace_schema_metadata({"huggingface": json.dumps(features)}), tmp_path / "a.parquet"
        )
        _, (note,) = take(tmp_path / "a.parquet")
        assert marked(note) == BOTH


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.zip", b"PK", "unpack it"),
        ("a.pkl", b"\x80\x04", "pickles are never opened"),
        ("a.xmi", "<xmi/>", "UIMA and INCEpTION"),
        ("a.xml", "<other/>", "XML of a kind that is not read"),
        ("a.txt", "No h/o DM. Denies chest pain.\n", "cannot tell the format"),
        ("a.jsonl", '{"text": "a b", "label": ["positive"]}\n', "labels of the whole text"),
        ("a.jsonl", '{"sentences": [["a"]], "ner": [[]]}\n', "DyGIE"),
        ("a.json", '{"annotations": "none", "x": 1}', "missing or no string"),
        ("a.spacy", b"garbage", "no DocBin of spaCy"),
        ("a.jsonl", b"PK\x03\x04 and more", "this is a zip archive under another name"),
        ("a.jsonl", b"\x1f\x8b\x08 and more", "this is a gzip file under another name"),
        ("a.parquet", b"garbage", "no Parquet"),
        ("a.xlsx", b"garbage", "no Excel file"),
    ],
)
def test_what_is_not_read_is_named_as_such(write, refused, name, content, said):
    if name.endswith(".xlsx"):
        pytest.importorskip("openpyxl")
    assert said in refused(write(name, content))


class TestGroupsOfSpans:
    """What spaCy's `Doc.to_json` writes for a document with `doc.spans`."""

    GROUP = tuple({"start": start, "end": end, "label": label, "kb_id": ""} for start, end, label in OFFSETS)

    def test_entities_win_and_other_groups_are_named(self, write, take):
        found = {"text": TEXT, "ents": self.GROUP, "spans": {"sc": self.GROUP[:1], "none": []}, "tokens": []}
        reading, (note,) = take(write("a.jsonl", lines(found)))
        assert marked(note) == BOTH
        assert reading.remarks == ['groups of spans beside the entities ("ents"), not read: 1 (a.jsonl:1)']
        assert reading.formats == ["spaCy documents as JSON: 1 note"]

    def test_the_same_group_is_no_matter(self, write, take):
        reading, (note,) = take(
            write("a.jsonl", lines({"text": TEXT, "ents": self.GROUP, "spans": {"sc": self.GROUP}}))
        )
        assert (marked(note), reading.remarks) == (BOTH, [])

    def test_one_group_without_entities_is_taken_and_said(self, write, take):
        reading, (note,) = take(write("a.jsonl", lines({"text": TEXT, "ents": [], "spans": {"sc": self.GROUP}})))
        assert marked(note) == BOTH
        assert reading.remarks == ['spans of the group "sc", taken: there are no entities: 1 (a.jsonl:1)']

    def test_several_groups_without_entities_are_refused(self, write, refused):
        path = write("a.jsonl", lines({"text": TEXT, "ents": [], "spans": {"a": self.GROUP, "b": self.GROUP[:1]}}))
        assert 'a.jsonl:1: several groups of spans and no entities ("a", "b"): keep one' in refused(path)


def test_a_saved_dataset_of_hugging_face_is_named_as_such(write, refused):
    write("set/state.json", '{"_fingerprint": "1"}')
    folder = write("set/data-00000-of-00001.arrow", b"ARROW1").parent
    assert ".arrow is not read: save it as Parquet" in refused(folder)


def test_a_folder_of_mixed_formats(write, take):
    write("brat/a.txt", TEXT)
    write("brat/a.ann", TestBrat.ANN)
    write("b.jsonl", lines({"text": TEXT, "spans": OFFSETS}))
    write("c/notes.conll", "".join(f"{w}\t{t}\n" for w, t in zip(TOKENS, TAGS, strict=True)))
    folder = write("slides.pdf", b"%PDF").parent
    reading, notes = take(folder)
    assert [marked(note) for note in notes] == [BOTH] * 3
    assert reading.formats == ["Rxtract JSON lines: 1 note", "brat: 1 note", "CoNLL columns: 1 note"]
    assert {note.meta["source"] for note in notes} == {"b.jsonl", "brat", "c/notes.conll"}
    assert any("slides.pdf" in remark for remark in reading.remarks)


def test_faults_of_several_files_are_told_together(write, refused):
    write("a.jsonl", lines({"text": TEXT, "spans": [[0, 99, "D"]]}))
    folder = write("b.jsonl", lines({"text": TEXT, "spans": [[0, 5, "MOOD"]]})).parent
    message = refused(folder)
    assert "a.jsonl:1: span [0, 99)" in message
    assert "b.jsonl:1: unknown label 'MOOD'" in message
