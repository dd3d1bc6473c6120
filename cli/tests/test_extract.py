"""What `rxtract extract` prints and what it gives to scripts say the same."""

import io
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest
from clinical_ner.meaning import Assertion, Experiencer, Relation, RelationType, Status, Time
from clinical_ner.notes import Label
from clinical_ner.tagger import Entity, TaggedNote
from clinical_ner.tracking_download import OpenedModel
from rich.console import Console
from rxtract.commands.extract import _print, as_object

if TYPE_CHECKING:
    from clinical_ner.tagger import NoteStatistics, Tagger

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
        statistics=cast("NoteStatistics", None),
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
    tagger = cast("Tagger", SimpleNamespace(rules_version="r1"))
    found = as_object(NOTE, tagged((2, 0), (2, 1)), OpenedModel(tagger, "shipped", "ab"))
    assert found["rules_version"] == "r1"
    assert [one["entity_id"] for one in found["entities"]] == ["e1", "e2", "e3"]
    assert found["relations"] == [
        {"type": "TREATS", "treatment": "metformin", "disease": words, "treatment_id": "e3", "disease_id": name, "confidence": 0.4}
        for words, name in (("T2DM", "e1"), ("HTN", "e2"))
    ]  # fmt: skip
