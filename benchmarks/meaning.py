"""What the rules cost in native code beside the tagging: pieces, assertions and relations, and prescription attributes.

Each stage is a call that does it and all before it, on notes with given entities, so that a stage's cost is a
difference. Times are CPU microseconds a note, the best of several rounds in which the stages take turns.
"""

from __future__ import annotations

import ctypes
import json
import platform
import time
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clinical_ner.notes import AnnotatedNote

SEED = 7
NOTES = 4_000
ROUNDS = 30
STYLES = ("clinical", "abstract")


def run() -> dict[str, Any]:
    """Measure both styles of the shipped corpus; rows of texts, tokens, entities and microseconds a note by stage."""
    from corpus.generator import generate

    rows = [measure(style, list(generate(SEED, NOTES, style=style))) for style in STYLES]
    return {"machine": f"{platform.machine()}, {platform.system()}, Python {platform.python_version()}", "rows": rows}


def measure(name: str, notes: Sequence[AnnotatedNote]) -> dict[str, Any]:
    """Best microseconds a note: assertions and relations (with cutting the text), then prescription attributes."""
    from clinical_ner.meaning import Reader
    from clinical_ner.native import library

    reader, call = Reader(), _Arguments(notes)
    diseases_only = _Arguments(notes, treatments=False)
    best = {"all": float("inf"), "without attributes": float("inf")}
    for _ in range(ROUNDS):
        for stage, limit in (("all", 0), ("without attributes", 1)):
            library().cn_reader_limit(reader.address, limit)
            began = time.process_time()
            call.read(reader)
            best[stage] = min(best[stage], (time.process_time() - began) / len(notes) * 1e6)
    del diseases_only
    library().cn_reader_limit(reader.address, 0)
    return {
        "texts": name,
        "tokens": round(sum(len(note.text.split()) for note in notes) / len(notes), 1),
        "entities": round(sum(len(note.spans) for note in notes) / len(notes), 1),
        "assertions_and_relations_us": round(best["without attributes"], 2),
        "attributes_us": round(best["all"] - best["without attributes"], 2),
    }
