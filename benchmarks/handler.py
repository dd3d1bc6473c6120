"""What one note costs in the extractor's handler, by columns and by objects, in batches of many kinds: ratios in one run.

``python benchmarks/handler.py [--json]`` or ``rxtract bench handler``. Neither Kafka nor a registry is in it: bytes in, bytes out, with a
real model, rescorer and rules included. Times are processor time of this process, the best of rounds in which all rows take turns. The
yardstick is fastavro, which reads and writes one of these notes: what a handler costs in such round trips says the same on any machine.
"""

import argparse
import io
import json
import platform
import random
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import fastavro
from clinical_ner.config import TrainingConfig
from clinical_ner.tagger import Tagger
from clinical_ner.train import train
from contracts import files, topics
from contracts.apply import apply_schemas
from contracts.records import ModelRef, NoteAccepted, Origin
from contracts.registry import InMemoryRegistry
from contracts.wire import HEADER_BYTES, Serializer
from decode import SEED, corpus_notes, cut_texts, training_notes
from extractor.bootstrap import codecs
from extractor.domain.sampling import OpenEpisodes, Sampling, SamplingRates
from extractor.handler import COLUMN_NOTES, ExtractionHandler, Topics
from extractor.metrics import METRICS
from extractor.settings import ExtractorSettings
from runtime.kafka.deadletter import DeadLetterBudget
from runtime.kafka.records import InputRecord
from runtime.service.metrics import Metrics
from serving.tagging import LoadedModel

NOTES = 2_000
ROUNDS = 12
NOW_MS = 1_700_000_000_000
FEW_PLACES, MANY_PLACES = (12, 7), (500, 40)
ALWAYS, NEVER = 1, 10**9


@dataclass(frozen=True)
class Kind:
    """One kind of notes, as it comes.

    Attributes:
        batch: Notes a batch.
        live: LIVE notes, audited under a key and counted for drift; else BACKFILL.
        tokens: Words of a note.
        unseen: Share of words that nobody has seen.
        places: How many cities and specialties they come from.
    """

    name: str
    batch: int = 500
    live: bool = False
    tokens: int = 25
    unseen: float = 0.0
    places: tuple[int, int] = FEW_PLACES


KINDS = (
    Kind("backfill, 500 a batch"),
    Kind("live, 500 a batch", live=True),
    Kind("live, 100 a batch", live=True, batch=100),
    Kind("live, 20 a batch", live=True, batch=20),
    Kind("live, 1 a batch", live=True, batch=1),
    Kind("live, 500 cities", live=True, places=MANY_PLACES),
    Kind("live, 150 tokens", live=True, tokens=150),
    Kind("live, 5 % unseen", live=True, unseen=0.05),
)
WAYS = {"served": COLUMN_NOTES, "columns": ALWAYS, "objects": NEVER}
"""From how many notes on a batch goes by columns: as it is served, always, never."""


def run(rounds: int = ROUNDS) -> dict[str, Any]:
    """Measure; rows of kind, us_per_note by way, objects_to_served, and round_trips: served, in times of the yardstick."""
    config = TrainingConfig(calibration_folds=0, averaged_fits=1)
    tagger = train(training_notes(), config, seed=SEED).tagger()
    rigs = {(kind, way): Rig(tagger, kind, least) for kind in KINDS for way, least in WAYS.items()}
    best = dict.fromkeys(rigs, float("inf"))
    yardstick, round_trip_us = Yardstick(), float("inf")
    for turn in range(rounds):
        round_trip_us = min(round_trip_us, yardstick.measure())
        for key, rig in rigs.items():
            best[key] = min(best[key], rig.measure(turn))
    machine = f"{platform.machine()}, {platform.system()}, Python {platform.python_version()}"
    rows = [_row(kind, {way: best[kind, way] for way in WAYS}, round_trip_us) for kind in KINDS]
    return {"machine": machine, "fastavro_round_trip_us": round(round_trip_us, 2), "rows": rows}


def _row(kind: Kind, spent: dict[str, float], round_trip_us: float) -> dict[str, Any]:
    return {
        "kind": kind.name,
        "us_per_note": {way: round(us, 2) for way, us in spent.items()},
        "objects_to_served": round(spent["objects"] / spent["served"], 2),
        "round_trips": round(spent["served"] / round_trip_us, 2),
    }


class Yardstick:
    """fastavro on a note of the contract's examples."""

    def __init__(self) -> None:
        record = NoteAccepted.from_json(files.example_files(topics.NOTES_ACCEPTED)[0].read_text("utf-8"))
        self._schema = fastavro.parse_schema(json.loads(files.schema_text(NoteAccepted.SCHEMA_NAME)))
        self._value = Serializer(NoteAccepted, 1)(record)[HEADER_BYTES:]

    def measure(self) -> float:
        """Microseconds to read and to write the note once."""
        began = time.process_time()
        for _ in range(NOTES):
            fastavro.schemaless_writer(
                io.BytesIO(), self._schema, fastavro.schemaless_reader(io.BytesIO(self._value), self._schema, None)
            )
        return 1e6 * (time.process_time() - began) / NOTES


class Rig:
    """One handler and the batches that it gets."""

    def __init__(self, tagger: Tagger, kind: Kind, column_notes: int) -> None:
        self._kind, self._column_notes = kind, column_notes
        registry = InMemoryRegistry()
        apply_schemas(registry, "")
        metrics = Metrics(METRICS)
        metrics.build_all()
        settings = ExtractorSettings.load(bootstrap_servers="none:1", schema_registry_url="http://none")
        sampling = Sampling(0.7, b"k" * 32 if kind.live else None, SamplingRates(), OpenEpisodes())
        self._handler = ExtractionHandler(
            lambda: LoadedModel(ModelRef(name="bench", version="1", serial=1), tagger),
            codecs(registry, settings),
            Topics(topics.ENTITIES_EXTRACTED, topics.REVIEW_REQUESTED, topics.STATISTICS_OBSERVED, topics.DRIFT_WORDS),
            DeadLetterBudget(),
            metrics=metrics,
            review_below=0.7,
            sampling=sampling,
            now_ms=lambda: NOW_MS,
            column_notes=column_notes,
        )
        self._serialize = Serializer.for_topic(NoteAccepted, registry, topics.NOTES_ACCEPTED)
        self._words = " ".join(note.text for note in corpus_notes(SEED + 1, 4_500)).split()
        self._offset = 0
        self._handler(self._records(self._texts(-1)[:1]))  # the schema's id is learnt

    def measure(self, turn: int) -> float:
        """Microseconds a note; every turn has texts of its own where words are unseen."""
        size = self._kind.batch
        notes = NOTES if size > 1 else NOTES // 8
        texts = self._texts(turn)
        records = self._records([texts[at % len(texts)] for at in range(notes)])
        batches = [records[at : at + size] for at in range(0, notes, size)]
        began = time.process_time()
        for batch in batches:
            self._handler(batch)
        return 1e6 * (time.process_time() - began) / notes

    def _texts(self, turn: int) -> list[str]:
        return cut_texts(self._words, self._kind.tokens, self._kind.unseen, turn)

    def _records(self, texts: Sequence[str]) -> list[InputRecord]:
        rng = random.Random(f"{SEED} {self._offset}")
        values = [self._serialize(self._note(text, rng, self._offset + at)) for at, text in enumerate(texts)]
        first, self._offset = self._offset, self._offset + len(texts)
        return [InputRecord(topics.NOTES_ACCEPTED, 0, first + at, NOW_MS, b"k", one) for at, one in enumerate(values)]

    def _note(self, text: str, rng: random.Random, number: int) -> NoteAccepted:
        cities, specialties = self._kind.places
        return NoteAccepted(
            source="bench",
            note_id=f"note-{number}",
            revision=1,
            prescription_ref="p" * 32,
            patient_ref="q" * 32,
            doctor_ref="d" * 32,
            city=f"city{rng.randrange(cities)}",
            specialty=f"specialty{rng.randrange(specialties)}",
            written_at=NOW_MS - 1_000,
            accepted_at=NOW_MS - 500,
            text=text,
            origin=Origin.LIVE if self._kind.live else Origin.BACKFILL,
        )


def main(say: Callable[[str], object] = sys.stdout.write) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    result = run(options.rounds)
    if options.json:
        say(json.dumps(result, indent=1) + "\n")
        return
    for row in result["rows"]:
        spent = "".join(f"{way} {us:7.1f} us  " for way, us in row["us_per_note"].items())
        say(f"{row['kind']:<24}{spent}objects to served {row['objects_to_served']:.2f}  ")
        say(f"{row['round_trips']:.2f} fastavro round trips\n")


if __name__ == "__main__":
    main()
