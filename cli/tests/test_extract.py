"""What `rxtract extract` prints and what it gives to scripts say the same."""

import io
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest
import rxtract.commands.extract as extract_module
from clinical_ner.meaning import Assertion, Experiencer, Relation, RelationType, Status, Time
from clinical_ner.notes import Label
from clinical_ner.tagger import Entity, NoteStatistics, TaggedNote
from clinical_ner.tracking_download import OpenedModel
from rich.console import Console
from rxtract.app import build
from rxtract.commands.extract import _print, as_object
from rxtract.errors import UserError
from rxtract_tagger import FoundNote
from typer.testing import CliRunner

if TYPE_CHECKING:
    from clinical_ner.tagger import Tagger

NOTE = "k/c/o T2DM and HTN, started tab metformin"
PRESENT = Assertion(Status.PRESENT, Time.CURRENT, Experiencer.PATIENT, -1, -1)
T2DM, HTN, METFORMIN = (
    Entity(label, NOTE.index(words), NOTE.index(words) + len(words), confidence, PRESENT)
    for words, label, confidence in (
        ("T2DM", Label.DISEASE, 0.9),
        ("HTN", Label.DISEASE, 0.8),
        ("metformin", Label.TREATMENT, 0.5),
    )
)


def tagged(*pairs: tuple[int, int]) -> TaggedNote:
    return TaggedNote(
        entities=(T2DM, HTN, METFORMIN),
        confidence=0.7,
        statistics=NoteStatistics(8, 2, 0, len(NOTE), 2, 1, 2, 1, 0, 0, 0.9),
        relations=tuple(Relation(RelationType.TREATS, *pair, 0.4) for pair in pairs),
    )


def printed(*pairs: tuple[int, int]) -> str:
    out = io.StringIO()
    note = tagged(*pairs)
    _print(Console(file=out, width=200, highlight=False), NOTE, note.entities, note.relations)
    return out.getvalue()


@pytest.mark.parametrize(
    ("pairs", "words"),
    [((), ""), (((2, 0),), "  for T2DM"), (((2, 1),), "  for HTN"), (((2, 0), (2, 1)), "  for T2DM  for HTN")],
)
def test_people_see_every_disease_that_a_treatment_is_given_for(pairs, words):
    (line,) = [line for line in printed(*pairs).splitlines() if "TREATMENT" in line]
    assert line.rstrip().endswith(f"confidence 0.50{words}")


def test_scripts_get_every_relation_with_ids_and_words():
    tagger = cast("Tagger", SimpleNamespace(rules_version="r1", metadata={}))
    found = as_object(NOTE, tagged((2, 0), (2, 1)), OpenedModel(tagger, "shipped", "ab"))
    assert found["rules_version"] == "r1"
    assert found["calibration"] == {"holds": None, "measured_on": None, "unseen_words": 0.25, "limit": None}
    assert [one["entity_id"] for one in found["entities"]] == ["e1", "e2", "e3"]
    assert found["relations"] == [
        {"type": "TREATS", "treatment": "metformin", "disease": words, "treatment_id": "e3", "disease_id": name, "confidence": 0.4}
        for words, name in (("T2DM", "e1"), ("HTN", "e2"))
    ]  # fmt: skip


@pytest.mark.parametrize(("limit", "holds"), [(0.3, True), (0.2, False)])
def test_scripts_are_shown_whether_confidences_hold_for_a_note(limit, holds):
    kind = {"name": "our audit", "notes": 200, "limit": limit}
    tagger = cast("Tagger", SimpleNamespace(rules_version="r1", metadata={"calibration": {"kind": kind}}))
    found = as_object(NOTE, tagged(), OpenedModel(tagger, "shipped", "ab"))["calibration"]
    assert found == {"holds": holds, "measured_on": "our audit", "unseen_words": 0.25, "limit": limit}


@pytest.fixture
def extract_cli(monkeypatch):
    """Runs the command over a tagger that finds what `tagged` has, wherever the note is `NOTE`."""
    tagger = SimpleNamespace(rules_version="r1", metadata={}, tag=lambda texts: [tagged((2, 0)) for _ in texts])
    monkeypatch.setattr(extract_module, "opened_model", lambda _: OpenedModel(cast("Tagger", tagger), "shipped", "ab"))
    return lambda *words, **more: CliRunner().invoke(build(["extract"]), ["extract", *map(str, words)], **more)


def test_the_name_of_a_file_is_no_note(extract_cli, tmp_path):
    file = tmp_path / "notes.txt"
    file.write_text(NOTE)
    for name, words in ((file, "is a file: read its notes with"), ("none.csv", "there is no file none.csv")):
        result = extract_cli(name)
        assert isinstance(result.exception, UserError)
        assert words in str(result.exception)
    assert extract_cli(NOTE + ".txt").exit_code == 0, "a note may end so"


def test_latin_1_is_read_and_said(extract_cli):
    result = extract_cli("-", "--json", input="na\xefve T2DM".encode("latin-1"))
    assert result.exit_code == 0
    assert "read as Latin-1" in result.stderr
    assert "read as" not in extract_cli("-", input="na\xefve T2DM".encode()).stderr


def test_a_page_shows_notes_in_colour_and_reads_none_of_them_as_html(extract_cli, tmp_path):
    page = tmp_path / "made" / "notes.html"
    assert extract_cli(NOTE, "--html", page).exit_code == 0
    html = page.read_text()
    assert (
        '<mark class="disease fact" title="disease, confidence 0.90"><span>T2DM</span><small>D</small></mark>' in html
    )
    denied = T2DM._replace(start=3, end=9, assertion=PRESENT._replace(status=Status.NEGATED))
    shown = FoundNote("1", "no <b>DM", [denied._replace(end=8)], [], None)._repr_html_()
    assert "no &lt;b" not in shown.partition("<mark")[2]
    assert "<b>" not in shown
    assert '<mark class="disease denied"' in shown
    assert "<small>D not</small>" in shown
