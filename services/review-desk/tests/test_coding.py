"""A code that a validator proposes and a lead accepts becomes a line of a table that the coder then answers by."""

from types import SimpleNamespace

import pytest
from contracts.records import DeskChange
from review_desk.adapters.code_changes import CodeChanges
from review_desk.coding import CodeBook, CodeReview, accepted_by_system, csv_of, subject_of
from review_desk.desk import Reviewer
from review_desk.domain.refusals import Conflict
from runtime.errors import SettingsError
from terminology import Coder
from terminology.customer import draft_of_csv
from terminology.systems import system_of
from terminology.table import Coding, Draft, NameRow, write

ICD = "http://hl7.org/fhir/sid/icd-10"
ANNA, LEA = Reviewer("v-anna", leads=False), Reviewer("v-lea", leads=True)


class Hash:
    """What of Redis is used."""

    def __init__(self):
        self.fields = {}

    def hmget(self, _key, names):
        return [self.fields.get(name) for name in names]

    def hset(self, _key, name, value):
        self.fields[name] = value

    def hvals(self, _key):
        return list(self.fields.values())

    def expire(self, _key, _seconds):
        pass


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    draft = Draft("base", "1", serial=100)
    draft.concepts = [
        Coding(ICD, "E11.9", "Type 2 diabetes mellitus without complications"),
        Coding(ICD, "A92.0", "Chikungunya virus disease"),
        Coding(ICD, "I34.2", "Nonrheumatic mitral (valve) stenosis"),
    ]
    draft.names = [
        NameRow("t2dm", (0,), 0.97, "abbreviation", "DISEASE"),
        NameRow("sugar", (2,), 0.9, "list", "DISEASE"),
    ]
    draft.substances = {"metformin": ("9100L32L2N", "METFORMIN")}
    path = tmp_path_factory.mktemp("tables")
    write(draft, path / "base.table")
    return path


class Desk:
    def __init__(self, folder, **more):
        self.sent, self.now = [], 1
        self.changes = CodeChanges(SimpleNamespace(redis=Hash(), key=lambda name: name))
        self.review = CodeReview(
            CodeBook(folder), self.changes, self.sent.append, self.changes.put, clock=self.clock, **more
        )

    def clock(self):
        self.now += 1
        return self.now


def test_codes_are_found_by_words_by_their_beginnings_by_the_code_and_by_a_name_of_the_tables(folder):
    book = CodeBook(folder)
    assert [one.code for one in book.search("diab type", "DISEASE")] == ["E11.9"]
    assert [one.code for one in book.search("a92", "DISEASE")] == ["A92.0"]
    assert [one.code for one in book.search("T2DM", "DISEASE")] == ["E11.9"]
    assert book.search("zebra", "DISEASE") == book.search("--", "DISEASE") == []


def test_what_a_lead_accepts_is_what_the_next_tables_answer(folder, tmp_path):
    """The referee is the importer and the coder themselves: before "sugar" was mitral stenosis."""
    desk = Desk(folder)
    assert Coder.open(folder).code("sugar", "DISEASE").code == "I34.2"
    desk.review.propose(ANNA, "Sugar", "DISEASE", Coding(ICD, "E11.9", ""))
    assert accepted_by_system(desk.changes.all()) == {}
    (waiting,) = [one.waiting for one in desk.changes.all()]
    assert (waiting.mention, waiting.display, waiting.by) == (
        "Sugar",
        "Type 2 diabetes mellitus without complications",
        "v-anna",
    )
    desk.review.decide(LEA, waiting.subject, (ICD, "E11.9"), accept=True)
    desk.review.propose(ANNA, "chik  fever", "DISEASE", Coding(ICD, "A92.0", ""))
    desk.review.decide(LEA, subject_of("chik fever", "DISEASE"), (ICD, "A92.0"), accept=True)
    accepted = accepted_by_system(desk.changes.all())
    assert {name: len(rows) for name, rows in accepted.items()} == {"icd-10": 2}
    file = tmp_path / "desk.csv"
    file.write_text(csv_of(accepted["icd-10"]), encoding="utf-8")
    write(draft_of_csv(file, system_of("icd-10"), name="desk", version="1", preferred=True), tmp_path / "desk.table")
    (tmp_path / "base.table").write_bytes((folder / "base.table").read_bytes())
    coder = Coder.open(tmp_path)
    assert [coder.code(words, "DISEASE").code for words in ("sugar", "chik fever", "T2DM")] == [
        "E11.9",
        "A92.0",
        "E11.9",
    ]


def test_a_substance_that_a_search_found_can_be_proposed_for_a_brand(folder, tmp_path):
    desk = Desk(folder)
    (found,) = desk.review.book.search("metformin", "TREATMENT")
    desk.review.propose(ANNA, "Zzglyco", "TREATMENT", found)
    desk.review.decide(LEA, subject_of("Zzglyco", "TREATMENT"), (found.system, found.code), accept=True)
    file = tmp_path / "desk.csv"
    file.write_text(csv_of(accepted_by_system(desk.changes.all())["unii"]), encoding="utf-8")
    write(draft_of_csv(file, system_of("unii"), name="desk", version="1", preferred=True), tmp_path / "desk.table")
    assert Coder.open(tmp_path / "desk.table").code("zzglyco", "TREATMENT").code == "9100L32L2N"


def test_a_refused_proposal_waits_no_more_and_an_accepted_code_stays_while_another_waits(folder):
    desk = Desk(folder)
    subject = subject_of("sugar", "DISEASE")
    desk.review.propose(ANNA, "sugar", "DISEASE", Coding(ICD, "E11.9", ""))
    desk.review.decide(LEA, subject, (ICD, "E11.9"), accept=True)
    desk.review.propose(ANNA, "SUGAR", "DISEASE", Coding(ICD, "A92.0", ""))
    desk.review.decide(LEA, subject, (ICD, "A92.0"), accept=False)
    (known,) = desk.changes.all()
    assert (known.waiting, known.accepted.code) == (None, "E11.9")
    assert [one.kind for one in desk.sent] == [
        DeskChange.CODE_PROPOSED,
        DeskChange.CODE_ACCEPTED,
        DeskChange.CODE_PROPOSED,
        DeskChange.CODE_REFUSED,
    ]


def test_the_topic_read_again_in_order_or_late_gives_the_same(folder):
    desk = Desk(folder)
    for code in ("E11.9", "A92.0"):
        desk.review.propose(ANNA, "sugar", "DISEASE", Coding(ICD, code, ""))
    desk.review.decide(LEA, subject_of("sugar", "DISEASE"), (ICD, "A92.0"), accept=True)
    before = desk.changes.all()
    fresh = CodeChanges(SimpleNamespace(redis=Hash(), key=lambda name: name))
    for event in desk.sent:
        desk.changes.put(event)
        fresh.put(event)
    assert desk.changes.all() == fresh.all() == before


@pytest.mark.parametrize("mention", ["<b>sugar</b>", "a|b", "--", "Q & A"])
def test_words_that_no_table_takes_are_refused_before_anything_is_sent(folder, mention):
    desk = Desk(folder)
    with pytest.raises(Conflict, match="cannot stand in a table"):
        desk.review.propose(ANNA, mention, "DISEASE", Coding(ICD, "E11.9", ""))
    assert desk.sent == []


def test_a_code_of_no_table_what_was_accepted_already_and_what_waits_no_more(folder):
    desk = Desk(folder)
    with pytest.raises(Conflict, match="no table of this desk has that code"):
        desk.review.propose(ANNA, "sugar", "DISEASE", Coding(ICD, "Z99.9", ""))
    desk.review.propose(ANNA, "sugar", "DISEASE", Coding(ICD, "E11.9", ""))
    with pytest.raises(Conflict, match="does not wait any more"):
        desk.review.decide(LEA, subject_of("sugar", "DISEASE"), (ICD, "A92.0"), accept=True)
    desk.review.decide(LEA, subject_of("sugar", "DISEASE"), (ICD, "E11.9"), accept=True)
    with pytest.raises(Conflict, match="accepted this code already"):
        desk.review.propose(ANNA, "sugar", "DISEASE", Coding(ICD, "E11.9", ""))


def test_where_texts_are_sealed_no_mention_goes_to_the_topic(folder):
    desk = Desk(folder, is_sealed=True)
    with pytest.raises(Conflict, match="rxtract terminology import"):
        desk.review.propose(ANNA, "sugar", "DISEASE", Coding(ICD, "E11.9", ""))
    assert desk.sent == []


def test_a_folder_without_tables_is_one_line(tmp_path):
    with pytest.raises(SettingsError, match="RXTRACT_TERMINOLOGY_DIR: no terminology"):
        CodeBook(tmp_path)
