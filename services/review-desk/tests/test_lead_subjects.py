"""What leads change, what is found and what leaves: each subject by itself, without a server."""

from collections.abc import Sequence
from pathlib import Path
from typing import cast

import pytest
from clinical_ner.guideline import SHIPPED_VERSION, Guideline, edited, order_of, shipped
from clinical_ner.meaning import read_spans
from clinical_ner.notes import Label
from clinical_ner.notes import Span as NoteSpan
from contracts.records import DeskChange, DeskChanged
from corpus.formats.writing import Target
from review_desk.adapters.guidelines import Edit, Guidelines
from review_desk.adapters.token_lines import TokenLines
from review_desk.desk import Reviewer
from review_desk.domain.lessons import Lesson, judge, lessons
from review_desk.domain.refusals import Conflict
from review_desk.domain.selection import Selection, is_for, segment_named
from review_desk.domain.spans import DrawnSpan, Pair
from review_desk.domain.tasks import Queue, Task
from review_desk.leading import Leading
from review_desk.page.pages import FORMS
from runtime.service.secret_files import hash_token
from runtime.web.people import People, Person

LEA = Reviewer("v-lea", leads=True)
LEAD = Person("lea", "lead")


class Versions:
    """In place of `Guidelines`."""

    def __init__(self) -> None:
        self.edits = {SHIPPED_VERSION: Edit(shipped(), "", 0)}

    def version(self) -> str:
        return max(self.edits, key=order_of)

    def get(self, version: str) -> Edit | None:
        return self.edits.get(version)

    def apply(self, event: DeskChanged) -> None:
        version = str(event.guideline_version)
        self.edits[version] = Edit(Guideline(version, event.text), event.changed_by, event.changed_at)


def leading(sent: list[DeskChanged], versions: Versions, *, claimed: bool = True) -> Leading:
    return Leading(cast("Guidelines", versions), sent.append, versions.apply, lambda _: claimed, clock=lambda: 7)


def test_an_edit_is_the_next_version_and_is_published_before_it_counts() -> None:
    sent: list[DeskChanged] = []
    versions = Versions()
    version = leading(sent, versions).edit(LEA, "# Ours", SHIPPED_VERSION)
    assert version == edited(SHIPPED_VERSION) == versions.version()
    [event] = sent
    assert (event.kind, event.subject, event.text) == (DeskChange.GUIDELINE_EDITED, f"guideline/{version}", "# Ours")


@pytest.mark.parametrize(
    ("text", "based_on", "claimed", "why"),
    [
        ("# Ours", "0.9", True, "another lead has written"),
        (shipped().text, SHIPPED_VERSION, True, "nothing was changed"),
        ("# Ours", SHIPPED_VERSION, False, "another lead is writing"),
    ],
)
def test_an_edit_that_would_lose_words_is_refused(text: str, based_on: str, claimed: bool, why: str) -> None:  # noqa: FBT001
    sent: list[DeskChanged] = []
    with pytest.raises(Conflict, match=why):
        leading(sent, Versions(), claimed=claimed).edit(LEA, text, based_on)
    assert sent == []


def test_a_release_is_a_reservation_for_nobody() -> None:
    sent: list[DeskChanged] = []
    desk = Leading(cast("Guidelines", Versions()), sent.append, lambda _: None, lambda _: True, clock=lambda: 7)
    desk.reserve(LEA, "city=Pune", ["v-b", "v-a"])
    desk.reserve(LEA, "city=Pune", [])
    assert [(one.kind, one.annotators) for one in sent] == [
        (DeskChange.RESERVED, ("v-a", "v-b")),
        (DeskChange.RELEASED, ()),
    ]


TASK = Task(1, 1, 0, 0, 0, 0.5, "AUDIT", "Pune", "cardiology", 0, double=False)


@pytest.mark.parametrize(
    ("selection", "queue", "taken"),
    [
        (Selection(), Queue.AUDIT, True),
        (Selection(city="Pune", specialty="cardiology", reason="AUDIT"), Queue.SECOND, True),
        (Selection(city="Delhi"), Queue.AUDIT, False),
        (Selection(specialty="surgery"), Queue.AUDIT, False),
        (Selection(reason="UNCERTAIN"), Queue.OPEN, False),
        (Selection(reason="LEAD"), Queue.AUDIT, False),
        (Selection(reason="LEAD"), Queue.LEAD, True),
    ],
)
def test_a_selection_takes_what_it_names(selection: Selection, queue: Queue, taken: bool) -> None:  # noqa: FBT001
    assert selection.takes(TASK, queue) is taken


def test_what_is_reserved_goes_to_nobody_else() -> None:
    assert segment_named("Pune", "") == "city=Pune"
    assert (segment_named("", "x"), segment_named("", "")) == ("specialty=x", "all")
    reserved = {"city=Pune": {"anna"}, "city=Delhi": {"ben"}}
    assert is_for("anna", TASK, reserved)
    assert not is_for("ben", TASK, reserved)


@pytest.fixture
def tokens(tmp_path: Path) -> Path:
    path = tmp_path / "tokens"
    path.write_text(f"# ours\nlea:lead:{hash_token('a')}\nanna:validator:{hash_token('b')}\nnot a line\n")
    path.chmod(0o600)
    return path


def test_a_person_is_added_and_removed_and_other_lines_stay(tokens: Path) -> None:
    token = TokenLines(tokens).add(Person("nina", "validator"))
    people = People(tokens, "TOKENS")
    assert people.by_token(token) == Person("nina", "validator")
    assert [one.name for one in people.everybody()] == ["anna", "lea", "nina"]
    TokenLines(tokens).remove("nina", LEAD)
    assert People(tokens, "TOKENS").by_token(token) is None
    assert tokens.read_text().startswith("# ours\n")
    assert "not a line" in tokens.read_text()
    assert tokens.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("name", ["anna", "a:b", "#x", " ", "a\nb"])
def test_a_name_that_is_taken_or_breaks_the_file_is_refused(tokens: Path, name: str) -> None:
    before = tokens.read_text()
    with pytest.raises(Conflict):
        TokenLines(tokens).add(Person(name, "validator"))
    assert tokens.read_text() == before


def test_nobody_removes_himself_the_last_lead_or_nobody(tokens: Path) -> None:
    lines = TokenLines(tokens)
    for name, by, why in (
        ("lea", LEAD, "cannot remove yourself"),
        ("lea", Person("proxy", "lead"), "last lead"),
        ("max", LEAD, "nobody of this name"),
    ):
        with pytest.raises(Conflict, match=why):
            lines.remove(name, by)


def test_where_the_file_cannot_be_written_the_line_to_add_is_named() -> None:
    with pytest.raises(Conflict, match="your proxy"):
        TokenLines(None).add(Person("nina", "validator"))


@pytest.mark.parametrize("lesson", lessons(), ids=lambda lesson: lesson.note_id)
def test_the_known_answers_are_those_of_the_rules(lesson: Lesson) -> None:
    spans = [NoteSpan(span.start, span.end, Label(span.label)) for span, _ in lesson.truth]
    read = read_spans(lesson.text, spans)
    found = [(str(one.status), str(one.time), str(one.experiencer)) for one in read.assertions]
    assert found == [tuple(stated) for _, stated in lesson.truth]
    pairs = {(spans[one.treatment].start, spans[one.disease].start, str(one.type)) for one in read.relations}
    assert pairs == lesson.pairs
    assert lesson.text.startswith("SYNTHETIC TRAINING NOTE\n")


@pytest.mark.parametrize("lesson", lessons(), ids=lambda lesson: lesson.note_id)
def test_a_lesson_is_right_only_as_it_is_meant(lesson: Lesson) -> None:
    marks = [DrawnSpan(span.start, span.end, span.label, stated) for span, stated in lesson.truth]
    pairs = [Pair(_at(marks, one), _at(marks, other), kind) for one, other, kind in lesson.pairs]
    assert judge(lesson, marks, pairs).is_right
    assert judge(lesson, marks[1:], pairs).missing
    shown = [DrawnSpan(span.start, span.end, span.label) for span, _ in lesson.found]
    assert not judge(lesson, shown, []).is_right  # accepting what is pre-filled is never the answer
    assert judge(lesson, [*marks, DrawnSpan(0, 9, "DISEASE")], pairs).extra == ("SYNTHETIC (disease)",)


def _at(marks: Sequence[DrawnSpan], start: int) -> DrawnSpan:
    return next(mark for mark in marks if mark.start == start)


def test_the_page_offers_every_form_that_can_be_written() -> None:
    assert {form for form, _ in FORMS} == set(Target)
