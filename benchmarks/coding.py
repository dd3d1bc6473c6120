"""How many notes a second one core codes, and how many FHIR documents it makes.

The enricher's handler over events of the corpus' notes, decoding and writing included.

python benchmarks/coding.py [--notes 20000] [--json]

The notes are synthetic ones in every style of the corpus, with the mentions that their labels mark, in the order they are made. That language is
richer than a clinic's: see what share of mentions was seen before. Cold is a process that has seen nothing, running the same one on as many notes
that it has not seen, warm those once more, which flatters. Processor time, not speed; a busy machine has dearer processor time, too.
"""

import argparse
import json
import time
from collections.abc import Sequence

from contracts.files import schema_text
from contracts.identity import event_id
from contracts.records import (
    EntitiesCoded,
    EntitiesExtracted,
    Entity,
    EntityLabel,
    ModelRef,
    Review,
    ReviewReason,
    Segment,
)
from contracts.registry import InMemoryRegistry, WriterSchemas
from contracts.wire import Deserializer, Serializer
from corpus import generate
from enricher.documents import codes_of
from enricher.domain.coding import NoteCoder
from enricher.handler import CodingHandler, Publishing
from enricher.metrics import METRICS
from runtime.kafka.deadletter import DeadLetterBudget
from runtime.kafka.records import InputRecord
from runtime.service.metrics import Metrics
from rxtract_fhir import PROFILES, as_bytes, document, of_event
from terminology import Coder

_BATCH = 500
_MODEL = ModelRef(name="rxtract-ner", version="1", serial=1)
_REVIEW = Review(requested=False, reason=ReviewReason.NONE, inclusion_probability=None)


def events(notes: int) -> list[EntitiesExtracted]:
    """Entity events of synthetic notes."""
    return [
        EntitiesExtracted(
            event_id=event_id("bench", note.note_id, 1, 1, 1),
            source="bench",
            note_id=note.note_id,
            revision=1,
            model=_MODEL,
            rules_version="1",
            rules_serial=1,
            segment=Segment(city="Pune", specialty="general medicine"),
            patient_ref="0" * 32,
            written_at=1,
            accepted_at=2,
            extracted_at=3,
            note_confidence=0.9,
            entities=tuple(
                Entity(
                    entity_id=f"e{place}",
                    label=EntityLabel(span.label.value),
                    text=note.text[span.start : span.end],
                    start=span.start,
                    end=span.end,
                    confidence=0.9,
                )
                for place, span in enumerate(note.spans, 1)
            ),
            relations=(),
            review=_REVIEW,
        )
        for note in generate(11, notes)
    ]


def measure(notes: int) -> dict[str, float]:
    """Notes a second of one core: cold, running and warm, and what share of mentions was seen before."""
    registry = InMemoryRegistry()
    in_id = registry.register("in-value", schema_text("EntitiesExtracted"))
    out_id = registry.register("out-value", schema_text("EntitiesCoded"))
    made = events(2 * notes)
    write = Serializer(EntitiesExtracted, in_id)
    records = [InputRecord("in", 0, offset, 0, b"k", write(event)) for offset, event in enumerate(made)]
    began = time.process_time()
    coder = NoteCoder(Coder.open(), serial=1)
    opened_s = time.process_time() - began
    handler = CodingHandler(
        Deserializer(EntitiesExtracted, WriterSchemas(registry, "in-value")),
        Publishing(coder, Serializer(EntitiesCoded, out_id), "out", Metrics(METRICS)),
        DeadLetterBudget(),
    )
    mentions, later = (
        [(one.text, one.label) for event in half for one in event.entities] for half in (made[:notes], made[notes:])
    )
    run(handler, records[:1])
    cold_s, running_s, warm_s = (
        run(handler, records[:notes]),
        run(handler, records[notes:]),
        run(handler, records[notes:]),
    )
    known = set(mentions)
    later_new = len({*mentions, *later}) - len(known)
    return {
        "notes": notes,
        "mentions": len(mentions),
        "cold_seen_before": round(1 - len(known) / len(mentions), 3),
        "running_seen_before": round(1 - later_new / len(later), 3),
        "cold_notes_per_s": round(notes / cold_s),
        "running_notes_per_s": round(notes / running_s),
        "warm_notes_per_s": round(notes / warm_s),
        "cold_us_per_mention": round(1e6 * cold_s / len(mentions), 1),
        "open_s": round(opened_s, 2),
        **documents_per_s(made[:2000], coder),
    }


def documents_per_s(made: Sequence[EntitiesExtracted], coder: NoteCoder) -> dict[str, int]:
    """FHIR documents a second of one core, of events and their codes, by profile.

    Raises:
        AssertionError: A document made once more has other bytes.
    """
    coded = [codes_of(coder.coded(event)) for event in made]
    found = {}
    for name in PROFILES:
        began = time.process_time()
        first = [as_bytes(document(of_event(event), name, codes)) for event, codes in zip(made, coded, strict=True)]
        found[f"{name}_per_s"] = round(len(made) / (time.process_time() - began))
        again = [as_bytes(document(of_event(event), name, codes)) for event, codes in zip(made, coded, strict=True)]
        assert again == first
    return found


def run(handler: CodingHandler, records: Sequence[InputRecord]) -> float:
    """Processor seconds for all records."""
    began = time.process_time()
    for start in range(0, len(records), _BATCH):
        handler(records[start : start + _BATCH])
    return time.process_time() - began


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--notes", type=int, default=20_000)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    found = measure(arguments.notes)
    print(
        json.dumps(found) if arguments.json else "\n".join(f"{name:<20} {value:>12,}" for name, value in found.items())
    )


if __name__ == "__main__":
    main()
