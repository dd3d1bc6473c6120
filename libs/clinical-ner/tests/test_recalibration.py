"""Recalibration on an audit, and notes that are unlike what a model's confidences were measured on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from clinical_ner.artifact import load
from clinical_ner.calibration import expected_calibration_error
from clinical_ner.kinds import Kind, kind_in, kind_of_training, unseen_share, warning
from clinical_ner.notes import AnnotatedNote
from clinical_ner.recalibration import (
    ISOTONIC_FROM,
    PLATT_FROM,
    AuditTooSmall,
    offset_curve,
    platt_curve,
    recalibrate,
)
from clinical_ner.tagger import Tagger


def strange(notes: list[AnnotatedNote]) -> list[AnnotatedNote]:
    """Notes of a kind where the model is too sure: of every other note people annotated half of what it finds."""
    return [replace(note, spans=note.spans[:1] if at % 2 else note.spans) for at, note in enumerate(notes)]


@pytest.fixture(scope="module")
def audit(composed) -> list[AnnotatedNote]:
    return strange(composed(300, seed=5))


@pytest.fixture(scope="module")
def others(composed) -> list[AnnotatedNote]:
    return strange(composed(400, seed=6))


def error(tables: bytes, notes: list[AnnotatedNote]) -> float:
    tagged = Tagger.open(tables).tag([note.text for note in notes])
    rows = [
        (entity.confidence, (entity.label, entity.start, entity.end) in {(s.label, s.start, s.end) for s in note.spans})
        for note, found in zip(notes, tagged, strict=True)
        for entity in found.entities
    ]
    confidences, right = zip(*rows, strict=True)
    return expected_calibration_error(np.array(confidences), np.array(right))


def test_confidences_hold_on_other_notes_of_the_audits_kind(model, audit, others):
    made = recalibrate(model.tables, audit, "our audit")
    assert error(model.tables, others) > 0.1
    assert error(made.tables, others) < 0.08
    for row in made.report.values():
        assert row["ece"] < row["ece_before"]


def test_the_same_entities_are_found_and_the_curves_lie_under_the_digest(model, audit):
    made = recalibrate(model.tables, audit, "our audit")
    texts = [note.text for note in audit]
    before, after = Tagger.open(model.tables).tag(texts), Tagger.open(made.tables, sha256=made.sha256).tag(texts)
    assert [[entity[:3] for entity in note.entities] for note in before] == [
        [entity[:3] for entity in note.entities] for note in after
    ]
    assert made.sha256 != model.sha256
    assert kind_in(load(made.tables).metadata).name == "our audit"


def test_few_notes_are_refused_with_what_is_needed(model, audit):
    with pytest.raises(AuditTooSmall, match="at least 30"):
        recalibrate(model.tables, audit[:6], "our audit")


def test_a_label_that_the_audit_does_not_annotate_keeps_its_curve(model, audit):
    diseases = [replace(note, spans=tuple(span for span in note.spans if span.label == "DISEASE")) for note in audit]
    made = recalibrate(model.tables, diseases, "diseases alone")
    assert made.report["TREATMENT"]["method"] == made.report["note"]["method"] == "kept"
    old, new = (load(tables).metadata["calibration"]["curves"] for tables in (model.tables, made.tables))
    assert new.get("TREATMENT") == old.get("TREATMENT")
    assert new["DISEASE"] != old.get("DISEASE")


@pytest.mark.parametrize("count", [PLATT_FROM - 20, PLATT_FROM, ISOTONIC_FROM - 1])
def test_curves_of_few_samples_rise_and_mend(count):
    rng = np.random.default_rng(3)
    raw = rng.uniform(0.5, 1, 4_000)
    right = rng.uniform(0, 1, 4_000) < raw - 0.3
    curve = (offset_curve if count < PLATT_FROM else platt_curve)(raw[:count], right[:count])
    assert (np.diff(curve["raw"]) > 0).all()
    assert (np.diff(curve["calibrated"]) >= 0).all()
    assert expected_calibration_error(np.interp(raw, curve["raw"], curve["calibrated"]), right) < 0.15
    assert expected_calibration_error(raw, right) > 0.25


def test_a_note_of_another_kind_is_named_and_one_of_its_own_is_not(model, composed):
    tagger = Tagger.open(model.tables)
    kind = kind_in(model.metadata)
    own = tagger.tag([note.text for note in composed(300, seed=9)])
    assert sum(kind.unlike(note.statistics) for note in own) <= 0.1 * len(own)
    [other] = tagger.tag(["Der Patient klagt seit gestern über heftige Schmerzen im linken Unterbauch ohne Fieber."])
    assert unseen_share(other.statistics) > kind.limit
    assert warning(model.metadata, other.statistics).startswith("unlike its own training notes: ")
    assert warning(model.metadata, own[0].statistics) == ""


def test_a_short_note_and_a_model_that_names_no_kind_are_not_judged(model):
    [short] = Tagger.open(model.tables).tag(["Unbekannte Wörter hier"])
    assert not Kind("x", 1, 0.0).unlike(short.statistics)
    assert kind_in({}) is None
    assert warning({}, short.statistics) == ""


def test_the_limit_is_what_one_training_note_in_twenty_exceeds(composed):
    notes = composed(200, seed=3)
    odd = AnnotatedNote("zz yy xx ww vv uu tt ss rr qq", ())
    assert kind_of_training(notes).limit < 0.3
    assert kind_of_training([*notes, *[replace(odd, text=f"{odd.text} {at}pp oo{at}") for at in range(40)]]).limit <= 1
    assert kind_of_training([]).limit == 1.0
