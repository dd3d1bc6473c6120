"""The job as the trainer runs it: a folder in, a judged model out; small corpora, so that it takes seconds."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from clinical_ner.artifact import dump, load
from contracts.records import AnnotationValidated
from corpus.simulation import Shift, ShiftKind, simulate
from lifecycle.collection import collect
from lifecycle.gate_config import GateConfig
from lifecycle.job import run_job
from lifecycle.leakage import TEXTS, packed, text_hashes
from lifecycle.roles import Role, role_of

pytestmark = pytest.mark.slow  # it trains

KEY = b"k" * 32
GATE = GateConfig(resamples=200, min_gold_mentions=50, min_recent_notes=5, margin=0.5, min_speed_ratio=0.05)
CORPUS = {"notes": 150, "gold_notes": 100}


def annotations(count: int) -> list[AnnotationValidated]:
    shifted = simulate(7, count, shift=Shift(ShiftKind.NEW_DISEASES))
    return [_word(number, note) for number, note in enumerate(shifted)]


def _word(number, note) -> AnnotationValidated:
    entities = [
        {
            "entity_id": f"e{place}",
            "label": str(span.label),
            "text": note.text[span.start : span.end],
            "start": span.start,
            "end": span.end,
            "confidence": 1.0,
        }
        for place, span in enumerate(note.truth.spans)
    ]
    return AnnotationValidated.from_dict(
        {
            "annotation_id": f"a{number}",
            "source": "clinic",
            "note_id": note.note_id,
            "revision": 1,
            "text": note.text,
            "segment": {"city": note.city, "specialty": note.specialty},
            "patient_ref": note.patient_ref,
            "doctor_ref": note.doctor_ref,
            "written_at": note.written_at,
            "predicted_entities": [],
            "predicted_relations": [],
            "entities": entities,
            "relations": [],
            "sample": "DRIFT",
            "predictions_shown": True,
            "outcome": "CORRECTED",
            "changes": {"kept": 0, "added": 0, "removed": 0, "moved": 0, "relabelled": 0},
            "annotator": "v1",
            "sequence": 1,
            "seconds_spent": 1.0,
            "annotated_at": number,
        }
    )


def filled(folder: Path, words=(), *, champion=b"", challenger=b"", **more) -> Path:
    folder.mkdir()
    job = {"kind": "train", "trigger": "operator", "segments": [], "command_id": "c", "seed": 0}
    job |= {"model_name": "rxtract-ner", "corpus": CORPUS, "gate": GATE.to_dict()}
    job["training"] = {"averaged_fits": 1, "max_iterations": 30, "calibration_folds": 0}
    for name, content in (("champion", champion), ("challenger", challenger)):
        if content:
            (folder / f"{name}.npz").write_bytes(content)
            job[name] = {"version": "1", "artifact_sha256": hashlib.sha256(content).hexdigest()}
    (folder / "job.json").write_text(json.dumps(job | more), encoding="utf-8")
    (folder / "roles.key").write_bytes(KEY)
    lines = "".join(f"{word.to_json()}\n" for word in words)
    (folder / "annotations.jsonl").write_text(lines, encoding="utf-8")
    return folder


def silent(*_: object) -> None:
    """Say nothing."""


@pytest.fixture(scope="module")
def first(tmp_path_factory) -> bytes:
    """The first model, trained by the module as a process of its own."""
    folder = filled(tmp_path_factory.mktemp("jobs") / "first")
    command = [sys.executable, "-m", "lifecycle.job_process", str(folder)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert [set(json.loads(line)) for line in ended.stdout.splitlines()] == [{"stage", "done", "of"}] * 5
    assert json.loads((folder / "result.json").read_text())["decision"] == "FIRST"
    card = (folder / "reports" / "model_card.md").read_text()
    assert card.startswith("# Model card: rxtract-ner")
    assert "frozen gold" in card
    assert "sklearn-crfsuite's own tagger, from the registered `model.crfsuite`, gives another label on 0 of" in card
    assert "exact spans of a model that sklearn-crfsuite trained" in card
    result = json.loads((folder / "result.json").read_text())
    assert any("another label on 0 of" in reason for reason in result["reasons"])
    assert 0 < result["scores"]["sklearn_crfsuite"]["exact_span"]["micro"]["f1"] <= 1
    assert {"scores.json", "reliability.png"} >= {path.name for path in (folder / "reports").iterdir()} - {
        "model_card.md"
    }
    return (folder / "model" / "tables.npz").read_bytes()


def test_a_note_with_a_line_separator_is_read(tmp_path, first):
    word = annotations(1)[0]
    told = AnnotationValidated.from_dict({**word.to_dict(), "text": f"{word.text}\u2028Review after 5 days."})
    folder = filled(tmp_path / "job", [told], champion=first, challenger=first, kind="evaluate")
    run_job(folder, silent)
    assert json.loads((folder / "dataset_report.json").read_text())["annotations_read"] == 1


def test_labels_enough_are_trained_on_beside_the_shipped_corpus(tmp_path, first, monkeypatch):
    words = annotations(80)
    taught = collect(words, KEY, GATE.shares).of(Role.TRAIN)
    for bound, background in ((len(taught) + 1, 0), (10, CORPUS["notes"])):
        monkeypatch.setattr("lifecycle.job.OWN_LABELS", bound)
        folder = filled(tmp_path / f"job{bound}", words, champion=first)
        run_job(folder, silent)
        found = load((folder / "model" / "tables.npz").read_bytes()).metadata
        assert found["support"]["background_notes"] == background
        assert found["dataset"]["notes"] == (len(taught) if background else CORPUS["notes"] + 3 * len(taught))


def test_an_offered_model_that_was_trained_on_the_recent_notes_is_refused(tmp_path, first):
    words = annotations(80)
    recent = collect(words, KEY, GATE.shares).of(Role.RECENT)
    assert len(recent) >= GATE.min_recent_notes
    tables = load(first)
    leaky = dump(replace(tables, metadata={**tables.metadata, TEXTS: packed(text_hashes(recent))}))
    folder = filled(tmp_path / "job", words, champion=first, challenger=leaky, kind="evaluate")
    result = run_job(folder, silent)
    assert result["decision"] == "REJECT"
    assert any("LEAKED" in reason for reason in result["reasons"])


def test_nothing_that_leaves_the_job_spells_a_word_of_one_patient(tmp_path):
    """What goes to MLflow: the model's two files, the reports, the result."""
    few, many = "Quzzywimp", "Flomboza"
    words = []
    for number, (name, person) in enumerate([(few, 0)] * 6 + [(many, person) for person in range(200)]):
        note = annotations(1)[0].to_dict()
        text = f"K/c/o {name} since {number} days, rest advised"
        note |= {"annotation_id": f"a{number}", "note_id": f"n{number}", "text": text, "relations": []}
        note |= {"patient_ref": f"{name}{person}", "doctor_ref": f"d{person % 9}", "annotated_at": number}
        at = text.index(name)
        note["entities"] = [
            {"entity_id": "e1", "label": "DISEASE", "text": name, "start": at, "end": at + len(name), "confidence": 1.0}
        ]
        words.append(AnnotationValidated.from_dict(note))
    key = next(key for one in range(99) if role_of(f"{few}0", key := bytes([one]) * 32, GATE.shares) is Role.TRAIN)
    folder = filled(tmp_path / "job", words)
    (folder / "roles.key").write_bytes(key)
    run_job(folder, silent)
    given = {folder / "job.json", folder / "annotations.jsonl"}
    left = {path: path.read_bytes().lower() for path in folder.rglob("*") if path.is_file() and path not in given}
    assert folder / "model" / "model.crfsuite" in left
    assert [path.name for path, content in left.items() if few.lower().encode() in content] == []
    assert many.lower().encode() in left[folder / "model" / "model.crfsuite"]
