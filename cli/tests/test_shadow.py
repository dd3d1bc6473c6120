"""The form of the shadow week as a clerk uses it, and its report."""

import json
import re
from pathlib import Path

import pytest
from contracts.records import (
    AnnotationChanges,
    AnnotationOutcome,
    AnnotationValidated,
    AnnotatorJudged,
    Assertion,
    AssertionStatus,
    AssertionTime,
    Entity,
    EntityLabel,
    Experiencer,
    HeldInterval,
    ModelRef,
    Sample,
    Segment,
    TrustState,
)
from contracts.topics import ANNOTATIONS_VALIDATED, ANNOTATORS_JUDGED
from rxtract.commands import shadow
from rxtract.errors import UserError
from typer.testing import CliRunner


def mark(text: str, label: EntityLabel = EntityLabel.DISEASE) -> Entity:
    said = Assertion(
        status=AssertionStatus.PRESENT,
        time=AssertionTime.CURRENT,
        experiencer=Experiencer.PATIENT,
        cue_start=-1,
        cue_end=-1,
    )
    return Entity(entity_id=text, label=label, text=text, start=0, end=len(text), confidence=1.0, assertion=said)


def annotation(
    number: int, *, annotator: str = "v-1", sequence: int = 1, shown: bool = False, entities=None, sample=Sample.AUDIT
):
    return AnnotationValidated(
        annotation_id=f"a-{number}-{annotator}-{sequence}", source="clinic", note_id=f"n{number}", revision=1, text=f"</script> dm, htn {number}",
        segment=Segment(city="Pune", specialty="x"), patient_ref="p", doctor_ref="d", written_at=1,
        model=ModelRef(name="m", version="1", serial=1), predicted_entities=(mark("dm"),), predicted_relations=(),
        entities=(mark("DM"), mark("htn")) if entities is None else entities, relations=(), sample=sample, inclusion_probability=0.1,
        predictions_shown=shown, outcome=AnnotationOutcome.CORRECTED,
        changes=AnnotationChanges(kept=1, added=1, removed=0, moved=0, relabelled=0), annotator=annotator, sequence=sequence,
        seconds_spent=9.0, annotated_at=1, supersedes=(),
    )  # fmt: skip


class Topic:
    """What people decided."""

    def __init__(self, records):
        self._records = records

    def read(self, topics):
        kind = {ANNOTATIONS_VALIDATED: AnnotationValidated, ANNOTATORS_JUDGED: AnnotatorJudged}[topics[0]]
        return [type("Seen", (), {"record": one})() for one in self._records if isinstance(one, kind)]


@pytest.fixture
def run(monkeypatch):
    def go(annotations, *arguments):
        addresses = type("Addresses", (), {"topic_prefix": ""})()
        monkeypatch.setattr(shadow, "read_addresses", lambda _: addresses)
        monkeypatch.setattr(shadow, "TopicReader", lambda _: Topic(annotations))
        found = CliRunner().invoke(shadow.app, [str(one) for one in arguments])
        if isinstance(found.exception, UserError):
            raise found.exception
        assert found.exit_code == 0, found.output
        return found.output

    return go


def sample_of(path: Path) -> dict:
    (text,) = re.findall(r'id="sample">(.*?)</script>', path.read_text(), re.DOTALL)
    return json.loads(text)


def test_the_form_holds_notes_by_chance_and_nothing_of_what_was_found(run, tmp_path):
    annotations = [annotation(number) for number in range(40)]
    run(annotations, "form", tmp_path / "a.html", "--notes", 12)
    run(annotations, "form", tmp_path / "b.html", "--notes", 12, "--seed", 8)
    run(annotations, "form", tmp_path / "again.html", "--notes", 12)
    first, second = sample_of(tmp_path / "a.html"), sample_of(tmp_path / "b.html")
    assert len(first["notes"]) == 12
    assert set(first["notes"][0]) == {"source", "note_id", "revision", "text"}
    assert first["notes"] != second["notes"]
    assert first == sample_of(tmp_path / "again.html")
    assert (tmp_path / "a.html").stat().st_mode & 0o077 == 0


def test_labels_that_are_held_are_no_measure(run, tmp_path):
    held = AnnotatorJudged(
        event_id="j", annotator="stamp", state=TrustState.HELD, held=(HeldInterval(since=0, until=None),), judged_at=1
    )
    stamped = [annotation(number, annotator="stamp") for number in range(40, 60)]
    run([*(annotation(number) for number in range(40)), *stamped, held], "form", tmp_path / "f.html", "--notes", 60)
    assert {one["note_id"] for one in sample_of(tmp_path / "f.html")["notes"]} == {f"n{one}" for one in range(40)}


def test_only_settled_audits_are_drawn_and_blind_ones_unless_asked(run, tmp_path):
    blind = [annotation(number) for number in range(10)]
    shown = [
        annotation(20, shown=True),
        annotation(
            21,
            sample=Sample.UNCERTAIN
            if hasattr(Sample, "UNCERTAIN")
            else next(one for one in Sample if one is not Sample.AUDIT),
        ),
    ]
    disputed = [annotation(30), annotation(30, annotator="v-2", entities=())]
    run([*blind, *shown, *disputed], "form", tmp_path / "a.html")
    assert len(sample_of(tmp_path / "a.html")["notes"]) == 10
    run([*blind, *shown], "form", tmp_path / "a.html", "--shown-too")
    assert len(sample_of(tmp_path / "a.html")["notes"]) == 11
    with pytest.raises(UserError, match="9 audited notes are settled"):
        run(blind[:9], "form", tmp_path / "a.html")


def entered(path: Path, notes: int, diseases: list[str]) -> Path:
    entries = [
        {
            "source": "clinic",
            "note_id": f"n{number}",
            "revision": 1,
            "seconds": 90,
            "diseases": diseases,
            "treatments": [],
        }
        for number in range(notes)
    ]
    path.write_text(json.dumps({"sample": "7-10", "clerk": "c", "entries": entries}))
    return path


def test_the_report_says_who_errs_more_and_how_long_a_clerk_takes(run, tmp_path):
    annotations = [annotation(number) for number in range(12)]
    file = entered(tmp_path / "e.json", 14, ["dm", "HTN", "asthma"])
    found = json.loads(run(annotations, "report", file, "--json"))
    assert (found["notes"], found["entered"], found["facts"]) == (12, 14, 24)
    assert found["by_hand"]["value"] == 500, "one of two facts' worth is wrong: asthma"
    assert found["by_system"]["value"] == 500, "htn is missed"
    assert found["minutes"]["value"] == 1.5
    assert "RXTRACT_ENTRY_MINUTES=1.50" in run(annotations, "report", file)
    with pytest.raises(UserError, match="4 were entered"):
        run(annotations, "report", entered(tmp_path / "few.json", 4, []))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"entries": [{}]}',
        '{"entries": 7}',
        '{"entries": [{"source": "a", "note_id": "b", "revision": "x"}]}',
    ],
)
def test_what_no_form_saved_is_told(run, tmp_path, text):
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(UserError, match="is no file that a form saved"):
        run([], "report", tmp_path / "x.json")
