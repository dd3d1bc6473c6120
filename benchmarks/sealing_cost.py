"""What sealing costs a note in the ingestor's and the extractor's handlers: paired processor time, with and without it, in one run.

``python benchmarks/sealing_cost.py [--json]``. Bytes in, bytes out, in batches of 500, as they are served; the best of rounds in which all rows take turns. The key store is
a file on this machine, and every patient has a key by then: what a new one costs is a synced write for a batch.
"""

import argparse
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from clinical_ner.config import TrainingConfig
from clinical_ner.train import train
from contracts import topics
from contracts.apply import apply_schemas
from contracts.records import ModelRef, NoteAccepted, NoteSubmitted, Origin
from contracts.registry import InMemoryRegistry
from contracts.rules import NoteLimits
from contracts.wire import Deserializer, Serializer
from corpus import generate
from extractor.bootstrap import codecs
from extractor.handler import COLUMN_NOTES, ExtractionHandler, Topics
from extractor.metrics import METRICS
from extractor.settings import ExtractorSettings
from ingestor.domain.acceptance import Acceptance
from ingestor.handler import SubmittedNotes
from ingestor.metrics import METRICS as INGESTOR_METRICS
from runtime.kafka.deadletter import DeadLetterBudget
from runtime.kafka.records import InputRecord
from runtime.service.metrics import Metrics
from runtime.service.pseudonyms import Pseudonyms
from sealing import PatientKeys, open_keys, preparing, writing
from sealing.letters import letter_sealer
from sealing.rotation import initialise
from serving.tagging import LoadedModel

NOTES, BATCH, ROUNDS, PATIENTS = 2_000, 500, 15, 400
NOW_MS = 1_700_000_000_000
SEED = 7
Handle = Callable[[list[InputRecord]], Any]


def run(rounds: int = ROUNDS) -> dict[str, Any]:
    """Measure. Returns microseconds a note of each way, the difference, and the share of speed that is left."""
    with tempfile.TemporaryDirectory() as folder:
        store, master = Path(folder) / "keys.db", Path(folder) / "master.key"
        initialise(store, master)
        ways = _ways(open_keys(store, master))
        best = dict.fromkeys(ways, float("inf"))
        for _ in range(rounds):
            for name, (handle, batches) in ways.items():
                best[name] = min(best[name], _once(handle, batches))
    return {
        "microseconds": {name: round(took, 2) for name, took in best.items()},
        "services": _pairs(best),
        "load": os.getloadavg()[0],
    }


def _pairs(best: dict[str, float]) -> dict[str, dict[str, float]]:
    found = {}
    for name in ("ingestor", "extractor", "extractor by objects"):
        plain, sealed = best[name], best[f"{name}, sealed"]
        found[name] = {"more": round(sealed - plain, 2), "speed_left": round(plain / sealed, 3)}
    return found


def _once(handle: Handle, batches: list[list[InputRecord]]) -> float:
    began = time.process_time()
    for batch in batches:
        handle(batch)
    return (time.process_time() - began) * 1e6 / NOTES


def _ways(keys: PatientKeys) -> dict[str, tuple[Handle, list[list[InputRecord]]]]:
    registry = InMemoryRegistry()
    apply_schemas(registry, "")
    notes = _notes()
    accepted = Serializer.for_topic(NoteAccepted, registry, topics.NOTES_ACCEPTED)
    submitted = Serializer.for_topic(NoteSubmitted, registry, topics.NOTES_SUBMITTED)
    tagger = train(generate(1, 400), TrainingConfig(passes=8, calibration_folds=2), seed=1).tagger()
    given = [NoteAccepted(**_accepted(note)) for note in notes]
    inputs = {
        None: _batches([accepted(note) for note in given]),
        keys: _batches([writing(accepted, keys)(note) for note in given]),
    }
    sent = _batches([submitted(note) for note in notes])
    ways: dict[str, tuple[Handle, list[list[InputRecord]]]] = {}
    for kept, name in ((None, ""), (keys, ", sealed")):
        ways[f"ingestor{name}"] = _ingestor(registry, kept), sent
        ways[f"extractor{name}"] = _extractor(registry, tagger, kept, COLUMN_NOTES), inputs[kept]
        ways[f"extractor by objects{name}"] = _extractor(registry, tagger, kept, 10**9), inputs[kept]
    return ways


def _notes() -> list[NoteSubmitted]:
    rng = random.Random(SEED)
    texts = [note.text for note in generate(SEED, 600)]
    return [
        NoteSubmitted(
            source="clinic", note_id=f"note-{number}", revision=1, prescription_id=f"rx-{number}", patient_ref=f"patient-{number % PATIENTS}", doctor_ref="doctor-1",
            city="Pune", specialty="general medicine", written_at=NOW_MS, language="en", text=rng.choice(texts), origin=Origin.BACKFILL,
        )
        for number in range(NOTES)
    ]  # fmt: skip


def _accepted(note: NoteSubmitted) -> dict[str, Any]:
    shared = (
        "source",
        "note_id",
        "revision",
        "patient_ref",
        "doctor_ref",
        "city",
        "specialty",
        "written_at",
        "text",
        "origin",
    )
    return {name: getattr(note, name) for name in shared} | {
        "prescription_ref": note.prescription_id,
        "accepted_at": NOW_MS,
    }


def _batches(values: list[bytes]) -> list[list[InputRecord]]:
    records = [InputRecord("t", 0, at, NOW_MS, b"k", value) for at, value in enumerate(values)]
    return [records[begin : begin + BATCH] for begin in range(0, len(records), BATCH)]


def _ingestor(registry: InMemoryRegistry, keys: PatientKeys | None) -> Handle:
    write = writing(Serializer.for_topic(NoteAccepted, registry, topics.NOTES_ACCEPTED), keys)
    return SubmittedNotes(
        Deserializer.for_topic(NoteSubmitted, registry, topics.NOTES_SUBMITTED), write, Acceptance(NoteLimits(), Pseudonyms(b"k" * 32)), topics.NOTES_ACCEPTED,
        metrics=_metrics(INGESTOR_METRICS), seal_letter=letter_sealer(keys), prepare=preparing(write),
    )  # fmt: skip


def _extractor(registry: InMemoryRegistry, tagger: Any, keys: PatientKeys | None, column_notes: int) -> Handle:
    model = LoadedModel(ModelRef(name="m", version="1", serial=1), tagger)
    settings = ExtractorSettings.load(bootstrap_servers="b:1", schema_registry_url="http://x")
    return ExtractionHandler(
        lambda: model, codecs(registry, settings, keys), Topics(topics.ENTITIES_EXTRACTED, topics.REVIEW_REQUESTED, topics.STATISTICS_OBSERVED), DeadLetterBudget(),
        metrics=_metrics(METRICS), review_below=0.5, column_notes=column_notes,
    )  # fmt: skip


def _metrics(of: Any) -> Metrics:
    made = Metrics(of)
    made.build_all()
    return made


def main() -> None:
    """Print a table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    arguments = parser.parse_args()
    found = run(arguments.rounds)
    if arguments.json:
        sys.stdout.write(json.dumps(found) + "\n")
        return
    for name, one in found["services"].items():
        plain = found["microseconds"][name]
        print(f"{name:22} {plain:6.1f} us a note, sealed +{one['more']:.1f} us: {one['speed_left']:.2f} of the speed")


if __name__ == "__main__":
    main()
